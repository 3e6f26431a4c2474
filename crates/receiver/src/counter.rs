//! What arrives of one stream, packet by packet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::StreamKind;

/// How long a packet that is missing is waited for: it may be sent again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Packets at most that wait for a missing one.
const MAX_WAITING_PACKETS: usize = 4_096;

/// What was counted of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// The media identification of its section (RFC 8843).
    pub mid: String,
    /// What it carries.
    pub kind: StreamKind,
    /// Packets, without those that came twice.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that never came, neither at first nor again.
    pub missing: u64,
    /// Frames of which every packet came. Of sound, each packet is one.
    pub frames: u64,
    /// Those that one can begin with; none are known of a viewer that does not decrypt.
    pub key_frames: u64,
    /// The longest time from one whole frame to the next.
    pub longest_gap: Duration,
    /// From the start of the viewer to the first whole frame.
    pub first_frame_after: Option<Duration>,
    /// From the start of the viewer to the latest whole frame.
    pub last_frame_after: Option<Duration>,
}

/// Puts the packets of a stream in order, and counts.
#[derive(Debug)]
pub(super) struct StreamCounter {
    report: StreamReport,
    started: Instant,
    /// Packets after a missing one.
    waiting: BTreeMap<u64, Packet>,
    next: Option<u64>,
    frame: Option<Begun>,
    last_frame: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// Its number, without wrapping.
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    /// Of its payload.
    pub(super) bytes: usize,
    /// Whether a key frame begins with it.
    pub(super) key: bool,
    pub(super) arrived: Instant,
}

/// A frame of which some packets came.
#[derive(Debug)]
struct Begun {
    timestamp: u32,
    key: bool,
    whole: bool,
    arrived: Instant,
}

impl StreamCounter {
    pub(super) fn new(mid: &str, kind: StreamKind, started: Instant) -> Self {
        Self {
            report: StreamReport {
                mid: mid.to_owned(),
                kind,
                packets: 0,
                bytes: 0,
                missing: 0,
                frames: 0,
                key_frames: 0,
                longest_gap: Duration::ZERO,
                first_frame_after: None,
                last_frame_after: None,
            },
            started,
            waiting: BTreeMap::new(),
            next: None,
            frame: None,
            last_frame: None,
        }
    }

    pub(super) fn mid(&self) -> &str {
        &self.report.mid
    }

