//! When a path that could take more is tried.
//!
//! str0m probes when more is desired than before, when little is sent, and else every
//! fifteen seconds. After congestion its estimate often stands still, far below what the path takes, until
//! it probes. So an estimate that stands still below what is desired is tried sooner: str0m is given
//! of a desire that falls, and then of one that rises again.
//!
//! It is given none before it can probe by the stream of packets sent again, which is with the first
//! frame. Without that it sends probes from source 0, for which `webrtcbin` makes a pad that nobody
//! expects, and which ends all that it receives. A viewer to whom nothing is sent again is never probed.

use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// An estimate that stands still for this long is tried; after each try in vain twice as long.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
const LAST_PATIENCE: Duration = Duration::from_secs(12);

/// What changes by less stands still.
const STILL_PERCENT: u64 = 5;

#[derive(Debug)]
pub(crate) struct Probing {
    desired: Bitrate,
    /// Whether str0m has a stream to probe by.
    possible: bool,
    /// The estimate, and since when it stands still.
    still: Option<(Bitrate, Instant)>,
    patience: Duration,
    /// Whether str0m was given less than is desired.
    lowered: bool,
}

impl Probing {
    pub(crate) fn new() -> Self {
        Self {
            desired: 0,
            possible: false,
            still: None,
            patience: FIRST_PATIENCE,
            lowered: false,
        }
    }

    /// Takes what is desired from now on; returns the desire for str0m.
    pub(crate) fn desire(&mut self, desired: Bitrate) -> Option<Bitrate> {
        self.desired = desired;
        self.lowered = false;
        self.possible.then_some(desired)
    }

    /// str0m has a stream to probe by; returns the desire for it.
    pub(crate) fn is_possible(&mut self) -> Option<Bitrate> {
        let was_possible = std::mem::replace(&mut self.possible, true);
        (!was_possible && self.desired > 0).then_some(self.desired)
    }

    /// Takes the estimate, every now and then; returns the desire for str0m.
    pub(crate) fn on_estimate(&mut self, estimate: Bitrate, now: Instant) -> Option<Bitrate> {
        if !self.possible {
            return None;
        }
        if std::mem::take(&mut self.lowered) {
            return Some(self.desired);
        }
        let (rate, since) = *self.still.get_or_insert((estimate, now));
        let is_still = estimate.abs_diff(rate) <= rate * STILL_PERCENT / 100;
        if !is_still || estimate >= self.desired {
            self.still = Some((estimate, now));
            self.patience = FIRST_PATIENCE;
            return None;
        }
        if now.saturating_duration_since(since) < self.patience {
            return None;
        }
        self.still = Some((rate, now));
        self.patience = (self.patience * 2).min(LAST_PATIENCE);
        self.lowered = true;
        Some(estimate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(estimate: impl Fn(u32) -> Bitrate) -> Vec<u32> {
        let start = Instant::now();
        let mut probing = Probing::new();
        assert_eq!(probing.desire(2_000_000), None);
        assert_eq!(probing.is_possible(), Some(2_000_000));
        let told = (0..300).filter_map(|tenth| {
            let now = start + Duration::from_millis(100) * tenth;
            Some((tenth, probing.on_estimate(estimate(tenth), now)?))
        });
        let told: Vec<_> = told.collect();
        for pair in told.chunks(2) {
            assert_eq!(pair[0].0 + 1, pair[1].0, "it is told at once");
            assert_eq!(pair[1].1, 2_000_000);
        }
        told.chunks(2).map(|pair| pair[0].0).collect()
    }

    #[test]
    fn what_stands_still_is_tried_less_and_less() {
        assert_eq!(tries(|_| 400_000), [30, 90, 210]);
    }

    #[test]
    fn nothing_is_tried_before_that_is_possible() {
        let start = Instant::now();
        let mut probing = Probing::new();
        assert_eq!(probing.desire(2_000_000), None);
        for second in 0..60 {
            let now = start + Duration::from_secs(1) * second;
            assert_eq!(probing.on_estimate(400_000, now), None);
        }
        assert_eq!(probing.is_possible(), Some(2_000_000));
        assert_eq!(probing.is_possible(), None, "it was told");
        assert_eq!(probing.desire(3_000_000), Some(3_000_000));
    }

    #[test]
    fn what_moves_or_is_enough_is_left_alone() {
        assert!(tries(|_| 2_000_000).is_empty());
        assert!(tries(|tenth| 400_000 + 50_000 * u64::from(tenth / 10 % 3)).is_empty());
    }
}
