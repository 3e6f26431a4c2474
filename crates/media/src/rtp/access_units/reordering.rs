//! Packets of one track in the order of their sequence numbers, with the gaps that nothing filled in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::rtp::received_packet::ReceivedPacket;

/// Packets that wait behind a gap, at most: those of a quarter of a second at 20 Mbit/s. One more, and the gap is given up.
pub const MAX_WAITING_PACKETS: usize = 512;

/// Bytes of payloads that wait behind a gap, at most.
pub const MAX_WAITING_BYTES: usize = 2 << 20;

/// A sequence number that lies further back than this is not that of a late packet, if its successor follows it: the sender has
/// begun again (RFC 3550, appendix A.1, which has 100, where nothing is sent a second time).
pub const RESTART_DISTANCE: u64 = 4_096;

/// After a track has changed to another source, packets of the one before are late ones for so long.
pub const SOURCE_CHANGE_TIME: Duration = Duration::from_secs(1);

/// A packet, and when it was captured.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) packet: ReceivedPacket,
    pub(super) captured: Instant,
}

/// What comes next in the order of sequence numbers.
#[derive(Debug)]
pub(super) enum Step {
    Packet(Queued),
    /// So many packets did not come.
    Gap(u64),
    /// What comes has nothing to do with what came.
    Restart,
}

#[derive(Debug)]
pub(super) struct Reordering {
    patience: Duration,
    /// The latest time that is known.
    now: Option<Instant>,
    /// None before the first packet.
    source: Option<u32>,
    /// The source before that, and when it changed.
    source_before: Option<(u32, Instant)>,
    /// The sequence number that comes next.
    next: u64,
    /// By their sequence numbers, none of which is below the next.
    waiting: BTreeMap<u64, Queued>,
    waiting_bytes: usize,
    /// Since when a packet is missing.
    gap_since: Option<Instant>,
    restarts: bool,
    /// The number that would show that the sender has begun again.
    restart_at: Option<u64>,
    late: u64,
}

