//! What all viewers got together, and what it took.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::{ProcessRecord, Steady, ViewerRecord};

/// Worst gaps are told by how many viewers had one longer than so many milliseconds.
const GAPS_MS: [u64; 5] = [50, 150, 250, 500, 1_000];

/// A thread that runs for more of the time than this comes too late.
const BUSY: f64 = 0.9;

/// The middle and the far end of measured values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Distribution {
    pub(super) min: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Distribution {
    /// By the nearest rank: each is a value that was measured. None of no values.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let rank = |share: f64| {
            let rank = (values.len() as f64 * share).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            min: *values.first()?,
            p50: rank(0.50)?,
            p90: rank(0.90)?,
            p99: rank(0.99)?,
            max: *values.last()?,
        })
    }
}

/// What all viewers got together, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) viewers: usize,
    /// For how many media could flow at some time.
    pub(super) connected: usize,
    /// How many got at least one frame.
    pub(super) watched: usize,
    /// How many did not watch to the end.
    pub(super) failed: usize,
    /// Their reasons, and how many had each.
    pub(super) failures: BTreeMap<String, usize>,
    pub(super) first_frame_ms: Option<Distribution>,
    pub(super) frames_per_second: Option<Distribution>,
    pub(super) worst_gap_ms: Option<Distribution>,
    /// How many viewers had a gap of more than so many milliseconds.
    pub(super) viewers_with_gap_over_ms: BTreeMap<u64, usize>,
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) bytes: u64,
    pub(super) generator: Generator,
}

/// What the viewers themselves took of this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Generator {
    /// Processor time in all, of all processes.
    pub(super) cpu_seconds: Option<f64>,
    /// While nobody joined: processor time for each packet.
    pub(super) cpu_us_per_packet: Option<f64>,
    /// While nobody joined: to all viewers.
    pub(super) packets_per_second: Option<f64>,
    pub(super) kilobits_per_second: Option<f64>,
    /// The share of the time in which the busiest thread of all processes ran, from 0 to 1.
    pub(super) busiest_thread: Option<f64>,
    /// Datagrams that the system dropped because they were not read in time.
    pub(super) dropped_datagrams: Option<u64>,
    /// Whether it could not keep up, so that figures are worse than what the sender sent.
    pub(super) was_the_limit: bool,
}

impl Summary {
    pub(super) fn new(viewers: &[ViewerRecord], processes: &[ProcessRecord]) -> Self {
        let mut failures = BTreeMap::new();
        for reason in viewers.iter().filter_map(|viewer| viewer.failure.as_ref()) {
            *failures.entry(without_time(reason).to_owned()).or_default() += 1;
        }
        let watching = || {
            viewers
                .iter()
                .filter(|viewer| viewer.first_frame_ms.is_some())
        };
        let over = |limit: &u64| {
            let over = watching().filter(|viewer| viewer.worst_gap_ms > *limit as f64);
            (*limit, over.count())
        };
        let sum = |count: fn(&ViewerRecord) -> u64| viewers.iter().map(count).sum();
        Self {
            viewers: viewers.len(),
            connected: viewers
                .iter()
                .filter(|viewer| viewer.connected_ms.is_some())
                .count(),
            watched: watching().count(),
            failed: viewers
                .iter()
                .filter(|viewer| viewer.failure.is_some())
                .count(),
            failures,
            first_frame_ms: Distribution::of(watching().filter_map(|viewer| viewer.first_frame_ms)),
            frames_per_second: Distribution::of(watching().map(|viewer| viewer.frames_per_second)),
            worst_gap_ms: Distribution::of(watching().map(|viewer| viewer.worst_gap_ms)),
            viewers_with_gap_over_ms: GAPS_MS.iter().map(over).collect(),
            packets: sum(|viewer| viewer.packets),
            lost: sum(|viewer| viewer.lost),
            bytes: sum(|viewer| viewer.bytes),
            generator: Generator::new(processes),
        }
    }

    /// Whether every viewer watched to the end.
    pub(super) fn is_good(&self) -> bool {
        self.failed == 0 && self.watched == self.viewers
    }
}

