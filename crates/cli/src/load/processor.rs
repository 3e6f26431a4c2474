//! How much processor time this process took.

use std::fs;
use std::path::Path;

/// Linux counts in hundredths of a second here on every machine that this runs on (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Times so far, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProcessorTime {
    pub(super) process: f64,
    /// By the thread's id.
    threads: Vec<(u64, f64)>,
}

impl ProcessorTime {
    /// None where the system does not tell.
    pub(super) fn now() -> Option<Self> {
        let process = of(Path::new("/proc/self/stat"))?;
        let threads = fs::read_dir("/proc/self/task").ok()?.filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            // It may have ended meanwhile.
            Some((id, of(&entry.path().join("stat"))?))
        });
        Some(Self {
            process,
            threads: threads.collect(),
        })
    }

    /// Of the thread that took the most since then.
    pub(super) fn busiest_thread_since(&self, before: &Self) -> f64 {
        let since = |(id, now): &(u64, f64)| {
            let mut before = before.threads.iter();
            now - before
                .find(|(other, _)| other == id)
                .map_or(0.0, |(_, then)| *then)
        };
        self.threads.iter().map(since).fold(0.0, f64::max)
    }
}

fn of(file: &Path) -> Option<f64> {
    seconds(&fs::read_to_string(file).ok()?)
}

/// The fields follow the name, which may hold anything.
fn seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_the_systems_line() {
        let line = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 1";
        assert_eq!(seconds(line), Some(2.0));
        assert_eq!(seconds("12 (a) S 1"), None);
        assert_eq!(seconds(""), None);
    }

    #[test]
    fn the_busiest_thread_is_the_one_that_took_most_since() {
        let time = |threads: &[(u64, f64)]| ProcessorTime {
            process: 0.0,
            threads: threads.to_vec(),
        };
        let before = time(&[(1, 5.0), (2, 1.0)]);
        let after = time(&[(1, 5.5), (2, 2.0), (3, 0.25)]);
        assert_eq!(after.busiest_thread_since(&before), 1.0);
    }
}
