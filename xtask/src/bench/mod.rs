//! `cargo xtask bench …`: ours and the published peer in the same run, as ratios, against the targets
//! of ARCHITECTURE.md.

mod audience;
#[cfg_attr(
    not(feature = "signalling"),
    allow(dead_code, reason = "a part is for that")
)]
mod busy;
pub(crate) mod fan_out;
mod first_frame;
mod latency;
#[cfg_attr(
    not(feature = "signalling"),
    allow(dead_code, reason = "a part is for that")
)]
pub(crate) mod load;
mod packet_path;
#[cfg_attr(
    not(feature = "signalling"),
    allow(dead_code, reason = "a part is for that")
)]
pub(crate) mod process;
mod receive;
#[cfg_attr(
    not(feature = "signalling"),
    allow(dead_code, reason = "a part is for that")
)]
mod server_process;
#[cfg_attr(
    not(feature = "signalling"),
    allow(dead_code, reason = "a part is for that")
)]
mod signalling;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::commands::{cargo, say};

#[derive(Clone, Subcommand)]
pub(crate) enum Bench {
    Signalling(signalling::Signalling),
    #[command(hide = true)]
    SignallingLoad(signalling::SignallingLoad),
    /// Keeps a processor busy until the standard input ends
    #[command(hide = true)]
    BusyLoop,
    /// The sink: from a join to the first frame that Chromium presents
    FirstFrame,
    Latency(latency::Latency),
    FanOut(fan_out::FanOut),
    /// A session: instructions per packet, to compare commits
    PacketPath,
    /// A subscription: what a received packet costs, beside the published `webrtcsrc`
    Receive,
    /// The audience: what an estimate of one viewer costs, with 1,000 and with 10,000 viewers
    Audience,
}

pub(crate) fn run(bench: &Bench) -> Result<ExitCode> {
    match bench {
        // The load is a browser's, or counted.
        Bench::FirstFrame => first_frame::run(),
        Bench::Latency(arguments) => latency::run(arguments),
        Bench::PacketPath => packet_path::run(),
        Bench::Audience => audience::run(),
        Bench::Receive => receive::run(),
        Bench::BusyLoop => Ok(busy::spin()),
        _ if cfg!(debug_assertions) => run_optimised(),
        #[cfg(feature = "signalling")]
        Bench::Signalling(arguments) => signalling::run(arguments),
        #[cfg(feature = "signalling")]
        Bench::SignallingLoad(load) => signalling::make_load(load),
        // Only to be built: what measures is built with all features.
        #[cfg(not(feature = "signalling"))]
        Bench::Signalling(_) | Bench::SignallingLoad(_) => run_optimised(),
        Bench::FanOut(arguments) => fan_out::run(*arguments),
    }
}

/// Runs the same command again, optimised and with all features: a slow generator would measure itself.
pub(crate) fn run_optimised() -> Result<ExitCode> {
    say("Building the load generator");
    let mut same = cargo(&["run", "--quiet", "--locked", "--profile", "load"]);
    same.args(["--package", "xtask", "--"]);
    same.args(std::env::args_os().skip(1));
    let status = same.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
