//! What people and programs read.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::arguments::LoadArguments;
use super::processes::Told;
use super::record::{Progress, ViewerRecord};
use super::summary::{Distribution, Summary};
use crate::printable::printable;

const BAR: usize = 24;

/// Of the reason of a failure, in which the server may have put any text.
const MAX_REASON: usize = 200;

/// A line on the terminal that is written again and again; nothing where there is no terminal.
pub(super) struct Bar {
    is_shown: bool,
    viewers: usize,
    whole: Duration,
}

impl Bar {
    pub(super) fn new(arguments: &LoadArguments) -> Self {
        let joins = u32::try_from(arguments.viewers - 1).unwrap_or(u32::MAX);
        Self {
            is_shown: io::stderr().is_terminal(),
            viewers: arguments.viewers,
            whole: arguments.stagger.saturating_mul(joins) + arguments.seconds,
        }
    }

    pub(super) fn show(&self, progress: &Progress) {
        if self.is_shown {
            // It is only to look at.
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.line(progress));
        }
    }

    pub(super) fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, progress: &Progress) -> String {
        let whole = self.whole.as_secs_f64();
        let elapsed = progress.elapsed.min(whole);
        let done = (elapsed / whole.max(1e-3) * BAR as f64) as usize;
        let mut line = format!(
            "[{:<BAR$}] {elapsed:.0} of {whole:.0} s, {} of {} watch",
            "#".repeat(done.min(BAR)),
            progress.watching,
            self.viewers
        );
        let joining = progress
            .joined
            .saturating_sub(progress.watching + progress.failed);
        for (number, what) in [(joining, "joining"), (progress.failed, "failed")] {
            if number > 0 {
                // Writing to a text does not fail.
                let _ = write!(line, ", {number} {what}");
            }
        }
        line
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    url: String,
    seconds: f64,
    stagger_seconds: f64,
    processes: usize,
    decrypt: String,
    summary: &'a Summary,
    viewers: &'a [ViewerRecord],
}

pub(super) fn json(arguments: &LoadArguments, summary: &Summary, told: &Told) -> String {
    let report = Report {
        url: arguments.target.to_string(),
        seconds: arguments.seconds.as_secs_f64(),
        stagger_seconds: arguments.stagger.as_secs_f64(),
        processes: arguments.processes,
        decrypt: arguments.decrypt.to_string(),
        summary,
        viewers: &told.viewers,
    };
    serde_json::to_string(&report).expect("numbers and texts can always be written")
}

/// For people.
pub(super) fn table(summary: &Summary) -> String {
    let mut rows = vec![
        ("viewers", summary.viewers.to_string()),
        ("connected", summary.connected.to_string()),
        ("got frames", summary.watched.to_string()),
        ("failed", summary.failed.to_string()),
    ];
    let spread = |distribution: &Distribution, digits| {
        let Distribution {
            p50, p90, p99, max, ..
        } = distribution;
        format!("p50 {p50:.digits$}   p90 {p90:.digits$}   p99 {p99:.digits$}   max {max:.digits$}")
    };
    if let Some(first) = &summary.first_frame_ms {
        rows.push(("first frame (ms)", spread(first, 0)));
    }
    if let Some(rate) = &summary.frames_per_second {
        let Distribution { min, p50, .. } = rate;
        rows.push(("frames a second", format!("p50 {p50:.1}   min {min:.1}")));
    }
    if let Some(gap) = &summary.worst_gap_ms {
        rows.push(("worst gap (ms)", spread(gap, 0)));
        let over = summary.viewers_with_gap_over_ms.iter();
        let over: Vec<_> = over
            .map(|(limit, viewers)| format!("{viewers} over {limit}"))
            .collect();
        rows.push(("viewers with gaps", over.join("   ")));
    }
    let whole = (summary.packets + summary.lost).max(1);
    let lost = summary.lost as f64 / whole as f64 * 100.0;
    rows.push(("packets", summary.packets.to_string()));
    rows.push(("lost", format!("{} ({lost:.2} %)", summary.lost)));
    let generator = &summary.generator;
    if let (Some(packets), Some(kilobits)) =
        (generator.packets_per_second, generator.kilobits_per_second)
    {
        let megabits = kilobits / 1e3;
        rows.push((
            "rate, all together",
            format!("{megabits:.1} Mbit/s, {packets:.0} packets/s"),
        ));
    }
    if let Some(cpu) = generator.cpu_seconds {
        let mut text = format!("{cpu:.2} s of processor time");
        if let Some(each) = generator.cpu_us_per_packet {
            let _ = write!(text, ", {each:.1} us a packet");
        }
        if let Some(busiest) = generator.busiest_thread {
            let _ = write!(text, ", busiest thread {:.0} %", busiest * 100.0);
        }
        rows.push(("spent here", text));
    }
    let mut table = String::new();
    for (name, value) in rows {
        let _ = writeln!(table, "{name:<20} {value}");
    }
    for (reason, viewers) in &summary.failures {
        let _ = writeln!(table, "{viewers} failed: {}", printable(reason, MAX_REASON));
    }
    table
}