    pub(super) fn kind(&self) -> StreamKind {
        self.report.kind
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn report(&self) -> StreamReport {
        self.report.clone()
    }

    pub(super) fn push(&mut self, packet: &Packet) {
        let sequence = packet.sequence;
        let next = *self.next.get_or_insert(sequence);
        if sequence < next || self.waiting.contains_key(&sequence) {
            return;
        }
        self.report.packets += 1;
        self.report.bytes += packet.bytes as u64;
        if sequence == next && self.waiting.is_empty() {
            // By far the most, and the map would allocate for each.
            self.next = Some(next + 1);
            return self.count(packet, false);
        }
        self.waiting.insert(sequence, *packet);
        self.go_on();
        if self.waiting.len() > MAX_WAITING_PACKETS {
            self.skip();
        }
    }

    /// Stops waiting for packets that are missing for too long; true if there were some.
    pub(super) fn give_up(&mut self, now: Instant) -> bool {
        let mut lost = false;
        while self.deadline().is_some_and(|at| at <= now) {
            self.skip();
            lost = true;
        }
        lost
    }

    /// When to call [`give_up`](Self::give_up).
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, first) = self.waiting.first_key_value()?;
        Some(first.arrived + PATIENCE)
    }

    fn skip(&mut self) {
        let Some(first) = self.waiting.first_key_value().map(|(first, _)| *first) else {
            return;
        };
        let next = self.next.unwrap_or(first);
        self.report.missing += first.saturating_sub(next);
        self.next = Some(first);
        // The frame that was begun may go on after the gap, and what comes after it may have begun in it.
        self.frame = None;
        self.go_on_after(true);
    }

    fn go_on(&mut self) {
        self.go_on_after(false);
    }

    fn go_on_after(&mut self, mut gap: bool) {
        while let Some(next) = self.next
            && let Some(packet) = self.waiting.remove(&next)
        {
            self.next = Some(next + 1);
            self.count(&packet, gap);
            gap = false;
        }
    }

    fn count(&mut self, packet: &Packet, gap: bool) {
        if self.report.kind == StreamKind::Audio {
            return self.complete(true, packet.arrived);
        }
        let continues = |begun: &Begun| begun.timestamp == packet.timestamp;
        if !self.frame.as_ref().is_some_and(continues) {
            // One without a marker ends where another begins.
            if let Some(begun) = self.frame.take().filter(|begun| begun.whole) {
                self.complete(begun.key, begun.arrived);
            }
            self.frame = Some(Begun {
                timestamp: packet.timestamp,
                key: false,
                whole: !gap || packet.key,
                arrived: packet.arrived,
            });
        }
        if let Some(begun) = &mut self.frame {
            begun.key |= packet.key;
            begun.arrived = begun.arrived.max(packet.arrived);
        }
        if packet.marker
            && let Some(begun) = self.frame.take().filter(|begun| begun.whole)
        {
            self.complete(begun.key, begun.arrived);
        }
    }

    fn complete(&mut self, key: bool, arrived: Instant) {
        self.report.frames += 1;
        self.report.key_frames += u64::from(key);
        match self.last_frame {
            Some(last) => {
                let gap = arrived.saturating_duration_since(last);
                self.report.longest_gap = self.report.longest_gap.max(gap);
            }
            None => {
                let after = arrived.saturating_duration_since(self.started);
                self.report.first_frame_after = Some(after);
            }
        }
        let last = self.last_frame.map_or(arrived, |last| last.max(arrived));
        self.last_frame = Some(last);
        self.report.last_frame_after = Some(last.saturating_duration_since(self.started));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn counter(kind: StreamKind, started: Instant) -> StreamCounter {
        StreamCounter::new("0", kind, started)
    }

    /// Packets of two to a frame: sequence numbers in the order of arrival, 10 ms apart.
    fn arrive(counter: &mut StreamCounter, start: Instant, sequences: &[u64]) {
        for (number, sequence) in sequences.iter().enumerate() {
            let at = start + MS * 10 * (number as u32 + 1);
            let frame = (sequence / 2) as u32;
            counter.push(&Packet {
                sequence: *sequence,
                timestamp: frame * 3_000,
                marker: sequence % 2 == 1,
                bytes: 2,
                key: *sequence == 0,
                arrived: at,
            });
        }
    }

    #[test]
    fn whole_frames_are_counted() {
        let start = Instant::now();
        let mut counter = counter(StreamKind::Video, start);
        arrive(&mut counter, start, &[0, 1, 2, 3, 4]);
        let report = counter.report();
        assert_eq!((report.packets, report.bytes), (5, 10));
        assert_eq!(
            (report.frames, report.key_frames, report.missing),
            (2, 1, 0)
        );
        assert_eq!(report.first_frame_after, Some(20 * MS));
        assert_eq!(report.last_frame_after, Some(40 * MS));
        assert_eq!(report.longest_gap, 20 * MS);
    }

    #[test]
    fn packets_out_of_order_and_twice_are_no_loss() {
        let start = Instant::now();
        let mut counter = counter(StreamKind::Video, start);
        arrive(&mut counter, start, &[0, 3, 2, 3, 1, 0, 5, 4]);
        let report = counter.report();
        assert_eq!((report.packets, report.frames, report.missing), (6, 3, 0));
        assert!(!counter.give_up(start + PATIENCE * 9));
    }

    #[test]
    fn what_is_missing_for_too_long_is_given_up() {
        let start = Instant::now();
        let mut counter = counter(StreamKind::Video, start);
        arrive(&mut counter, start, &[0, 1, 2, 5, 6, 7]);
        assert_eq!(counter.report().frames, 1);
        let deadline = counter.deadline().expect("it waits");
        assert!(!counter.give_up(deadline - MS));
        assert!(counter.give_up(deadline));
        let report = counter.report();
        assert_eq!(
            (report.frames, report.missing),
            (2, 2),
            "one is whole again"
        );
        arrive(&mut counter, start, &[3]);
        assert_eq!(counter.report().packets, 6, "too late");
    }

    #[test]
    fn every_packet_of_sound_is_a_frame() {
        let start = Instant::now();
        let mut counter = counter(StreamKind::Audio, start);
        arrive(&mut counter, start, &[0, 1, 2]);
        assert_eq!(counter.report().frames, 3);
    }

    #[test]
    fn what_waits_is_bounded() {
        let start = Instant::now();
        let mut counter = counter(StreamKind::Video, start);
        let mut sequences = vec![0];
        sequences.extend(10..20 + MAX_WAITING_PACKETS as u64);
        arrive(&mut counter, start, &sequences);
        assert_eq!(counter.waiting.len(), 0);
        assert_eq!(counter.report().missing, 9);
    }
}