impl Generator {
    fn new(processes: &[ProcessRecord]) -> Self {
        // One that does not know makes the sum unknown.
        let cpu_seconds: Option<f64> = processes.iter().map(|process| process.cpu_seconds).sum();
        let dropped: Option<u64> = processes
            .iter()
            .map(|process| process.dropped_datagrams)
            .sum();
        let steady: Option<Vec<Steady>> = processes.iter().map(|process| process.steady).collect();
        let mut generator = Self {
            cpu_seconds: cpu_seconds.filter(|_| !processes.is_empty()),
            dropped_datagrams: dropped.filter(|_| !processes.is_empty()),
            ..Self::default()
        };
        if let Some(steady) = steady.filter(|steady| !steady.is_empty()) {
            let rate = |count: fn(&Steady) -> u64| {
                steady
                    .iter()
                    .map(|steady| count(steady) as f64 / steady.seconds.max(1e-3))
                    .sum::<f64>()
            };
            let packets: u64 = steady.iter().map(|steady| steady.packets).sum();
            let cpu: f64 = steady.iter().map(|steady| steady.cpu_seconds).sum();
            let busiest = steady
                .iter()
                .map(|steady| steady.busiest_thread)
                .fold(0.0, f64::max);
            generator.cpu_us_per_packet = (packets > 0).then(|| cpu * 1e6 / packets as f64);
            generator.packets_per_second = Some(rate(|steady| steady.packets));
            generator.kilobits_per_second = Some(rate(|steady| steady.bytes) * 8.0 / 1e3);
            generator.busiest_thread = Some(busiest);
        }
        generator.was_the_limit = generator.dropped_datagrams > Some(0)
            || generator
                .busiest_thread
                .is_some_and(|busiest| busiest > BUSY);
        generator
    }
}

/// The reason of a failure without when it was, so that equal ones are counted together.
fn without_time(reason: &str) -> &str {
    let rest = reason
        .strip_prefix("after ")
        .and_then(|rest| rest.split_once(" s: "));
    rest.map_or(reason, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        assert_eq!(Distribution::of([]), None);
        let one = Distribution::of([5.0]).expect("a value");
        assert_eq!([one.min, one.p50, one.p90, one.p99, one.max], [5.0; 5]);
        let hundred = Distribution::of((1..=100).rev().map(f64::from)).expect("values");
        let all = [
            hundred.min,
            hundred.p50,
            hundred.p90,
            hundred.p99,
            hundred.max,
        ];
        assert_eq!(all, [1.0, 50.0, 90.0, 99.0, 100.0]);
        let three = Distribution::of([3.0, 1.0, 2.0]).expect("values");
        assert_eq!([three.p50, three.p90], [2.0, 3.0]);
    }

    fn viewer(gap: f64, failure: Option<&str>) -> ViewerRecord {
        ViewerRecord {
            connected_ms: Some(10.0),
            first_frame_ms: Some(20.0),
            frames: 30,
            frames_per_second: 30.0,
            worst_gap_ms: gap,
            packets: 100,
            lost: 1,
            bytes: 1_000,
            failure: failure.map(str::to_owned),
            ..ViewerRecord::default()
        }
    }

    #[test]
    fn gaps_and_failures_are_counted() {
        let mut starved = viewer(9_999.0, Some("connected, but nothing came"));
        starved.first_frame_ms = None;
        let viewers = [
            viewer(40.0, None),
            viewer(150.0, None),
            viewer(600.0, Some("after 2.5 s: the sender ended it")),
            viewer(40.0, Some("after 3.1 s: the sender ended it")),
            starved,
        ];
        let summary = Summary::new(&viewers, &[]);
        assert_eq!((summary.viewers, summary.connected), (5, 5));
        assert_eq!((summary.watched, summary.failed), (4, 3));
        assert_eq!(summary.failures["the sender ended it"], 2);
        let over: Vec<_> = summary.viewers_with_gap_over_ms.into_iter().collect();
        assert_eq!(over, [(50, 2), (150, 1), (250, 1), (500, 1), (1_000, 0)]);
        assert_eq!(
            (summary.packets, summary.lost, summary.bytes),
            (500, 5, 5_000)
        );
        assert_eq!(summary.worst_gap_ms.expect("gaps").max, 600.0);
        let good = Summary::new(&viewers[..2], &[]);
        assert!(good.is_good());
        assert!(!Summary::new(&viewers[..3], &[]).is_good());
    }

    #[test]
    fn a_generator_that_comes_too_late_says_so() {
        let process = |busiest_thread, dropped| ProcessRecord {
            process: 0,
            cpu_seconds: Some(3.0),
            steady: Some(Steady {
                seconds: 10.0,
                cpu_seconds: 2.0,
                busiest_thread,
                packets: 500_000,
                bytes: 1_250_000,
            }),
            dropped_datagrams: dropped,
        };
        let generator = Generator::new(&[process(0.2, Some(0)), process(0.3, Some(0))]);
        assert_eq!(generator.cpu_seconds, Some(6.0));
        assert_eq!(generator.cpu_us_per_packet, Some(4.0));
        assert_eq!(generator.packets_per_second, Some(100_000.0));
        assert_eq!(generator.kilobits_per_second, Some(2_000.0));
        assert_eq!(generator.busiest_thread, Some(0.3));
        assert!(!generator.was_the_limit);
        assert!(Generator::new(&[process(0.2, Some(1))]).was_the_limit);
        assert!(Generator::new(&[process(0.95, None)]).was_the_limit);
        assert_eq!(
            Generator::new(&[process(0.2, None)]).dropped_datagrams,
            None
        );
    }
}
