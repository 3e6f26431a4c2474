//! How one stream is received, as receiver reports tell it (RFC 3550).

use std::time::Instant;

use super::arrivals::extend;
use super::counter::{Packet, StreamCounter};
use wigwag_media::rtp::Header;

/// Where counting begins, so that a packet from before the first one has a number.
const FIRST_ROUND: u64 = 1 << 16;

/// One stream, and what is to be reported of it.
pub(super) struct Reception {
    pub(super) source: u32,
    /// Which of those that were agreed on.
    pub(super) section: usize,
    clock: u32,
    pub(super) counter: StreamCounter,
    first: u64,
    last: u64,
    received: u64,
    /// What the report before said of `expected` and `received`.
    reported: (u64, u64),
    /// In units of the clock (RFC 3550, A.8).
    jitter: f64,
    transit: Option<u32>,
    /// The middle bits of the sender's clock in its last report, and when that came.
    pub(super) sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Begins with its first packet.
    pub(super) fn new(section: usize, clock: u32, counter: StreamCounter, packet: &Header) -> Self {
        let first = FIRST_ROUND + u64::from(packet.sequence);
        Self {
            source: packet.source,
            section,
            clock,
            counter,
            first,
            last: first,
            received: 0,
            reported: (0, 0),
            jitter: 0.0,
            transit: None,
            sender_report: None,
        }
    }

    pub(super) fn on_packet(&mut self, header: &Header, bytes: usize, now: Instant) {
        let sequence = extend(self.last, header.sequence);
        self.last = self.last.max(sequence);
        self.received += 1;
        self.counter.push(&Packet {
            sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            bytes,
            // It stands in the payload, which is encrypted.
            key: false,
            arrived: now,
        });
        let since = now.saturating_duration_since(self.counter.started());
        let arrived = (since.as_secs_f64() * f64::from(self.clock)) as u64 as u32;
        let transit = arrived.wrapping_sub(header.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before) as i32;
            self.jitter += (f64::from(change.unsigned_abs()) - self.jitter) / 16.0;
        }
    }

    /// What a receiver report says of it (RFC 3550, 6.4.1 and A.3).
    pub(super) fn block(&mut self, now: Instant) -> [u8; 24] {
        let expected = self.last - self.first + 1;
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let expected_since = expected - expected_before;
        let received_since = self.received - received_before;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since << 8).checked_div(expected_since).unwrap_or(0);
        let lost = expected.saturating_sub(self.received).min(0x7f_ffff);
        let (sender_clock, delay) = match self.sender_report {
            Some((clock, came)) => {
                let delay = now.saturating_duration_since(came).as_secs_f64() * 65_536.0;
                (clock, delay as u32)
            }
            None => (0, 0),
        };
        let words = [
            self.source,
            (fraction.min(255) as u32) << 24 | lost as u32,
            (self.last - FIRST_ROUND) as u32,
            self.jitter as u32,
            sender_clock,
            delay,
        ];
        let mut block = [0; 24];
        for (place, word) in block.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        block
    }
}
