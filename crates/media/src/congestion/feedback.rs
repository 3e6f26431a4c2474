//! Whether media still arrives, by what the viewer reports (RTCP).
//!
//! Viewers with congestion control report many times a second while media comes. When such reports stop
//! for [`FEEDBACK_TIMEOUT`] although media is sent, nothing of it arrives, and sending pauses: it would
//! fill queues on the path that are then in the way. Other viewers report every few seconds (GStreamer
//! every five), and of those nothing is known before [`SILENCE_TIMEOUT`](crate::session::SILENCE_TIMEOUT).
//!
//! While paused, one whole frame goes out every [`ATTEMPT_INTERVAL`] at most; any report ends the pause. What was half sent
//! when the pause began is the owner's to drop: it asks only when a frame begins.

use std::time::{Duration, Instant};

use crate::rtp::DatagramKind;

/// How long regular reports may stay away while media is sent.
pub const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How often media is tried while nothing is reported.
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(1);

/// Reports are regular if so many came with no more than this between them.
const REGULAR_REPORTS: u32 = 5;
const REGULAR_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct Feedback {
    last: Option<Instant>,
    /// How many reports came shortly after the one before.
    regular: u32,
    /// Since when media was sent of which nothing was reported.
    unreported_since: Option<Instant>,
    attempted_at: Option<Instant>,
}

impl Feedback {
    pub(crate) fn on_received(&mut self, datagram: &[u8], now: Instant) {
        if DatagramKind::of(datagram) != DatagramKind::Rtcp {
            return;
        }
        let interval = self.last.map(|last| now.saturating_duration_since(last));
        if interval.is_some_and(|interval| interval <= REGULAR_INTERVAL) {
            self.regular = (self.regular + 1).min(REGULAR_REPORTS);
        }
        self.last = Some(now);
        self.unreported_since = None;
        self.attempted_at = None;
    }

    pub(crate) fn on_media_sent(&mut self, now: Instant) {
        self.unreported_since.get_or_insert(now);
    }

    /// Whether nothing seems to arrive.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        let since = self.unreported_since;
        self.regular >= REGULAR_REPORTS
            && since.is_some_and(|since| now.saturating_duration_since(since) >= FEEDBACK_TIMEOUT)
    }

    /// Whether a pause begins: true once for each.
    pub(crate) fn begins_pause(&mut self, now: Instant) -> bool {
        let begins = self.attempted_at.is_none() && self.is_paused(now);
        if begins {
            // The first attempts are those that led to the pause.
            self.attempted_at = Some(now);
        }
        begins
    }

    /// Whether a frame may begin now. During a pause that is an attempt.
    pub(crate) fn may_begin(&self, now: Instant) -> bool {
        let is_due = |attempted| now.saturating_duration_since(attempted) >= ATTEMPT_INTERVAL;
        !self.is_paused(now) || self.attempted_at.is_some_and(is_due)
    }

    /// A frame begins.
    pub(crate) fn on_begun(&mut self, now: Instant) {
        if self.is_paused(now) {
            self.attempted_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: [u8; 8] = [0x81, 205, 0, 1, 0, 0, 0, 1];
    const SECOND: Duration = Duration::from_secs(1);

    /// Reports that came at this interval, and then media without any.
    fn reported(every: Duration) -> (Feedback, Instant) {
        let mut now = Instant::now();
        let mut feedback = Feedback::default();
        for _ in 0..10 {
            now += every;
            feedback.on_received(&REPORT, now);
        }
        feedback.on_media_sent(now);
        (feedback, now)
    }

    #[test]
    fn regular_reports_that_stop_pause_what_is_sent() {
        let (mut feedback, now) = reported(SECOND / 10);
        assert!(!feedback.begins_pause(now + SECOND));
        assert!(feedback.may_begin(now + SECOND));
        feedback.on_begun(now + SECOND);
        assert!(feedback.begins_pause(now + 2 * SECOND));
        assert!(!feedback.begins_pause(now + 2 * SECOND), "once");
        assert!(!feedback.may_begin(now + 2 * SECOND));
        assert!(!feedback.may_begin(now + 2 * SECOND + SECOND / 2));
        assert!(feedback.may_begin(now + 3 * SECOND), "an attempt");
        assert!(feedback.may_begin(now + 3 * SECOND), "not used yet");
        feedback.on_begun(now + 3 * SECOND);
        assert!(!feedback.may_begin(now + 3 * SECOND + SECOND / 2));
        feedback.on_received(&[0x00, 0x01, 0, 0], now + 4 * SECOND);
        assert!(
            feedback.is_paused(now + 4 * SECOND),
            "checks of the path are no reports"
        );
        feedback.on_received(&REPORT, now + 4 * SECOND);
        assert!(feedback.may_begin(now + 4 * SECOND));
        feedback.on_media_sent(now + 4 * SECOND);
        assert!(feedback.begins_pause(now + 6 * SECOND), "anew");
    }

    #[test]
    fn rare_reports_pause_nothing() {
        let (feedback, now) = reported(5 * SECOND);
        assert!(feedback.may_begin(now + 9 * SECOND));
    }

    #[test]
    fn nothing_is_missed_of_what_was_not_sent() {
        let (mut feedback, now) = reported(SECOND / 10);
        feedback.on_received(&REPORT, now);
        assert!(feedback.may_begin(now + 60 * SECOND));
        feedback.on_media_sent(now + 60 * SECOND);
        assert!(feedback.may_begin(now + 61 * SECOND));
    }
}
