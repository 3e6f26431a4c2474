//! What came of an attack, as a line of a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::client::Done;
use super::scene::Case;
use super::targets::{CAMERAS, GAP, MEMORY, NEW_SESSION, RATE, VIEWERS};

const COLUMNS: usize = 17;
/// Reasons that are printed of each line.
const REASONS: usize = 4;

/// What came of an attack.
pub(super) struct Outcome {
    pub(super) case: Case,
    /// Honest ones from the beginning to the end, each camera's with the server included.
    pub(super) sessions: usize,
    /// Why honest sessions ended.
    pub(super) lost: Vec<String>,
    /// Why honest requests were not answered, or not in time.
    pub(super) refused: Vec<String>,
    /// Honest requests: new sessions, new cameras, health.
    pub(super) requests: usize,
    /// The largest of any viewer, in milliseconds.
    pub(super) gap: f64,
    /// From a call to the first picture: the median, and what one of a hundred took longer than, in milliseconds.
    pub(super) new_session: [f64; 2],
    /// In bytes.
    pub(super) memory: u64,
    /// The slowest answer to a question for health, in milliseconds.
    pub(super) health: f64,
    /// What viewers of a camera that encodes got, of its encoder's highest rate; none where none encodes.
    pub(super) rate: Option<f64>,
    pub(super) processors: Processors,
    pub(super) done: Done,
}

/// Time on a processor during the attack, in seconds for each second.
pub(super) struct Processors {
    pub(super) server: f64,
    pub(super) cameras: f64,
    pub(super) viewers: f64,
    pub(super) attackers: f64,
}

impl Outcome {
    /// Whether what is counted is as it must be.
    pub(super) fn counts_hold(&self) -> bool {
        self.lost.is_empty() && self.refused.is_empty() && self.memory <= MEMORY
    }

    fn times_hold(&self) -> bool {
        let [_, slow] = self.new_session;
        let is_kept = self.rate.is_none_or(|rate| rate >= RATE);
        self.gap <= GAP.as_secs_f64() * 1e3 && slow <= NEW_SESSION.as_secs_f64() * 1e3 && is_kept
    }

    pub(super) fn line(&self) -> String {
        let kind = clap::ValueEnum::to_possible_value(&self.case.kind);
        let kind = kind.as_ref().map_or("", |kind| kind.get_name());
        let [median, slow] = self.new_session;
        let Done {
            connected,
            broken,
            sent,
            misled,
            complaint,
            processor_seconds: _,
        } = &self.done;
        let verdict = match (self.counts_hold(), self.times_hold()) {
            (true, true) => "pass",
            _ => "MISSED",
        };
        let cells = [
            kind.to_owned(),
            self.case.sources.to_string(),
            format!(
                "{}/{}",
                self.sessions.saturating_sub(self.lost.len()),
                self.sessions
            ),
            format!("{}/{}", self.refused.len(), self.requests),
            format!("{:.0}", self.gap),
            format!("{median:.0}"),
            format!("{slow:.0}"),
            format!("{:.0}", self.health),
            format!("{:.0}", self.memory as f64 / 1024.0 / 1024.0),
            self.rate.map_or_else(|| "-".to_owned(), percent),
            percent(self.processors.server),
            percent(self.processors.cameras),
            percent(self.processors.viewers),
            percent(self.processors.attackers),
            connected.to_string(),
            sent.to_string(),
            misled.to_string(),
        ];
        let mut line = format!("{} {verdict}", row(&cells));
        if let Some(complaint) = complaint {
            // Writing to a text does not fail.
            let _ = write!(line, "\n{:>17}{broken} attackers: {complaint}", "");
        }
        for (what, reasons) in [("lost", &self.lost), ("refused", &self.refused)] {
            let mut counts = BTreeMap::<&str, usize>::new();
            for reason in reasons {
                *counts.entry(without_time(reason)).or_default() += 1;
            }
            for (reason, count) in counts.into_iter().take(REASONS) {
                let _ = write!(line, "\n{:>17}{count} {what}: {reason}", "");
            }
        }
        line
    }
}

