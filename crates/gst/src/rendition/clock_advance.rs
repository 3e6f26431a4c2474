//! How far timestamps run ahead of the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer as gst;

/// A timestamp further ahead than this is taken for a mistake.
const MAX_ADVANCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// How far ahead of the clock any frame of a sink came so far. Copies share it.
///
/// Some live sources stamp pictures with when they are to be shown, as `tsdemux` does. What is reported to viewers
/// of when something was captured must not lie in the future, and all streams of a sink must be moved back by the
/// same, or else viewers put them out of step.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockAdvance(Arc<AtomicU64>);

impl ClockAdvance {
    /// How old a frame is that was stamped with `stamped` and came at `now`.
    pub(super) fn age(&self, stamped: gst::ClockTime, now: gst::ClockTime) -> gst::ClockTime {
        let ahead = stamped.saturating_sub(now);
        let mut advance = gst::ClockTime::from_nseconds(self.0.load(Ordering::Relaxed));
        if ahead > advance && ahead <= MAX_ADVANCE {
            let known = self.0.fetch_max(ahead.nseconds(), Ordering::Relaxed);
            advance = ahead.max(gst::ClockTime::from_nseconds(known));
        }
        (now + advance).saturating_sub(stamped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: gst::ClockTime = gst::ClockTime::from_mseconds(1);

    #[test]
    fn streams_stay_in_step_when_one_is_ahead_of_the_clock() {
        let advance = ClockAdvance::default();
        assert_eq!(advance.age(100 * MS, 130 * MS), 30 * MS);
        // A picture that is to be shown in 700 ms, and the sound that goes with it 400 ms later.
        assert_eq!(advance.age(900 * MS, 200 * MS), gst::ClockTime::ZERO);
        assert_eq!(advance.age(900 * MS, 600 * MS), 400 * MS);
        // The clocks of both say the same of when that was.
    }

    #[test]
    fn timestamp_that_makes_no_sense_moves_nothing() {
        let advance = ClockAdvance::default();
        let far = MAX_ADVANCE + 101 * MS;
        assert_eq!(advance.age(far, 100 * MS), gst::ClockTime::ZERO);
        assert_eq!(advance.age(100 * MS, 130 * MS), 30 * MS);
    }
}
