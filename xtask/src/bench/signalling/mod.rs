//! `cargo xtask bench signalling`: what peers cost the signalling server, and what they notice of each other.
//!
//! The load is made by a process of its own, so that neither descriptors nor processor time mix with anything. The
//! servers are measured in turn, round by round.

#[cfg(feature = "signalling")]
mod candidate;
#[cfg(feature = "signalling")]
mod case;
#[cfg(feature = "signalling")]
mod certificate;
#[cfg(feature = "signalling")]
mod crowd;
#[cfg(feature = "signalling")]
mod dialer;
#[cfg(feature = "signalling")]
mod load_process;
#[cfg(feature = "signalling")]
mod report;
#[cfg(feature = "signalling")]
mod run;
#[cfg(feature = "signalling")]
mod stalled;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "signalling")]
pub(crate) use {crowd::run as make_load, run::run};

/// The signalling server: processor time, memory and delay
#[derive(Args, Clone)]
pub(crate) struct Signalling {
    /// Writes the results to docs/benchmarks-signalling.md, with a plot
    #[arg(long)]
    write: bool,

    /// So many peers
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000])]
    peers: Vec<usize>,

    /// How often all is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// Measures this `wigwag` instead of building one
    #[arg(long, value_name = "PROGRAM")]
    ours: Option<PathBuf>,

    /// Measures this `wigwag` in the place of the reference's server, to compare commits
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,

    /// Leaves out TLS, and listeners that stop reading
    #[arg(long)]
    plain: bool,
}

/// Makes the load of the signalling benchmark, as ordered on the standard input
#[derive(Args, Clone)]
pub(crate) struct SignallingLoad {
    /// The server
    address: SocketAddr,

    /// Its certificate (PEM), if it speaks TLS
    #[arg(long)]
    certificate: Option<PathBuf>,
}