impl Reordering {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            now: None,
            source: None,
            source_before: None,
            next: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            gap_since: None,
            restarts: false,
            restart_at: None,
            late: 0,
        }
    }

    /// Packets that came too late, or twice.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    pub(super) fn handle_packet(&mut self, queued: Queued) {
        let packet = &queued.packet;
        let (source, sequence) = (packet.ssrc, packet.sequence);
        self.handle_timeout(packet.arrived);
        if self.source != Some(source) {
            if self.is_source_before(source, packet.arrived) {
                self.late += 1;
                return;
            }
            self.source_before = self.source.map(|before| (before, packet.arrived));
            self.source = Some(source);
            self.restart(sequence);
        } else if self.is_behind(sequence) {
            let distance = self.next.wrapping_sub(sequence);
            if distance <= RESTART_DISTANCE || self.restart_at != Some(sequence) {
                self.restart_at = (distance > RESTART_DISTANCE).then(|| sequence.wrapping_add(1));
                self.late += 1;
                return;
            }
            self.restart(sequence);
        }
        if self.waiting.contains_key(&sequence) {
            self.late += 1;
            return;
        }
        if sequence != self.next {
            self.gap_since.get_or_insert(packet.arrived);
        }
        self.waiting_bytes += packet.payload.len();
        self.waiting.insert(sequence, queued);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(Some(now));
    }

    pub(super) fn poll_step(&mut self) -> Option<Step> {
        if std::mem::take(&mut self.restarts) {
            return Some(Step::Restart);
        }
        let first = *self.waiting.first_key_value()?.0;
        if first != self.next {
            if !self.gives_up() {
                return None;
            }
            let lost = first.wrapping_sub(self.next);
            self.next = first;
            return Some(Step::Gap(lost));
        }
        let (_, queued) = self.waiting.pop_first()?;
        self.waiting_bytes -= queued.packet.payload.len();
        self.next = first.wrapping_add(1);
        let behind = self.waiting.first_key_value();
        let behind = behind.filter(|(sequence, _)| **sequence != self.next);
        self.gap_since = behind.map(|(_, queued)| queued.packet.arrived);
        Some(Step::Packet(queued))
    }

    /// When the gap is given up.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.gap_since?.checked_add(self.patience)
    }

    fn gives_up(&self) -> bool {
        self.waiting.len() > MAX_WAITING_PACKETS
            || self.waiting_bytes > MAX_WAITING_BYTES
            || self.poll_timeout().is_some_and(|at| Some(at) <= self.now)
    }

    fn is_behind(&self, sequence: u64) -> bool {
        sequence.wrapping_sub(self.next).cast_signed() < 0
    }

    fn is_source_before(&self, source: u32, now: Instant) -> bool {
        self.source_before.is_some_and(|(before, changed_at)| {
            before == source && now.saturating_duration_since(changed_at) < SOURCE_CHANGE_TIME
        })
    }

    fn restart(&mut self, sequence: u64) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.gap_since = None;
        self.restart_at = None;
        self.next = sequence;
        self.restarts = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);
    const MS: Duration = Duration::from_millis(1);

    fn queued(ssrc: u32, sequence: u64, bytes: usize, arrived: Instant) -> Queued {
        let packet = ReceivedPacket {
            mid: Arc::from("0"),
            rid: None,
            ssrc,
            payload_type: 96,
            sequence,
            timestamp: 0,
            marker: false,
            payload: vec![0; bytes].into(),
            arrived,
            orientation: None,
            captured: None,
            dependency_descriptor: None,
            sender_report: None,
        };
        Queued {
            packet,
            captured: arrived,
        }
    }

    /// Steps as text: a sequence number, `-3` for three packets that are lost, `R` for a restart.
    fn steps(reordering: &mut Reordering) -> Vec<String> {
        let step = |step| match step {
            Step::Packet(queued) => queued.packet.sequence.to_string(),
            Step::Gap(lost) => format!("-{lost}"),
            Step::Restart => "R".to_owned(),
        };
        std::iter::from_fn(|| reordering.poll_step())
            .map(step)
            .collect()
    }

    /// A track of which packet 10 came.
    fn begun(now: Instant) -> Reordering {
        let mut reordering = Reordering::new(PATIENCE);
        reordering.handle_packet(queued(1, 10, 1, now));
        assert_eq!(steps(&mut reordering), ["R", "10"]);
        reordering
    }

    #[test]
    fn packets_out_of_order_wait_for_those_before_them() {
        let now = Instant::now();
        let mut reordering = begun(now);
        reordering.handle_packet(queued(1, 12, 1, now));
        reordering.handle_packet(queued(1, 13, 1, now + MS));
        assert_eq!(steps(&mut reordering), [""; 0]);
        assert_eq!(reordering.poll_timeout(), Some(now + PATIENCE));
        reordering.handle_packet(queued(1, 11, 1, now + 2 * MS));
        assert_eq!(steps(&mut reordering), ["11", "12", "13"]);
        assert_eq!(reordering.poll_timeout(), None);
    }

    #[test]
    fn gap_that_nothing_fills_in_time_is_given_up() {
        let now = Instant::now();
        let mut reordering = begun(now);
        reordering.handle_packet(queued(1, 13, 1, now));
        reordering.handle_packet(queued(1, 16, 1, now + 50 * MS));
        reordering.handle_timeout(now + 99 * MS);
        assert_eq!(steps(&mut reordering), [""; 0]);
        reordering.handle_timeout(now + 100 * MS);
        assert_eq!(steps(&mut reordering), ["-2", "13"]);
        // The second is as old as what came behind it.
        assert_eq!(reordering.poll_timeout(), Some(now + 150 * MS));
        reordering.handle_timeout(now + 150 * MS);
        assert_eq!(steps(&mut reordering), ["-2", "16"]);
    }

    #[test]
    fn late_packets_and_duplicates_are_counted_and_dropped() {
        let now = Instant::now();
        let mut reordering = begun(now);
        for sequence in [10, 9, 12, 12] {
            reordering.handle_packet(queued(1, sequence, 1, now));
        }
        assert_eq!(steps(&mut reordering), [""; 0]);
        assert_eq!(reordering.late(), 3);
    }

    #[test]
    fn sequence_numbers_may_pass_zero_backwards() {
        let now = Instant::now();
        let mut reordering = Reordering::new(PATIENCE);
        reordering.handle_packet(queued(1, 0, 1, now));
        reordering.handle_packet(queued(1, u64::MAX, 1, now));
        assert_eq!(steps(&mut reordering), ["R", "0"]);
        assert_eq!(reordering.late(), 1);
    }

    #[test]
    fn waiting_packets_are_bounded() {
        let now = Instant::now();
        let mut reordering = begun(now);
        for sequence in 12..12 + MAX_WAITING_PACKETS as u64 {
            reordering.handle_packet(queued(1, sequence, 1, now));
            assert_eq!(steps(&mut reordering), [""; 0]);
        }
        reordering.handle_packet(queued(1, 10_000, 1, now));
        let given_up = steps(&mut reordering);
        assert_eq!(given_up[..2], ["-1", "12"]);
        assert_eq!(given_up.len(), 1 + MAX_WAITING_PACKETS);
        assert_eq!(reordering.waiting.len(), 1);
    }

    #[test]
    fn waiting_bytes_are_bounded() {
        let now = Instant::now();
        let mut reordering = begun(now);
        reordering.handle_packet(queued(1, 12, MAX_WAITING_BYTES, now));
        assert_eq!(steps(&mut reordering), [""; 0]);
        reordering.handle_packet(queued(1, 14, 1, now));
        assert_eq!(steps(&mut reordering), ["-1", "12"]);
        assert_eq!(reordering.waiting_bytes, 1);
    }

    #[test]
    fn sender_that_begins_again_is_followed_at_the_second_packet() {
        let now = Instant::now();
        let mut reordering = begun(now);
        reordering.handle_packet(queued(1, 9_000, 1, now));
        reordering.handle_timeout(now + PATIENCE);
        assert_eq!(steps(&mut reordering), ["-8989", "9000"]);
        reordering.handle_packet(queued(1, 20, 1, now));
        assert_eq!(steps(&mut reordering), [""; 0]);
        reordering.handle_packet(queued(1, 21, 1, now));
        assert_eq!(steps(&mut reordering), ["R", "21"]);
        // Less far back, they are late ones.
        reordering.handle_packet(queued(1, 5, 1, now));
        reordering.handle_packet(queued(1, 6, 1, now));
        assert_eq!(steps(&mut reordering), [""; 0]);
    }

    #[test]
    fn other_source_begins_again_and_the_one_before_is_late_for_a_while() {
        let now = Instant::now();
        let mut reordering = begun(now);
        reordering.handle_packet(queued(2, 5, 1, now));
        assert_eq!(steps(&mut reordering), ["R", "5"]);
        reordering.handle_packet(queued(1, 11, 1, now));
        assert_eq!(steps(&mut reordering), [""; 0]);
        let later = now + SOURCE_CHANGE_TIME;
        reordering.handle_packet(queued(1, 12, 1, later));
        assert_eq!(steps(&mut reordering), ["R", "12"]);
    }
}
