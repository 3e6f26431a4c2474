//! Memory, threads and descriptors of the sender over time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::bench::fan_out::plot::{Across, Line, Plot};
use crate::bench::fan_out::sender::Sender;

/// By how much the memory may grow from the first third after the warm-up to the last: what the allocator keeps
/// moves about by more than nothing.
pub(super) const GROWTH: f64 = 8.0 * 1024.0 * 1024.0;

pub(super) struct Readings {
    /// With the steady viewers alone, before the others.
    base: Reading,
    taken: Vec<Reading>,
}

struct Reading {
    at: Duration,
    /// In bytes.
    memory: f64,
    threads: usize,
    descriptors: usize,
}

impl Reading {
    fn take(at: Duration, sender: &Sender) -> Result<Self> {
        Ok(Self {
            at,
            memory: sender.memory()?,
            threads: sender.reading()?.threads(),
            descriptors: sender.descriptors()?,
        })
    }
}

impl Readings {
    /// Takes what the others are compared with: only the steady viewers are there.
    pub(super) fn begin(sender: &Sender) -> Result<Self> {
        Ok(Self {
            base: Reading::take(Duration::ZERO, sender)?,
            taken: Vec::new(),
        })
    }

    pub(super) fn take(&mut self, at: Duration, sender: &Sender) -> Result<()> {
        self.taken.push(Reading::take(at, sender)?);
        Ok(())
    }

    /// Whether at the end there are no more threads and descriptors than before, and the memory did not grow after the warm-up.
    pub(super) fn are_flat(&self, warm_up: Duration) -> bool {
        let warm: Vec<_> = self
            .taken
            .iter()
            .filter(|reading| reading.at >= warm_up)
            .collect();
        let Some(last) = warm.last() else {
            return false;
        };
        let third = (warm.len() / 3).max(1);
        let memory = |readings: &[&Reading]| {
            let least = readings.iter().map(|reading| reading.memory);
            least.fold(f64::INFINITY, f64::min)
        };
        let grown = memory(&warm[warm.len() - third..]) - memory(&warm[..third]);
        println!(
            "memory, least of the first third to least of the last: {:+.1} MiB",
            mib(grown)
        );
        let base = &self.base;
        println!(
            "threads {} before and {} after, descriptors {} and {}",
            base.threads, last.threads, base.descriptors, last.descriptors
        );
        grown <= GROWTH && last.threads <= base.threads && last.descriptors <= base.descriptors
    }

    pub(super) fn print(&self, steady: usize) {
        println!(
            "\n{:>8} {:>14} {:>10} {:>14}",
            "s", "memory (MiB)", "threads", "descriptors"
        );
        let step = (self.taken.len() / 20).max(1);
        let last = self.taken.len().saturating_sub(1);
        for (number, reading) in self.taken.iter().enumerate() {
            if number % step == 0 || number == last {
                println!(
                    "{:>8.0} {:>14.1} {:>10} {:>14}",
                    reading.at.as_secs_f64(),
                    mib(reading.memory),
                    reading.threads,
                    reading.descriptors
                );
            }
        }
        println!("the last line is with the {steady} steady viewers alone");
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let points = |figure: fn(&Reading) -> f64| {
            let point = |reading: &Reading| (reading.at.as_secs_f64() / 60.0, figure(reading));
            self.taken.iter().map(point).collect()
        };
        let plot = Plot {
            title: "The sender while viewers come, go and misbehave",
            across: Across::Evenly("minutes"),
            lines: vec![
                Line {
                    name: "memory (MiB)",
                    points: points(|reading| mib(reading.memory)),
                },
                Line {
                    name: "threads",
                    points: points(|reading| reading.threads as f64),
                },
                Line {
                    name: "descriptors",
                    points: points(|reading| reading.descriptors as f64),
                },
            ],
        };
        Ok(fs::write(file, plot.svg())?)
    }
}

fn mib(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}
