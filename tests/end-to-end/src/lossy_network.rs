//! A network of a test's own that loses packets.

use std::env;
use std::process::Command;

use anyhow::{Result, ensure};
use wigwag_link::Namespace;

/// Says that this is the test inside.
const INSIDE: &str = "WIGWAG_IN_A_LOSSY_NETWORK";

/// One packet of twenty is lost, of UDP alone, whichever way it goes.
const LOSS: &str = "add table inet lossy; \
     add chain inet lossy out { type filter hook output priority 0; }; \
     add rule inet lossy out meta l4proto udp numgen random mod 20 == 0 drop";

/// Whether the test of this name is to go on: it is in such a network. Otherwise it was run there, and passed.
pub fn is_entered(test: &str) -> Result<bool> {
    if env::var_os(INSIDE).is_some() {
        ensure!(Command::new("nft").arg(LOSS).status()?.success());
        return Ok(true);
    }
    let network = Namespace::new()?;
    let mut again = Command::new(env::current_exe()?);
    again.args(["--exact", test, "--nocapture"]);
    again.env(INSIDE, "1");
    let ended = network.enter(&again).output()?;
    let output = String::from_utf8_lossy(&ended.stdout);
    let error = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{output}{error}");
    ensure!(output.contains("1 passed"), "{output}");
    Ok(false)
}
