//! One server with so many peers, from its start to its end.

use std::time::Duration;

use anyhow::{Context, Result};

use super::candidate::Candidate;
use super::certificate::Certificate;
use super::crowd::Task;
use super::load_process::LoadProcess;

/// What the first connections make the server set up is not theirs.
const FIRST: usize = 50;

/// So many of the peers listen: that all of ten thousand begin to listen would alone cause fifty million notices.
pub(super) const LISTENERS: usize = 500;
const CHANGES: usize = 400;
/// Producers that change at the same moment, as after a restart.
pub(super) const BURST: usize = 20;

const RELAYED: usize = 100_000;
const RELAYED_PER_SECOND: usize = 10_000;

/// What one run showed. Times are of the server's processor.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) per_connect: Duration,
    /// Bytes.
    pub(super) memory_per_idle: f64,
    pub(super) per_relayed: Duration,
    pub(super) relay_p50: Duration,
    pub(super) relay_p99: Duration,
    pub(super) per_notice: Duration,
    pub(super) per_notice_in_burst: Duration,
}

pub(super) fn measure(
    candidate: Candidate<'_>,
    peers: usize,
    tls: Option<&Certificate>,
) -> Result<Measured> {
    let server = candidate.start(tls)?;
    let mut load = LoadProcess::start(&server, tls)?;
    load.act(Task::Connect(FIRST))?;
    let memory = server.memory()?;
    let before = server.processor_time()?;
    load.act(Task::Connect(peers))?;
    let per_connect = (server.processor_time()? - before) / peers as u32;
    let memory = server.memory()?.saturating_sub(memory);

    load.act(Task::Pair)?;
    let sessions = (peers + FIRST) / 2;
    let talk = Task::Talk {
        messages: RELAYED / sessions,
        pace: (sessions * 1_000_000 / RELAYED_PER_SECOND) as u64,
    };
    let (per_relayed, relayed) = load.cost(&server, talk)?;
    let (relay_p50, relay_p99) = relayed.delays.context("no delays")?;

    load.act(Task::Listen {
        listeners: LISTENERS,
        producers: BURST,
    })?;
    let mut notice = |at_once| {
        let change = Task::Change {
            changes: CHANGES,
            at_once,
        };
        load.cost(&server, change).map(|(cost, _)| cost)
    };
    Ok(Measured {
        per_connect,
        memory_per_idle: memory as f64 / peers as f64,
        per_relayed,
        relay_p50,
        relay_p99,
        per_notice: notice(1)?,
        per_notice_in_burst: notice(BURST)?,
    })
}
