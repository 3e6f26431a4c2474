//! A network of a test's own that loses packets, and has some overtake others.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wigwag_link::Namespace;

/// Says that this is the test inside.
const INSIDE: &str = "WIGWAG_IN_A_LOSSY_NETWORK";

/// One packet of twenty is lost, of UDP alone, whichever way it goes.
const LOSS: &str = "add table inet lossy; \
     add chain inet lossy out { type filter hook output priority 0; }; \
     add rule inet lossy out meta l4proto udp numgen random mod 20 == 0 drop";

/// One of ten packets of UDP that are not lost waits, in a class of its own, while others go by.
const DELAYED: &str =
    "add rule inet lossy out meta l4proto udp numgen random mod 10 == 0 meta priority set 1:20";

/// In that class, a packet of 1,200 bytes takes 10 ms.
const CLASSES: [&str; 3] = [
    "qdisc add dev lo root handle 1: htb default 10",
    "class add dev lo parent 1: classid 1:10 htb rate 10gbit quantum 60000",
    "class add dev lo parent 1: classid 1:20 htb rate 1mbit burst 1600 cburst 1600",
];

/// Whether the test of this name is to go on: it is in such a network. Otherwise it was run there, and passed.
pub fn is_entered(test: &str) -> Result<bool> {
    if env::var_os(INSIDE).is_some() {
        ensure!(Command::new("nft").arg(LOSS).status()?.success());
        return Ok(true);
    }
    run_inside(test)
}

/// The same, in a network in which packets overtake others, too.
pub fn is_entered_with_reordering(test: &str) -> Result<bool> {
    if env::var_os(INSIDE).is_none() {
        return run_inside(test);
    }
    for rules in [LOSS, DELAYED] {
        ensure!(Command::new("nft").arg(rules).status()?.success());
    }
    for class in CLASSES {
        let words = class.split(' ');
        ensure!(Command::new("tc").args(words).status()?.success());
    }
    Ok(true)
}

/// How many packets waited while others went by.
pub fn overtaken() -> Result<u64> {
    let show = ["-statistics", "class", "show", "dev", "lo"];
    let output = Command::new("tc").args(show).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let slow = text.split("class htb ").find(|it| it.starts_with("1:20 "));
    let words = slow
        .context("no class of those that wait")?
        .split_whitespace();
    let words: Vec<_> = words.collect();
    // "Sent 1200 bytes 1 pkt"
    let place = words.iter().position(|word| *word == "pkt");
    let count = place.and_then(|place| words.get(place.checked_sub(1)?));
    Ok(count.with_context(|| text.clone())?.parse()?)
}

fn run_inside(test: &str) -> Result<bool> {
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
