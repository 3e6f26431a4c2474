//! `cargo xtask attack`: what honest peers notice while others attack the server and the senders with its default settings.
//!
//! The server, 20 cameras, their viewers and the attackers are in network namespaces of their own (`network`), so that nobody is on
//! the server's loopback interface and nothing leaves the machine. For each attack (`kinds`) and each number of attackers'
//! addresses all of it is started again (`scene`): then memory and gaps belong to that attack. A process beside the viewers
//! (`watch`) asks for the server's health and registers more peers all the time; the attackers are a process too (`attackers`).
//! What must hold is in `targets`. Each attack ends by itself.

#[cfg(feature = "attack")]
mod attackers;
#[cfg(feature = "attack")]
mod client;
#[cfg(feature = "attack")]
mod film;
#[cfg(feature = "attack")]
mod kinds;
#[cfg(feature = "attack")]
mod matrix;
#[cfg(feature = "attack")]
mod network;
#[cfg(feature = "attack")]
mod outcome;
#[cfg(feature = "attack")]
mod processes;
#[cfg(feature = "attack")]
mod raw;
#[cfg(feature = "attack")]
mod scene;
#[cfg(feature = "attack")]
mod sources;
#[cfg(feature = "attack")]
mod targets;
#[cfg(feature = "attack")]
mod viewers;
#[cfg(feature = "attack")]
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
#[cfg(not(feature = "attack"))]
use std::process::ExitCode;

#[cfg(not(feature = "attack"))]
use anyhow::Result;
use clap::{Args, ValueEnum};

/// What attackers do while honest producers and viewers must notice nothing; needs network namespaces
///
/// Fails if an honest session ends, an honest request is refused, or the server takes too much memory. Gaps in media and the time
/// that newcomers wait are printed against their targets.
#[derive(Args, Clone)]
#[cfg_attr(
    not(feature = "attack"),
    allow(dead_code, reason = "a part is for that")
)]
pub(crate) struct Attack {
    /// These attacks only
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Kind>,

    /// How many addresses the attackers have: numbers of IPv4 addresses, or 48 for a prefix of IPv6 of that length, as `/48`
    #[arg(long, value_delimiter = ',', default_values = ["1", "2", "200", "/48"])]
    addresses: Vec<String>,

    /// How long each attack takes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=600))]
    seconds: u32,

    /// Attacks this `wigwag` instead of building one
    #[arg(long, value_name = "PROGRAM")]
    wigwag: Option<PathBuf>,

    /// The runs that come with each landing: all attacks at once, from one address and from many, and hostile reports
    #[arg(long, conflicts_with_all = ["only", "addresses", "seconds"])]
    short: bool,
}

/// What attackers do. Numbers are those of the review.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// Nothing: what the others are compared with
    Nothing,
    /// Candidates to producers, as many as go out (S1)
    Candidates,
    /// Calls that are ended at once (S2)
    Calls,
    /// Metas that fill what there is for metas (S3)
    Metas,
    /// Sessions of peers that call each other (S3)
    Sessions,
    /// WebSocket connections that do nothing (S3)
    Peers,
    /// Rooms of the text protocol (S3)
    Rooms,
    /// Messages that never end, with pongs between their fragments (S4)
    Fragments,
    /// Long lists that nobody reads (S4)
    Lists,
    /// Peers that send to each other and do not read (S4)
    Queues,
    /// Calls that are never answered (S5)
    HalfOpen,
    /// Answers whose candidates are addresses of others (S7)
    NamedAddresses,
    /// Reports of viewers that hold the keys and lie (S6)
    Reports,
    /// Producers that change what they say of themselves, before many listeners (S8)
    Statuses,
    /// Connections that come and go, some with half a request
    Connections,
    /// Frames without content (S15)
    EmptyFrames,
    /// Requests whose answers are not read
    SlowReaders,
    /// All of these at once
    All,
}

/// The attackers, in their network namespace
#[derive(Args, Clone)]
#[cfg_attr(
    not(feature = "attack"),
    allow(dead_code, reason = "a part is for that")
)]
pub(crate) struct Attackers {
    kind: Kind,
    server: SocketAddr,
    addresses: String,
    seconds: u32,
    /// The ids of the cameras
    producers: Vec<String>,
}

/// Honest peers of short lives beside the viewers
#[derive(Args, Clone)]
#[cfg_attr(
    not(feature = "attack"),
    allow(dead_code, reason = "a part is for that")
)]
pub(crate) struct Watch {
    server: SocketAddr,
    /// How many cameras to wait for
    cameras: usize,
}

#[cfg(feature = "attack")]
pub(crate) use {attackers::run as attack, matrix::run, watch::run as watch};

/// Runs the same command again with all features.
#[cfg(not(feature = "attack"))]
pub(crate) fn run(_: &Attack) -> Result<ExitCode> {
    crate::bench::run_optimised()
}

#[cfg(not(feature = "attack"))]
pub(crate) fn attack(_: &Attackers) -> Result<ExitCode> {
    crate::bench::run_optimised()
}

#[cfg(not(feature = "attack"))]
pub(crate) fn watch(_: &Watch) -> Result<ExitCode> {
    crate::bench::run_optimised()
}
