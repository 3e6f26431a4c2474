//! `cargo xtask bench …`: ours and the published peer in the same run, as ratios, against the targets
//! of ARCHITECTURE.md.

mod load;
mod server_process;
mod signalling;
mod stalled;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::commands::{cargo, say};

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Bench {
    /// The signalling server: processor time, memory and delay
    Signalling,
}

pub(crate) fn run(bench: Bench) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    match bench {
        Bench::Signalling => signalling::run(),
    }
}

/// Runs the same command again, optimised: a slow generator would measure itself.
fn run_optimised() -> Result<ExitCode> {
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
