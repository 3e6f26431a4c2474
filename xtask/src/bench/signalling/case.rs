//! One server with so many peers, from its start to its end.

use anyhow::{Context, Result};

use super::Part;
use super::candidate::Candidate;
use super::certificate::Certificate;
use super::crowd::Task;
use super::load_process::LoadProcess;
use super::plan::Plan;
use super::quantity::{Operation, Quantity};
use super::rounds::{Measured, microseconds};

/// What the first connections make the server set up is not theirs.
const FIRST: usize = 50;

/// So many of the peers listen: that all of ten thousand begin to listen would alone cause fifty million notices.
pub(super) const LISTENERS: usize = 500;
const CHANGES: usize = 400;
/// Producers that change at the same moment, as after a restart.
pub(super) const BURST: usize = 20;

const RELAYED: usize = 100_000;
const RELAYED_PER_SECOND: usize = 10_000;

pub(super) fn measure(
    candidate: Candidate<'_>,
    peers: usize,
    tls: Option<&Certificate>,
    plan: &Plan,
) -> Result<Measured> {
    let server = candidate.start(tls)?;
    let mut load = LoadProcess::start(&server, tls)?;
    let mut measured = Measured::default();
    load.act(Task::Connect(FIRST))?;
    let memory = server.memory()?;
    // All parts need the peers.
    let conditions = plan.conditions();
    let (cost, _) = load.cost(&server, conditions, Task::Connect(peers))?;
    let memory = server.memory()?.saturating_sub(memory);
    if plan.includes(Part::Connect) {
        measured.insert_cost(Operation::Connect, conditions, cost);
        let each = memory as f64 / peers as f64 / 1024.0;
        measured.insert(Quantity::IdleMemory, each);
    }
    if !plan.includes(Part::Relay) && !plan.includes(Part::Notices) {
        return Ok(measured);
    }
    // Also for notices, which are then of the same peers whether or not anything was relayed.
    load.act(Task::Pair)?;

    if plan.includes(Part::Relay) {
        let sessions = (peers + FIRST) / 2;
        let talk = Task::Talk {
            messages: (RELAYED / sessions).max(1),
            pace: (sessions * 1_000_000 / RELAYED_PER_SECOND) as u64,
        };
        for conditions in plan.relay_conditions() {
            let (cost, done) = load.cost(&server, conditions, talk)?;
            measured.insert_cost(Operation::Relay, conditions, cost);
            let (p50, p99) = done.delays.context("no delays")?;
            measured.insert(Quantity::RelayDelayP50(conditions), microseconds(p50));
            measured.insert(Quantity::RelayDelayP99(conditions), microseconds(p99));
        }
    }

    if plan.includes(Part::Notices) {
        load.act(Task::Listen {
            listeners: LISTENERS,
            producers: BURST,
        })?;
        for conditions in plan.notice_conditions() {
            load.act(Task::Refresh)?;
            for (operation, at_once) in [(Operation::Notice, 1), (Operation::NoticeInBurst, BURST)]
            {
                let change = Task::Change {
                    changes: CHANGES,
                    at_once,
                };
                let (cost, _) = load.cost(&server, conditions, change)?;
                measured.insert_cost(operation, conditions, cost);
            }
        }
    }
    Ok(measured)
}