/// What to think of the figures if the viewers themselves could not keep up.
pub(super) fn warning(summary: &Summary) -> Option<String> {
    let generator = &summary.generator;
    if !generator.was_the_limit {
        return None;
    }
    let what = match generator.dropped_datagrams {
        Some(dropped @ 1..) => {
            format!("{dropped} datagrams were dropped because they were not read in time")
        }
        _ => "a thread was busy nearly all the time".to_owned(),
    };
    Some(format!(
        "warning: the viewers could not keep up ({what}); frames may be missing that the sender sent. \
         Try --decrypt=none, more --processes, or another machine"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::record::{ProcessRecord, Steady};
    use super::*;

    fn summary(dropped: u64) -> Summary {
        summary_with(dropped, "no offer")
    }

    fn summary_with(dropped: u64, failure: &str) -> Summary {
        let viewers = [
            ViewerRecord {
                connected_ms: Some(30.0),
                first_frame_ms: Some(61.5),
                frames: 300,
                frames_per_second: 30.0,
                worst_gap_ms: 51.0,
                packets: 99,
                lost: 1,
                ..ViewerRecord::default()
            },
            ViewerRecord {
                failure: Some(failure.to_owned()),
                ..ViewerRecord::default()
            },
        ];
        let process = ProcessRecord {
            cpu_seconds: Some(1.0),
            steady: Some(Steady {
                seconds: 1.0,
                packets: 100,
                ..Steady::default()
            }),
            dropped_datagrams: Some(dropped),
            ..ProcessRecord::default()
        };
        Summary::new(&viewers, &[process])
    }

    #[test]
    fn people_read_a_table() {
        let table = table(&summary(0));
        for line in [
            "got frames           1",
            "first frame (ms)     p50 62   p90 62   p99 62   max 62",
            "frames a second      p50 30.0   min 30.0",
            "viewers with gaps    1 over 50   0 over 150   0 over 250   0 over 500   0 over 1000",
            "lost                 1 (1.00 %)",
            "1 failed: no offer",
        ] {
            assert!(table.lines().any(|other| other == line), "{line}\n{table}");
        }
    }

    #[test]
    fn what_the_sender_says_stays_a_line() {
        let hostile = "the sender ended it: \x1b[2J\u{202e}\n".to_owned() + &"x".repeat(5_000);
        let table = table(&summary_with(0, &hostile));
        let last = table.lines().last().expect("lines");
        assert!(
            last.starts_with("1 failed: the sender ended it: \\u{1b}[2J\\u{202e}\\u{a}xxx"),
            "{last}"
        );
        assert!(last.chars().count() <= "1 failed: ".len() + MAX_REASON);
    }

    #[test]
    fn who_could_not_keep_up_is_told() {
        assert_eq!(warning(&summary(0)), None);
        let warning = warning(&summary(7)).expect("a warning");
        assert!(warning.contains("7 datagrams"), "{warning}");
        assert_eq!(warning.lines().count(), 1);
    }

    #[test]
    fn the_bar_tells_how_it_goes() {
        let bar = Bar {
            is_shown: false,
            viewers: 9,
            whole: Duration::from_secs(10),
        };
        let progress = Progress {
            elapsed: 5.0,
            joined: 8,
            watching: 5,
            failed: 1,
        };
        let line = "[############            ] 5 of 10 s, 5 of 9 watch, 2 joining, 1 failed";
        assert_eq!(bar.line(&progress), line);
    }
}
