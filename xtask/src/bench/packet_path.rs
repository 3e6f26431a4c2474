//! `cargo xtask bench packet-path`: instructions of a session per packet sent. Counted, not timed, so that commits can be
//! compared on machines that are busy.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::table::{Row, print};
use crate::commands::{cargo, command, must_run, say, shown};
use crate::record::Record;
use crate::{install, places};

/// Frames of a short and a long run. Their difference has nothing of the set-up.
const FRAMES: [u64; 2] = [100, 400];
/// What is counted, with all that it calls.
const COUNTED: [&str; 3] = ["send_frame", "wake", "receive"];

pub(crate) fn run() -> Result<ExitCode> {
    install::debian_packages(&mut Record::live())?;
    say("Building the session under measurement");
    let build = ["build", "--quiet", "--locked", "--profile", "load"];
    let what = ["--package", "wigwag-media", "--example", "packet_path"];
    must_run(&mut cargo(&[&build[..], &what[..]].concat()))?;

    say("Counting instructions");
    let [short, long] = FRAMES;
    let (short, long) = (count(short)?, count(long)?);
    let packets = (long.packets - short.packets) as f64;
    print(&[Row {
        what: "a packet of one viewer at 2 Mbit/s, feedback included".to_owned(),
        unit: "instructions",
        reference: None,
        ours: (long.instructions - short.instructions) as f64 / packets,
        median_ratio: None,
        target: None,
    }]);
    Ok(ExitCode::SUCCESS)
}

struct Count {
    packets: u64,
    instructions: u64,
}

fn count(frames: u64) -> Result<Count> {
    let program = places::target().join("load/examples/packet_path");
    let report = places::target().join(format!("packet-path-{frames}.callgrind"));
    let mut valgrind = command("valgrind", &["--tool=callgrind", "--collect-atstart=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", report.display()));
    for function in COUNTED {
        valgrind.arg(format!(
            "--toggle-collect=*media::session::Session::{function}*"
        ));
    }
    valgrind.arg(program).arg(frames.to_string());
    let output = valgrind.output().context("cannot run valgrind")?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(&valgrind), output.status);
    }
    let packets = String::from_utf8_lossy(&output.stdout);
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("cannot read {}", report.display()))?;
    let totals = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "));
    Ok(Count {
        packets: packets.trim().parse().context("the number of packets")?,
        instructions: totals.context("no totals")?.trim().parse()?,
    })
}
