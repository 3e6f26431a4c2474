//! How many packets of a stream can be sent again.
//!
//! A packet takes some 440 bytes in the library, its payload not counted, which is shared. So how many are kept follows the rate, by
//! large steps: those that were kept before a step cannot be sent again after it.

use std::time::Duration;

use str0m::rtp::StreamTx;

use crate::demand::Bitrate;

/// For how long a packet can be sent again: later it would come too late to be shown.
const AGE: Duration = Duration::from_millis(500);

/// So many are kept up to 2.8 Mbit/s.
const FEWEST: usize = 128;

/// Enough for 18 Mbit/s.
const MOST: usize = 1_024;

/// Bytes of a packet of video with its headers, about.
const PACKET: u64 = 1_100;

/// At most this share of all bytes is spent on sending again (the library's default).
const SHARE: f32 = 0.15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resendable {
    packets: usize,
}

impl Resendable {
    /// As many as at the start, or none.
    pub(super) fn new(any: bool) -> Self {
        Self {
            packets: if any { FEWEST } else { 0 },
        }
    }

    /// Has the library keep as many; it forgets those that it kept.
    pub(super) fn prepare(self, stream: &mut StreamTx) {
        stream.set_rtx_cache(self.packets, AGE, Some(SHARE));
    }

    /// Takes the rate of the stream; true if the library is to keep more.
    pub(super) fn follow(&mut self, rate: Bitrate) -> bool {
        let millis = u64::try_from(AGE.as_millis()).unwrap_or(u64::MAX);
        let sent = rate.saturating_mul(millis) / (8_000 * PACKET);
        let sent = usize::try_from(sent).unwrap_or(usize::MAX).min(MOST);
        // A quarter more is as good: the oldest are the least of use.
        if self.packets == 0 || sent * 4 <= self.packets * 5 {
            return false;
        }
        let before = self.packets;
        self.packets = sent.next_power_of_two().max(before);
        self.packets > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_rate_by_large_steps() {
        const MBIT: Bitrate = 1_000_000;
        let mut resendable = Resendable::new(true);
        let mut at = |rate| {
            let before = resendable.packets;
            assert_eq!(resendable.follow(rate), resendable.packets > before);
            resendable.packets
        };
        assert_eq!([at(0), at(2 * MBIT), at(5 * MBIT / 2)], [FEWEST; 3]);
        assert_eq!([at(4 * MBIT), at(MBIT), at(5 * MBIT)], [256; 3]);
        assert_eq!([at(16 * MBIT), at(Bitrate::MAX)], [MOST; 2]);
    }

    #[test]
    fn who_takes_nothing_again_needs_no_memory() {
        let mut resendable = Resendable::new(false);
        assert!(!resendable.follow(Bitrate::MAX));
        assert_eq!(resendable.packets, 0);
    }
}
