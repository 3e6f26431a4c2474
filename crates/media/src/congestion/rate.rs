//! What is sent in a second, by two marks on a counter: nothing is done for a packet but counting it.

use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// How far the marks are apart: what is read is of this time at least, and of twice as much at most.
const STRIDE: Duration = Duration::from_millis(500);

/// A rate of less time than this says nothing: frames come in bursts.
const SHORTEST: Duration = Duration::from_millis(100);

/// The current rate of a counter that only grows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    older: Option<Mark>,
    newer: Option<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    bytes: u64,
}

impl Rate {
    /// Takes the counter, several times in a second.
    pub(crate) fn mark(&mut self, bytes: u64, now: Instant) {
        let newer = self.newer;
        if newer.is_none_or(|newer| now.saturating_duration_since(newer.at) >= STRIDE) {
            self.older = newer;
            self.newer = Some(Mark { at: now, bytes });
        }
    }

    /// The rate in bit/s over the last second, or the second half of it; 0 while nothing is known.
    pub(crate) fn bitrate(&self, bytes: u64, now: Instant) -> Bitrate {
        let Some(begin) = self.older.or(self.newer) else {
            return 0;
        };
        let time = now.saturating_duration_since(begin.at);
        if time < SHORTEST {
            return 0;
        }
        let bits = u128::from(bytes.saturating_sub(begin.bytes)) * 8;
        let rate = bits * 1_000_000 / time.as_micros();
        rate.try_into().unwrap_or(Bitrate::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    /// The rates that are read every tenth of a second, of what is sent in each.
    fn rates(sent: impl IntoIterator<Item = u64>) -> Vec<Bitrate> {
        let mut now = Instant::now();
        let (mut rate, mut bytes) = (Rate::default(), 0);
        let read = sent.into_iter().map(|sent| {
            now += TENTH;
            bytes += sent;
            rate.mark(bytes, now);
            rate.bitrate(bytes, now)
        });
        read.collect()
    }

    #[test]
    fn a_steady_rate_is_seen_from_the_start() {
        let rates = rates([12_500; 100]);
        assert_eq!(rates[0], 0, "nothing is known yet");
        assert!(
            rates[1..].iter().all(|rate| *rate == 1_000_000),
            "{rates:?}"
        );
    }

    #[test]
    fn a_change_is_seen_within_a_second() {
        let rates = rates((0..60).map(|tenth| if tenth < 30 { 12_500 } else { 2_500 }));
        assert_eq!(rates[29], 1_000_000);
        assert!(rates[41..].iter().all(|rate| *rate == 200_000), "{rates:?}");
        let falls = rates[29..].windows(2).all(|pair| pair[1] <= pair[0]);
        assert!(falls, "{rates:?}");
    }

    #[test]
    fn silence_is_no_rate() {
        let rates = rates((0..40).map(|tenth| if tenth < 20 { 12_500 } else { 0 }));
        assert!(rates[31..].iter().all(|rate| *rate == 0), "{rates:?}");
    }

    #[test]
    fn numbers_out_of_the_ordinary_do_no_harm() {
        let now = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.bitrate(1_000, now), 0);
        rate.mark(u64::MAX, now);
        assert_eq!(rate.bitrate(0, now + TENTH), 0);
        let mut rate = Rate::default();
        rate.mark(0, now);
        assert_eq!(rate.bitrate(u64::MAX, now + TENTH), Bitrate::MAX);
        assert_eq!(rate.bitrate(1, now), 0, "no time went by");
    }
}
