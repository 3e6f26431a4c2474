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

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Bench {
    /// The signalling server: processor time, memory and delay
    Signalling,
}

pub(crate) fn run(bench: Bench) -> Result<ExitCode> {
    match bench {
        Bench::Signalling => signalling::run(),
    }
}
