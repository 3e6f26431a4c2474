//! When the packets of video go out: a key frame of a hundred packets at once would overflow queues on the path.
//!
//! A leaky bucket in front of str0m. str0m has one of its own, which drains at 1.1 times the estimate; at that,
//! a key frame stops the picture for a quarter of a second on paths that are idle. This one drains as libwebrtc's does. What is sent
//! again and sound do not wait here, and sound is not counted.

use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// How much faster than the estimate packets go out, in percent (libwebrtc's `PacedSender::kDefaultPaceMultiplier`).
const FACTOR_PERCENT: u64 = 250;

/// What may go out at once stands for so much time at that rate (libwebrtc's `kMaxBurstInterval` plus its usual burst).
const BURST: Duration = Duration::from_millis(40);

/// Packets then go out together for so much time: fewer wake-ups, fuller batches (libwebrtc's pacer wakes as often).
const INTERVAL: Duration = Duration::from_millis(5);

/// Headers, their extensions and encryption of a packet, in bytes.
const OVERHEAD: usize = 40;

#[derive(Debug)]
pub(crate) struct Pacer {
    /// In bit/s; none without congestion control, and then nothing waits.
    rate: Option<Bitrate>,
    /// When all that went out would have gone at that rate.
    drained_at: Option<Instant>,
    /// Whether nothing goes out until the bucket has drained a little.
    holds: bool,
}

impl Pacer {
    /// Paces at what the path is taken to carry at first.
    pub(crate) fn new(estimate: Option<Bitrate>) -> Self {
        let mut pacer = Self {
            rate: None,
            drained_at: None,
            holds: false,
        };
        if let Some(estimate) = estimate {
            pacer.set_estimate(estimate);
        }
        pacer
    }

    /// Whether packets are paced at all.
    pub(crate) fn is_on(&self) -> bool {
        self.rate.is_some()
    }

    /// Takes what the path can carry, as measured at last.
    pub(crate) fn set_estimate(&mut self, estimate: Bitrate) {
        self.rate = Some((estimate * FACTOR_PERCENT / 100).max(1));
    }

    /// Whether a packet may go out now.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        if self.holds && self.resumes_at().is_none_or(|at| at <= now) {
            self.holds = false;
        }
        !self.holds
    }

    /// When packets may go out again, if they may not now.
    pub(crate) fn resumes_at(&self) -> Option<Instant> {
        let ahead = BURST.saturating_sub(INTERVAL);
        self.drained_at
            .filter(|_| self.holds)
            .map(|at| at.checked_sub(ahead).unwrap_or(at))
    }

    /// A packet with so large a payload goes out.
    pub(crate) fn on_sent(&mut self, payload: usize, now: Instant) {
        let Some(rate) = self.rate else {
            return;
        };
        let bits = (payload + OVERHEAD) as u64 * 8;
        let takes = Duration::from_nanos(bits * 1_000_000_000 / rate);
        let drained = self.drained_at.map_or(now, |at| at.max(now)) + takes;
        self.drained_at = Some(drained);
        self.holds = drained > now + BURST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PAYLOAD: usize = 1_250 - OVERHEAD;

    /// Packets that go out at once.
    fn burst(pacer: &mut Pacer, now: Instant) -> usize {
        let mut sent = 0;
        while pacer.may_send(now) && sent < 1_000 {
            pacer.on_sent(PAYLOAD, now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_two_and_a_half_times_the_estimate() {
        // 1 Mbit/s is 250 packets a second with the factor, ten in a burst of 40 ms.
        let mut pacer = Pacer::new(Some(1_000_000));
        let start = Instant::now();
        assert_eq!(burst(&mut pacer, start), 11);
        let mut now = start;
        let mut sent = 0;
        let mut wakes = 0;
        while now < start + 1_000 * MS {
            now = pacer.resumes_at().expect("it holds");
            sent += burst(&mut pacer, now);
            wakes += 1;
        }
        assert!((245..=255).contains(&sent), "{sent} packets in a second");
        assert!(wakes <= 200, "{wakes} wake-ups in a second");
    }

    #[test]
    fn what_was_saved_up_is_no_more_than_a_burst() {
        let mut pacer = Pacer::new(Some(1_000_000));
        let start = Instant::now();
        burst(&mut pacer, start);
        assert_eq!(burst(&mut pacer, start + 10_000 * MS), 11);
    }

    #[test]
    fn a_new_estimate_counts_from_the_next_packet() {
        let mut pacer = Pacer::new(Some(1_000_000));
        let start = Instant::now();
        burst(&mut pacer, start);
        pacer.set_estimate(4_000_000);
        let later = pacer.resumes_at().expect("it holds");
        let sent = burst(&mut pacer, later);
        assert!((5..=7).contains(&sent), "{sent} packets in 5 ms");
    }

    #[test]
    fn without_congestion_control_nothing_waits() {
        let mut pacer = Pacer::new(None);
        assert!(!pacer.is_on());
        assert_eq!(burst(&mut pacer, Instant::now()), 1_000);
        assert_eq!(pacer.resumes_at(), None);
    }
}
