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
mod churn;
#[cfg(feature = "signalling")]
mod crowd;
#[cfg(feature = "signalling")]
mod crowd_churn;
#[cfg(feature = "signalling")]
mod dialer;
#[cfg(feature = "signalling")]
mod load_process;
#[cfg(feature = "signalling")]
mod plan;
#[cfg(feature = "signalling")]
mod quantity;
#[cfg(feature = "signalling")]
mod report;
#[cfg(feature = "signalling")]
mod rounds;
#[cfg(feature = "signalling")]
mod run;
#[cfg(feature = "signalling")]
mod split;
#[cfg(feature = "signalling")]
mod stalled;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
#[cfg(feature = "signalling")]
pub(crate) use {crowd::run as make_load, run::run};

/// The signalling server: processor time, memory and delay
///
/// Servers take turns, round by round, and targets are for the median of the ratios of single rounds. Relayed messages
/// are also measured on a busy machine.
#[derive(Args, Clone)]
pub(crate) struct Signalling {
    /// Writes the results to docs/benchmarks-signalling.md, with a plot
    #[arg(long, conflicts_with_all = ["only", "busy", "before"])]
    write: bool,

    /// So many peers
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000])]
    peers: Vec<usize>,

    /// How often all is measured; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measures these parts only
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Part>,

    /// Measures everything while as many processes spin as there are processors
    #[arg(long)]
    busy: bool,

    /// Measures this `wigwag` instead of building one
    #[arg(long, value_name = "PROGRAM")]
    ours: Option<PathBuf>,

    /// Measures this published server instead of building one
    #[arg(long, value_name = "PROGRAM", conflicts_with = "before")]
    reference: Option<PathBuf>,

    /// Measures this `wigwag` in the place of the reference's server, to compare commits
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,

    /// Leaves out TLS, and listeners that stop reading unless they are named by --only
    #[arg(long)]
    plain: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Connections, and the memory of idle ones
    Connect,
    /// Messages from peer to peer, and their delay
    Relay,
    /// Notices of changed peers
    Notices,
    /// Notices of producers that come and leave
    Churn,
    /// Listeners that stop reading
    Stalled,
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
