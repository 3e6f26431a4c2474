//! What packets say of time beside their RTP timestamp: the playout delay and the absolute capture time.
//!
//! Both are header extensions that a viewer may leave out of its description. Values are then given to str0m as
//! well, which writes only what the viewer took.

use std::time::{Duration, Instant, SystemTime};

use str0m::media::MediaTime;
use str0m::rtp::{AbsCaptureTime, ExtensionValues};

/// The playout-delay extension; for video only, since nothing reads it for audio.
pub(crate) const PLAYOUT_DELAY_URI: &str =
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// The absolute-capture-time extension.
pub(crate) const CAPTURE_TIME_URI: &str =
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// The extension counts in steps of 10 ms.
const STEP: Duration = Duration::from_millis(10);

/// The longest delay that the extension's 12 bits can express: 40.95 s.
pub const MAX_PLAYOUT_DELAY: Duration = Duration::from_millis(4_095 * 10);

/// How often a stream says when it was captured; receivers interpolate between (libwebrtc for up to 5 s).
const CAPTURE_TIME_INTERVAL: Duration = Duration::from_secs(1);

/// How long a receiver may hold back pictures to even out the network, at least and at most: the values of the
/// playout-delay header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutDelay {
    min: Duration,
    max: Duration,
}

impl PlayoutDelay {
    /// Pictures are shown as soon as they are decoded.
    pub const NONE: Self = Self {
        min: Duration::ZERO,
        max: Duration::ZERO,
    };

    /// A range, in steps of 10 ms; what is between them is rounded down. None if it is empty or goes beyond
    /// [`MAX_PLAYOUT_DELAY`].
    pub fn new(min: Duration, max: Duration) -> Option<Self> {
        (min <= max && max <= MAX_PLAYOUT_DELAY).then_some(Self { min, max })
    }

    /// At least so long.
    pub fn min(self) -> Duration {
        self.min
    }

    /// At most so long.
    pub fn max(self) -> Duration {
        self.max
    }
}

/// What the packets of one stream say of time.
#[derive(Debug)]
pub(crate) struct Timing {
    playout_delay: Option<PlayoutDelay>,
    clock: ClockReference,
    capture_time_sent_at: Option<Instant>,
}

impl Timing {
    pub(crate) fn new(playout_delay: Option<PlayoutDelay>, clock: ClockReference) -> Self {
        Self {
            playout_delay,
            clock,
            capture_time_sent_at: None,
        }
    }

    /// The values for the first packet of a frame, which speaks for all of it.
    pub(crate) fn of_frame(&mut self, captured: Instant, now: Instant) -> ExtensionValues {
        let steps = |delay: Duration| {
            let steps = delay.as_millis() / STEP.as_millis();
            MediaTime::from_hundredths(u64::try_from(steps).unwrap_or_default())
        };
        let due = self
            .capture_time_sent_at
            .is_none_or(|sent| now.saturating_duration_since(sent) >= CAPTURE_TIME_INTERVAL);
        if due {
            self.capture_time_sent_at = Some(now);
        }
        ExtensionValues {
            play_delay_min: self.playout_delay.map(|delay| steps(delay.min)),
            play_delay_max: self.playout_delay.map(|delay| steps(delay.max)),
            abs_capture_time: due.then(|| self.clock.capture_time(captured)),
            ..ExtensionValues::default()
        }
    }
}

/// A moment by two clocks: a monotonic one and the system's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReference {
    instant: Instant,
    system: SystemTime,
}

impl ClockReference {
    pub(crate) fn now() -> Self {
        Self {
            instant: Instant::now(),
            system: SystemTime::now(),
        }
    }

    /// A monotonic time by the system's clock as it was at this moment.
    fn capture_time(self, captured: Instant) -> AbsCaptureTime {
        let Self { instant, system } = self;
        let capture_time = match captured.checked_duration_since(instant) {
            Some(after) => system.checked_add(after),
            None => system.checked_sub(instant.saturating_duration_since(captured)),
        };
        AbsCaptureTime {
            capture_time: capture_time.unwrap_or(system),
            clock_offset: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn playout_delay_beyond_its_bits_or_upside_down_is_none() {
        assert!(PlayoutDelay::new(Duration::ZERO, MAX_PLAYOUT_DELAY).is_some());
        assert!(PlayoutDelay::new(Duration::ZERO, MAX_PLAYOUT_DELAY + MS).is_none());
        assert!(PlayoutDelay::new(20 * MS, 10 * MS).is_none());
    }

    #[test]
    fn frames_carry_the_playout_delay_in_steps_of_ten_milliseconds() {
        let now = Instant::now();
        let mut timing = Timing::new(PlayoutDelay::new(25 * MS, 400 * MS), ClockReference::now());
        let values = timing.of_frame(now, now);
        assert_eq!(values.play_delay_min, Some(MediaTime::from_hundredths(2)));
        assert_eq!(values.play_delay_max, Some(MediaTime::from_hundredths(40)));
        let values = Timing::new(None, ClockReference::now()).of_frame(now, now);
        assert_eq!((values.play_delay_min, values.play_delay_max), (None, None));
    }

    #[test]
    fn capture_times_are_sent_once_a_second_and_keep_their_distance() {
        let start = Instant::now();
        let mut timing = Timing::new(None, ClockReference::now());
        let mut sent = Vec::new();
        for frame in 0..90 {
            let now = start + frame * 33 * MS;
            let values = timing.of_frame(now - 5 * MS, now);
            sent.extend(values.abs_capture_time.map(|time| (now, time.capture_time)));
        }
        assert_eq!(sent.len(), 3);
        let between = sent[1].1.duration_since(sent[0].1).expect("it goes on");
        assert_eq!(between, sent[1].0 - sent[0].0);
    }
}
