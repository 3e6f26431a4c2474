//! What the system counts of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Time on a processor, of all threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessorTime {
    /// The kernel's work for the process included; to the nanosecond.
    pub(crate) total: Duration,
    /// As counted by ticks of 10 ms.
    pub(crate) ticks: Ticks,
}

/// Ticks of the system's clock (`USER_HZ`, 100 a second).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

impl ProcessorTime {
    /// So far, by `/proc/PID/task/*/schedstat` and `/proc/PID/stat`. A thread that has ended is in the ticks only.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end between the two.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let first = text.split_whitespace().next().context("schedstat")?;
            nanoseconds += first.parse::<u64>()?;
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Ok(Self {
            total: Duration::from_nanos(nanoseconds),
            ticks: Ticks::parse(&stat)?,
        })
    }

    /// What was spent since an earlier moment.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            ticks: Ticks {
                user: self.ticks.user.saturating_sub(before.ticks.user),
                system: self.ticks.system.saturating_sub(before.ticks.system),
            },
        }
    }

    /// The total, split in proportion to the ticks: the process's own and the kernel's. None before the first tick.
    pub(crate) fn user_and_system(self) -> Option<(Duration, Duration)> {
        let ticks = self.ticks.user + self.ticks.system;
        if ticks == 0 {
            return None;
        }
        let user = self
            .total
            .mul_f64(self.ticks.user as f64 / ticks as f64)
            .min(self.total);
        Some((user, self.total - user))
    }
}

impl Ticks {
    /// From `/proc/PID/stat`, by proc(5).
    fn parse(stat: &str) -> Result<Self> {
        // The program's name, in parentheses, may have spaces and parentheses of its own.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        // The first field after it is the third of all; utime is the fourteenth.
        let mut fields = fields.split_whitespace().skip(14 - 3);
        let mut next = || -> Result<u64> { Ok(fields.next().context("a short stat")?.parse()?) };
        Ok(Self {
            user: next()?,
            system: next()?,
        })
    }
}

/// How often the first thread of a process went to sleep so far.
pub(crate) fn voluntary_switches(process: u32) -> Result<u64> {
    status(process, "voluntary_ctxt_switches:")
}

/// A number of `/proc/PID/status`, in bytes.
pub(crate) fn status_bytes(process: u32, name: &str) -> Result<u64> {
    Ok(status(process, name)? * 1024)
}

fn status(process: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    parse_status(&status, name)
}

fn parse_status(status: &str, name: &str) -> Result<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.split_whitespace().next())
        .context("the process is gone")?;
    Ok(value.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a (b) c) S 1 42 42 0 -1 4194560 2519 0 0 0 137 263 9 8 20 0 3 0 5";

    #[test]
    fn stat_of_a_name_with_parentheses_gives_ticks() {
        let ticks = Ticks::parse(STAT).expect("valid");
        let expected = Ticks {
            user: 137,
            system: 263,
        };
        assert_eq!(ticks, expected);
    }

    #[test]
    fn stat_cut_short_is_an_error() {
        let cut = STAT.find("263").expect("there");
        assert!(Ticks::parse(&STAT[..cut]).is_err());
        assert!(Ticks::parse("42 a S 1").is_err());
        assert!(Ticks::parse("").is_err());
    }

    #[test]
    fn total_is_split_in_proportion_to_ticks() {
        let spent = |user, system| ProcessorTime {
            total: Duration::from_micros(1000),
            ticks: Ticks { user, system },
        };
        let micros = |user, system| Some([user, system].map(Duration::from_micros).into());
        assert_eq!(spent(1, 3).user_and_system(), micros(250, 750));
        assert_eq!(spent(2, 0).user_and_system(), micros(1000, 0));
        assert_eq!(spent(0, 0).user_and_system(), None);
    }

    #[test]
    fn time_of_ended_threads_is_not_negative() {
        let before = ProcessorTime {
            total: Duration::from_secs(2),
            ticks: Ticks {
                user: 100,
                system: 100,
            },
        };
        let now = ProcessorTime {
            total: Duration::from_secs(1),
            ..before
        };
        assert_eq!(now.since(before).total, Duration::ZERO);
    }

    #[test]
    fn status_gives_the_named_number_only() {
        let status =
            "VmRSS:\t    2048 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n";
        let number = |name| parse_status(status, name).ok();
        assert_eq!(number("VmRSS:"), Some(2048));
        assert_eq!(number("voluntary_ctxt_switches:"), Some(7));
        assert_eq!(number("VmHWM:"), None);
    }

    #[test]
    fn own_process_has_figures() {
        let process = std::process::id();
        assert!(ProcessorTime::of(process).expect("readable").total > Duration::ZERO);
        assert!(status_bytes(process, "VmRSS:").expect("readable") > 0);
        voluntary_switches(process).expect("readable");
    }
}
