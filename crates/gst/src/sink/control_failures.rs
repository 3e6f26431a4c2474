//! How often the control thread of a sink is replaced after a panic. No clock; time comes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Control threads that may panic within [`FAILURES_KEPT`] and be replaced; the next is not.
const MAX_CONTROL_FAILURES: usize = 3;
const FAILURES_KEPT: Duration = Duration::from_secs(60);

/// The panics of late.
#[derive(Debug, Default)]
pub(super) struct ControlFailures(VecDeque<Instant>);

impl ControlFailures {
    /// Counts a panic; true if another thread may take the place.
    pub(super) fn handle_panic(&mut self, now: Instant) -> bool {
        let is_recent = |failure: &Instant| now.saturating_duration_since(*failure) < FAILURES_KEPT;
        self.0.retain(is_recent);
        self.0.push_back(now);
        self.0.len() <= MAX_CONTROL_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_that_panics_too_often_not_replaced_until_a_while_has_passed() {
        let start = Instant::now();
        let mut failures = ControlFailures::default();
        for _ in 0..MAX_CONTROL_FAILURES {
            assert!(failures.handle_panic(start));
        }
        let later = start + FAILURES_KEPT - Duration::from_millis(1);
        assert!(!failures.handle_panic(later));
        assert!(failures.handle_panic(start + FAILURES_KEPT));
    }
}
