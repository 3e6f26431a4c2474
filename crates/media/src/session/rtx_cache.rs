//! How many packets of a stream can be sent again.
//!
//! A packet takes some 440 bytes in str0m, its payload not counted, which is shared. So how many are kept follows the rate, by
//! large steps: those that were kept before a step cannot be sent again after it. A burst is no reason for one.

use std::time::{Duration, Instant};

use str0m::rtp::StreamTx;

use crate::ids::Bitrate;

/// For how long a packet can be sent again: later it would come too late to be shown. Also what probes of a path are made
/// of: with less, a narrow path is found out too slowly.
const AGE: Duration = Duration::from_millis(500);

/// For how long a rate must have been that high.
const SUSTAINED: Duration = Duration::from_secs(3);

/// So many are kept up to 2.3 Mbit/s; as many as GStreamer's `rtprtxsend` keeps at any rate, about.
const FEWEST: usize = 104;

/// Enough for 18 Mbit/s.
const MOST: usize = 1_024;

/// Bytes of a packet of video with its headers, about.
const PACKET: u64 = 1_100;

/// At most this share of all bytes is spent on sending again (str0m's default).
const SHARE: f32 = 0.15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtxCache {
    packets: usize,
    /// Since when these are too few, and how many it would have taken at the least.
    too_few: Option<(Instant, usize)>,
}

impl RtxCache {
    /// As many as at the start, or none.
    pub(super) fn new(any: bool) -> Self {
        Self {
            packets: if any { FEWEST } else { 0 },
            too_few: None,
        }
    }

    /// Has str0m keep as many; it forgets those that it kept.
    pub(super) fn prepare(self, stream: &mut StreamTx) {
        stream.set_rtx_cache(self.packets, AGE, Some(SHARE));
    }

    /// Takes the rate of the stream, several times in a second; true if str0m is to keep more.
    pub(super) fn follow(&mut self, rate: Bitrate, now: Instant) -> bool {
        let millis = u64::try_from(AGE.as_millis()).unwrap_or(u64::MAX);
        let sent = rate.saturating_mul(millis) / (8_000 * PACKET);
        let sent = usize::try_from(sent).unwrap_or(usize::MAX).min(MOST);
        // A quarter more is as good: the oldest are the least of use.
        if self.packets == 0 || sent * 4 <= self.packets * 5 {
            self.too_few = None;
            return false;
        }
        let (since, least) = self.too_few.unwrap_or((now, sent));
        self.too_few = Some((since, least.min(sent)));
        if now.saturating_duration_since(since) < SUSTAINED {
            return false;
        }
        let before = self.packets;
        self.packets = least.min(sent).next_power_of_two().max(before);
        self.too_few = None;
        self.packets > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBIT: Bitrate = 1_000_000;
    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn it_follows_the_rate_by_large_steps() {
        let mut now = Instant::now();
        let mut rtx_cache = RtxCache::new(true);
        let mut at = |rate| {
            let before = rtx_cache.packets;
            let mut steps = 0;
            for _ in 0..40 {
                steps += usize::from(rtx_cache.follow(rate, now));
                now += TENTH;
            }
            assert_eq!(steps, usize::from(rtx_cache.packets > before));
            rtx_cache.packets
        };
        assert_eq!([at(0), at(2 * MBIT), at(9 * MBIT / 4)], [FEWEST; 3]);
        assert_eq!([at(4 * MBIT), at(MBIT), at(5 * MBIT)], [256; 3]);
        assert_eq!([at(16 * MBIT), at(Bitrate::MAX)], [MOST; 2]);
    }

    #[test]
    fn a_burst_changes_nothing() {
        let mut now = Instant::now();
        let mut rtx_cache = RtxCache::new(true);
        for number in 0..600 {
            // As when a film begins again.
            let rate = if number % 25 < 20 { 8 * MBIT } else { 2 * MBIT };
            assert!(!rtx_cache.follow(rate, now));
            now += TENTH;
        }
    }

    #[test]
    fn who_takes_nothing_again_needs_no_memory() {
        let mut rtx_cache = RtxCache::new(false);
        let now = Instant::now();
        assert!(!rtx_cache.follow(Bitrate::MAX, now));
        assert!(!rtx_cache.follow(Bitrate::MAX, now + 2 * SUSTAINED));
        assert_eq!(rtx_cache.packets, 0);
    }
}
