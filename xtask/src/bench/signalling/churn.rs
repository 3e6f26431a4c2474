//! Notices of producers that come and leave.

use anyhow::{Result, ensure};

use super::candidate::Candidate;
use super::case::LISTENERS;
use super::crowd::Task;
use super::load_process::LoadProcess;
use super::plan::Plan;
use super::quantity::{Operation, Quantity};
use super::rounds::{Measured, microseconds};

/// Each connects, sets its status and leaves, all at once.
pub(super) const PRODUCERS: usize = 300;
/// Peers that get no notice, and only have to be passed over.
pub(super) const IDLE: usize = 2_000;

/// One that each comes, and one that it leaves.
const NOTICES: usize = 2 * PRODUCERS * LISTENERS;

/// The connections of the producers are part of the cost.
pub(super) fn measure(candidate: Candidate<'_>, plan: &Plan) -> Result<Measured> {
    let server = candidate.start(None)?;
    let mut load = LoadProcess::start(&server, None)?;
    let mut measured = Measured::default();
    let conditions = plan.conditions();
    load.act(Task::Connect(LISTENERS))?;
    load.act(Task::Listen {
        listeners: LISTENERS,
        producers: 0,
    })?;
    for operation in [Operation::ChurnNotice, Operation::ChurnNoticeBesideIdle] {
        if operation == Operation::ChurnNoticeBesideIdle {
            load.act(Task::Connect(IDLE))?;
            load.act(Task::Refresh)?;
        }
        let churn = Task::Churn {
            producers: PRODUCERS,
        };
        let (cost, _) = load.cost(&server, conditions, churn)?;
        let late = load.act(Task::CountLateNotices)?.count;
        ensure!(
            cost.count <= NOTICES && late == 0,
            "{} notices came of {NOTICES}, and {late} after the last leave",
            cost.count
        );
        measured.insert_cost(operation, conditions, cost);
        measured.insert(
            Quantity::ChurnTime(operation, conditions),
            microseconds(cost.processor_time.total) / PRODUCERS as f64,
        );
        measured.insert(
            Quantity::ChurnDelivered(operation, conditions),
            cost.count as f64 / NOTICES as f64 * 100.0,
        );
    }
    Ok(measured)
}
