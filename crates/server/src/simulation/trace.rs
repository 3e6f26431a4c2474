//! What all must hear in the end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A peer that left, in whatever way.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    pub(super) id: String,
    /// Which server it was connected to.
    pub(super) epoch: u64,
    /// When it was last there, since the start of the run.
    pub(super) at: Duration,
    /// When all must have heard.
    pub(super) deadline: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<Vec<Departure>>);

impl Trace {
    pub(super) fn note(&self, departure: Departure) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(departure);
    }

    /// All departures from one server.
    pub(super) fn departures(&self, epoch: u64) -> Vec<Departure> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = all.iter().filter(|departure| departure.epoch == epoch);
        wanted.cloned().collect()
    }
}
