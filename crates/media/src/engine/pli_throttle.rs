//! How often a viewer's request for a key frame (PLI, FIR) is passed on.

use std::time::{Duration, Instant};

use crate::ids::StreamId;

/// A viewer's requests for a key frame of a stream are passed on at most this often; those that come meanwhile are
/// passed on together, later. No encoder makes key frames more often than that.
pub const PLI_INTERVAL: Duration = Duration::from_millis(200);

/// The requests of one viewer.
#[derive(Debug, Default)]
pub(super) struct PliThrottle {
    /// One for each stream of which it ever requested a key frame.
    streams: Vec<Throttled>,
}

#[derive(Debug)]
struct Throttled {
    stream: StreamId,
    passed_at: Instant,
    held_back: bool,
}

impl PliThrottle {
    /// Takes a request; true if it is to be passed on now.
    pub(super) fn take(&mut self, stream: StreamId, now: Instant) -> bool {
        match self.streams.iter_mut().find(|it| it.stream == stream) {
            Some(throttled) => {
                throttled.held_back = true;
                throttled.is_due(now)
            }
            None => {
                self.streams.push(Throttled {
                    stream,
                    passed_at: now,
                    held_back: false,
                });
                true
            }
        }
    }

    /// A stream whose request was held back and is to be passed on now.
    pub(super) fn due(&mut self, now: Instant) -> Option<StreamId> {
        let mut streams = self.streams.iter_mut();
        streams.find_map(|throttled| throttled.is_due(now).then_some(throttled.stream))
    }

    /// When to call [`due`](Self::due).
    pub(super) fn deadline(&self) -> Option<Instant> {
        let held_back = self.streams.iter().filter(|it| it.held_back);
        held_back.map(Throttled::due_at).min()
    }
}

impl Throttled {
    fn due_at(&self) -> Instant {
        self.passed_at + PLI_INTERVAL
    }

    /// Whether its request is to be passed on now; if so it counts as passed on.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.held_back && self.due_at() <= now;
        if due {
            self.held_back = false;
            self.passed_at = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StreamId = StreamId(1);
    const TWO: StreamId = StreamId(2);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn first_request_passed_on_at_once_and_next_after_the_interval() {
        let now = Instant::now();
        let mut throttle = PliThrottle::default();
        assert!(throttle.take(ONE, now) && throttle.take(TWO, now));
        assert_eq!(throttle.deadline(), None);
        assert!(!throttle.take(ONE, now + MS));
        assert_eq!(throttle.deadline(), Some(now + PLI_INTERVAL));
        assert_eq!(throttle.due(now + PLI_INTERVAL - MS), None);
        assert_eq!(throttle.due(now + PLI_INTERVAL), Some(ONE));
        assert_eq!(throttle.due(now + PLI_INTERVAL), None);
        assert!(throttle.take(TWO, now + PLI_INTERVAL));
    }

    #[test]
    fn flood_of_requests_passed_on_five_times_a_second() {
        let now = Instant::now();
        let mut throttle = PliThrottle::default();
        let passed = (0..10_000).filter(|number| throttle.take(ONE, now + MS * *number));
        assert_eq!(passed.count(), 50);
    }
}
