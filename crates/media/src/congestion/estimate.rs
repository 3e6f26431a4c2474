//! What the path to one viewer can take, as it is reported to the owner.
//!
//! Four things are known of it. What congestion control measured at last moves up and down quickly;
//! its average over seconds is fit to be followed upwards; and frames that wait, and heavy loss, show
//! overuse before either does. The lower of the first two is reported, and less while frames wait or
//! much is lost.

use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// Frames that wait no longer than this are on their way.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// Frames that wait longer than this show that the path is overused.
pub(crate) const LONG_WAIT: Duration = Duration::from_millis(150);

/// While frames wait long, so often the estimate is lowered, or raised again when they do not.
const STEP: Duration = Duration::from_millis(200);

/// By how much it is lowered, raised again, and lowered in all.
const LOWERED_PERCENT: u64 = 75;
const RAISED_PERCENT: u64 = 110;
const LOWEST_PERCENT: u64 = 30;

/// Loss by chance is rarely as heavy as this; overuse is. Congestion control is slow to see it.
const HEAVY_LOSS_PERCENT: u64 = 20;

/// No path takes more. A viewer may report 2^81 bit/s (REMB).
const MOST: Bitrate = 1_000_000_000_000;

/// What rises by less is not reported; what falls always is.
const DEAD_BAND_PERCENT: u64 = 2;

#[derive(Debug)]
pub(crate) struct Estimate {
    average: Option<Bitrate>,
    measured: Option<Bitrate>,
    /// The share of these that is reported.
    percent: u64,
    stepped_at: Option<Instant>,
    /// The share that heavy loss leaves.
    loss_percent: u64,
    reported: Option<Bitrate>,
}

impl Estimate {
    pub(crate) fn new() -> Self {
        Self {
            average: None,
            measured: None,
            percent: 100,
            stepped_at: None,
            loss_percent: 100,
            reported: None,
        }
    }

    /// What was reported last.
    pub(crate) fn reported(&self) -> Option<Bitrate> {
        self.reported
    }

    /// Takes the average; returns what to report.
    pub(crate) fn on_average(&mut self, average: Bitrate) -> Option<Bitrate> {
        self.average = Some(average);
        self.report()
    }

    /// Takes what was measured at last, and the share of packets that was lost; returns what to report.
    pub(crate) fn on_measured(
        &mut self,
        measured: Option<Bitrate>,
        lost: Option<f32>,
    ) -> Option<Bitrate> {
        self.measured = measured.or(self.measured);
        let lost = lost.map_or(0, |lost| (lost * 100.0) as u64);
        self.loss_percent = match lost {
            0..HEAVY_LOSS_PERCENT => 100,
            _ => 100u64
                .saturating_sub(lost.saturating_mul(3) / 2)
                .max(LOWEST_PERCENT),
        };
        self.report()
    }

    /// Takes how long frames wait; returns what to report.
    pub(crate) fn on_wait(&mut self, wait: Duration, now: Instant) -> Option<Bitrate> {
        let stepped = self.stepped_at;
        if stepped.is_some_and(|stepped| now.saturating_duration_since(stepped) < STEP) {
            return None;
        }
        let percent = if wait > LONG_WAIT {
            (self.percent * LOWERED_PERCENT / 100).max(LOWEST_PERCENT)
        } else if wait <= SHORT_WAIT {
            (self.percent * RAISED_PERCENT / 100).min(100)
        } else {
            self.percent
        };
        if percent == self.percent {
            return None;
        }
        self.percent = percent;
        self.stepped_at = Some(now);
        self.report()
    }

    fn report(&mut self) -> Option<Bitrate> {
        // Without an average there is no estimate: the first is only what we began with.
        let average = self.average?;
        let estimate = self
            .measured
            .map_or(average, |measured| measured.min(average));
        let estimate = estimate.min(MOST) * self.percent.min(self.loss_percent) / 100;
        let worth_reporting = self.reported.is_none_or(|reported| {
            estimate < reported || estimate > reported + reported * DEAD_BAND_PERCENT / 100
        });
        if !worth_reporting {
            return None;
        }
        self.reported = Some(estimate);
        self.reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_at_once_and_rises_with_the_average() {
        let mut estimate = Estimate::new();
        assert_eq!(estimate.on_measured(Some(3_000), None), None);
        assert_eq!(estimate.on_average(4_000_000), Some(3_000));
        assert_eq!(estimate.on_measured(Some(5_000_000), None), Some(4_000_000));
        assert_eq!(estimate.on_measured(Some(800_000), None), Some(800_000));
        assert_eq!(estimate.on_average(3_000_000), None, "an average is late");
        assert_eq!(estimate.on_average(700_000), Some(700_000));
        assert_eq!(estimate.on_measured(Some(2_000_000), None), None);
        assert_eq!(estimate.on_average(1_000_000), Some(1_000_000));
        assert_eq!(
            estimate.on_average(1_010_000),
            None,
            "it is not worth reporting"
        );
    }

    #[test]
    fn reports_that_make_no_sense_are_estimates_that_can_be_reckoned_with() {
        let mut estimate = Estimate::new();
        assert_eq!(estimate.on_average(Bitrate::MAX), Some(MOST));
        assert_eq!(
            estimate.on_measured(Some(Bitrate::MAX), Some(f32::NAN)),
            None
        );
        assert_eq!(estimate.on_measured(Some(0), Some(f32::INFINITY)), Some(0));
    }

    #[test]
    fn it_is_lower_while_much_is_lost() {
        let mut estimate = Estimate::new();
        estimate.on_average(1_000_000);
        let mut reported = |lost| estimate.on_measured(None, lost);
        assert_eq!(reported(Some(0.1)), None);
        assert_eq!(reported(Some(0.4)), Some(400_000));
        assert_eq!(reported(Some(1.0)), Some(300_000));
        assert_eq!(reported(Some(0.19)), Some(1_000_000));
    }

    #[test]
    fn it_is_lower_while_frames_wait() {
        let start = Instant::now();
        let mut estimate = Estimate::new();
        estimate.on_average(1_000_000);
        let wait = Duration::from_millis(200);
        assert_eq!(estimate.on_wait(wait, start), Some(750_000));
        assert_eq!(estimate.on_wait(wait, start + STEP / 2), None);
        assert_eq!(estimate.on_wait(wait, start + STEP), Some(560_000));
        let reported = (2..20).filter_map(|step| estimate.on_wait(wait, start + step * STEP));
        assert_eq!(reported.last(), Some(300_000));
        let later = start + 20 * STEP;
        let raised =
            (0..40).filter_map(|step| estimate.on_wait(Duration::ZERO, later + step * STEP));
        assert_eq!(raised.last(), Some(1_000_000));
    }
}