/// What stands at the top of the columns: what they are, and the targets. `CPU` is that of the server; those of cameras, viewers
/// and attackers follow it.
pub(super) fn header() -> String {
    let names = [
        "attack",
        "addresses",
        "kept",
        "refused",
        "gap",
        "new",
        "p99",
        "health",
        "memory",
        "rate",
        "CPU",
        "cameras",
        "viewers",
        "attackers",
        "connects",
        "messages",
        "misled",
    ];
    let mut targets = names.map(|_| String::new());
    for (name, target) in [
        ("attack", "target".to_owned()),
        ("kept", format!("{0}/{0}", VIEWERS + CAMERAS)),
        ("refused", "0".to_owned()),
        ("gap", GAP.as_millis().to_string()),
        ("p99", NEW_SESSION.as_millis().to_string()),
        ("health", "ms".to_owned()),
        ("memory", format!("{} MiB", MEMORY / 1024 / 1024)),
        ("rate", percent(RATE)),
        ("CPU", "%".to_owned()),
    ] {
        for (column, _) in names
            .iter()
            .enumerate()
            .filter(|(_, other)| **other == name)
        {
            targets[column].clone_from(&target);
        }
    }
    format!("\n{}\n{}", row(&names.map(str::to_owned)), row(&targets))
}

/// Cells below those of [`header`].
fn row(cells: &[String; COLUMNS]) -> String {
    const WIDTHS: [usize; COLUMNS - 1] = [9, 9, 9, 6, 6, 6, 6, 7, 5, 4, 7, 7, 9, 8, 9, 6];
    let [first, rest @ ..] = cells;
    let mut row = format!("{first:<16}");
    for (cell, width) in rest.iter().zip(WIDTHS) {
        // Writing to a text does not fail.
        let _ = write!(row, " {cell:>width$}");
    }
    row
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// A reason without the time at which a viewer failed, which differs for each.
fn without_time(reason: &str) -> &str {
    let rest = reason
        .strip_prefix("after ")
        .and_then(|rest| rest.split_once(": "));
    rest.map_or(reason, |(_, reason)| reason)
}

/// The figure that so large a share does not exceed; the figures are in order. No figure if there are none.
pub(super) fn percentile(figures: &[f64], share: f64) -> f64 {
    let place = (figures.len() as f64 * share).ceil() as usize;
    let figure = figures.get(place.saturating_sub(1));
    figure.copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attack::Kind;
    use crate::attack::sources::Sources;

    fn outcome() -> Outcome {
        Outcome {
            case: Case {
                kind: Kind::Metas,
                sources: Sources::Ipv4(2),
                time: Duration::from_secs(1),
            },
            sessions: VIEWERS + CAMERAS,
            lost: Vec::new(),
            refused: Vec::new(),
            requests: 9,
            gap: 99.0,
            new_session: [100.0, 200.0],
            memory: 1 << 20,
            health: 1.0,
            rate: None,
            processors: Processors {
                server: 0.5,
                cameras: 0.4,
                viewers: 0.3,
                attackers: 0.2,
            },
            done: Done::default(),
        }
    }

    #[test]
    fn outcome_within_all_targets_passes() {
        assert!(outcome().counts_hold());
        assert!(outcome().line().ends_with(" pass"), "{}", outcome().line());
    }

    #[test]
    fn outcome_with_lost_sessions_says_why() {
        let ended = |after: &str| format!("after {after} s: the sender ended it");
        let outcome = Outcome {
            lost: vec![ended("1.0"), ended("2.0")],
            ..outcome()
        };
        assert!(!outcome.counts_hold());
        let line = outcome.line();
        assert!(
            line.contains("118/120") && line.contains("MISSED"),
            "{line}"
        );
        assert!(line.ends_with("2 lost: the sender ended it"), "{line}");
    }

    #[test]
    fn times_over_their_targets_are_missed_and_counts_hold() {
        for outcome in [
            Outcome {
                gap: 301.0,
                ..outcome()
            },
            Outcome {
                new_session: [1.0, f64::NAN],
                ..outcome()
            },
            Outcome {
                rate: Some(0.84),
                ..outcome()
            },
        ] {
            assert!(outcome.counts_hold());
            assert!(outcome.line().ends_with("MISSED"));
        }
    }

    #[test]
    fn percentile_is_the_figure_that_the_share_does_not_exceed() {
        let figures: Vec<_> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&figures, 0.5), 50.0);
        assert_eq!(percentile(&figures, 0.99), 99.0);
        assert!(percentile(&[], 0.99).is_nan());
    }
}
