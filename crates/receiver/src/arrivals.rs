//! When packets arrived, as transport-wide congestion control reports it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets at most that one report is about.
const MAX_PACKETS: u64 = 1_000;

/// Where counting begins, so that a packet from before the first one has a number.
const FIRST_ROUND: u64 = 1 << 16;

/// Units of the protocol.
const DELTA: u128 = 250;
const REFERENCE: u128 = 64_000;

/// Packets in one chunk that says of each what became of it, and in one that says it of all.
const IN_VECTOR: usize = 7;
const IN_RUN: usize = 0x1fff;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    NotReceived = 0,
    SmallDelta = 1,
    LargeDelta = 2,
}

/// Arrivals that were not reported yet.
pub(super) struct Arrivals {
    started: Instant,
    waiting: BTreeMap<u64, Instant>,
    /// The first packet that no report was about.
    next: Option<u64>,
    last: u64,
    reports: u8,
}

impl Arrivals {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            waiting: BTreeMap::new(),
            next: None,
            last: FIRST_ROUND,
            reports: 0,
        }
    }

    /// A packet with this number came. One that an earlier report was about stays lost.
    pub(super) fn push(&mut self, number: u16, arrived: Instant) {
        let number = match self.next {
            None => FIRST_ROUND + u64::from(number),
            Some(_) => extend(self.last, number),
        };
        self.last = self.last.max(number);
        let next = *self.next.get_or_insert(number);
        if number >= next {
            self.waiting.entry(number).or_insert(arrived);
        }
    }

    /// The payload of a report (what follows the two sources) on what came since the one before.
    pub(super) fn report(&mut self) -> Option<Vec<u8>> {
        let (first, first_arrival) = self.waiting.first_key_value()?;
        let (first, first_arrival) = (*first, *first_arrival);
        let (last, _) = self.waiting.last_key_value()?;
        // Of many that are missing in a row, the sender hears by the next number.
        let base = self.next.unwrap_or(first);
        let base = if first - base > MAX_PACKETS / 2 {
            first
        } else {
            base
        };
        let end = (last + 1).min(base + MAX_PACKETS);
        let reference = self.micros(first_arrival) / REFERENCE;
        let mut before = reference * REFERENCE / DELTA;
        let mut statuses = Vec::with_capacity((end - base) as usize);
        let mut deltas = Vec::with_capacity((end - base) as usize);
        for number in base..end {
            let Some(arrived) = self.waiting.remove(&number) else {
                statuses.push(Status::NotReceived);
                continue;
            };
            let at = self.micros(arrived) / DELTA;
            let delta = at as i128 - before as i128;
            // One that does not fit is as good as lost: nothing can be told of it.
            if let Ok(small) = u8::try_from(delta) {
                statuses.push(Status::SmallDelta);
                deltas.push(small);
            } else if let Ok(large) = i16::try_from(delta) {
                statuses.push(Status::LargeDelta);
                deltas.extend(large.to_be_bytes());
            } else {
                statuses.push(Status::NotReceived);
                continue;
            }
            before = at;
        }
        self.next = Some(end);
        let mut report = Vec::with_capacity(16 + deltas.len());
        report.extend((base as u16).to_be_bytes());
        report.extend((statuses.len() as u16).to_be_bytes());
        report.extend(&(reference as u32).to_be_bytes()[1..]);
        report.push(self.reports);
        self.reports = self.reports.wrapping_add(1);
        chunks(&statuses, &mut report);
        report.extend(deltas);
        while report.len() % 4 != 0 {
            report.push(0);
        }
        Some(report)
    }

    fn micros(&self, at: Instant) -> u128 {
        at.saturating_duration_since(self.started)
            .max(Duration::ZERO)
            .as_micros()
    }
}

/// A number of which only the last 16 bits are known, as the one that is next to another.
pub(super) fn extend(near: u64, number: u16) -> u64 {
    let distance = number.wrapping_sub(near as u16) as i16;
    near.saturating_add_signed(i64::from(distance))
}

fn chunks(statuses: &[Status], out: &mut Vec<u8>) {
    let mut rest = statuses;
    while let Some(first) = rest.first() {
        let run = rest
            .iter()
            .take(IN_RUN)
            .take_while(|status| *status == first);
        let run = run.count();
        let (chunk, taken) = if run >= IN_VECTOR {
            ((*first as u16) << 13 | run as u16, run)
        } else {
            let taken = rest.len().min(IN_VECTOR);
            let vector = rest.iter().take(taken).enumerate();
            let vector = vector.fold(0, |vector, (place, status)| {
                vector | (*status as u16) << (12 - 2 * place)
            });
            (0b11 << 14 | vector, taken)
        };
        out.extend(chunk.to_be_bytes());
        rest = rest.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What a report says: the first number, and of each packet when it came, in ms from the start.
    fn read(report: &[u8]) -> (u16, Vec<Option<f64>>) {
        let word = |place: usize| u16::from_be_bytes([report[place], report[place + 1]]);
        let (base, count) = (word(0), usize::from(word(2)));
        let reference = u32::from_be_bytes([0, report[4], report[5], report[6]]);
        let (mut place, mut statuses) = (8, Vec::new());
        while statuses.len() < count {
            let chunk = word(place);
            place += 2;
            if chunk >> 15 == 0 {
                statuses.extend(vec![chunk >> 13; usize::from(chunk & 0x1fff)]);
            } else {
                statuses.extend((0..7).map(|number| chunk >> (12 - 2 * number) & 3));
            }
        }
        let mut at = f64::from(reference) * 64.0;
        let arrivals = statuses.iter().take(count).map(|status| {
            let delta = match status {
                0 => return None,
                1 => i16::from(report[place]),
                _ => word(place) as i16,
            };
            place += usize::from(*status);
            at += f64::from(delta) / 4.0;
            Some(at)
        });
        (base, arrivals.collect())
    }

    #[test]
    fn arrivals_are_reported_once() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        assert_eq!(arrivals.report(), None);
        for (number, at) in [(65_534, 100), (65_535, 101), (1, 300), (0, 301)] {
            arrivals.push(number, start + MS * at);
        }
        let report = arrivals.report().expect("a report");
        assert_eq!(report.len() % 4, 0);
        let all = [100.0, 101.0, 301.0, 300.0].map(Some).to_vec();
        assert_eq!(read(&report), (65_534, all));
        assert_eq!(report[7], 0);
        assert_eq!(arrivals.report(), None);
        arrivals.push(4, start + MS * 400);
        arrivals.push(0, start + MS * 401);
        let report = arrivals.report().expect("a report");
        assert_eq!(read(&report), (2, vec![None, None, Some(400.0)]));
        assert_eq!(report[7], 1);
    }

    #[test]
    fn long_runs_and_short_ones_are_told() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        let came = |number: u16| number < 40 || number.is_multiple_of(3);
        for number in (0..100).filter(|number| came(*number)) {
            arrivals.push(number, start + MS * u32::from(number));
        }
        let (base, told) = read(&arrivals.report().expect("a report"));
        let all = (0..100).map(|number| came(number).then(|| f64::from(number)));
        assert_eq!((base, told), (0, all.collect()));
    }

    #[test]
    fn a_report_is_bounded() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.push(0, start);
        arrivals.push(20_000, start);
        let (_, told) = read(&arrivals.report().expect("a report"));
        assert_eq!(told.len(), MAX_PACKETS as usize);
        let (base, told) = read(&arrivals.report().expect("the rest"));
        assert_eq!((base, told.len()), (20_000, 1));
        assert_eq!(arrivals.report(), None);
    }
}
