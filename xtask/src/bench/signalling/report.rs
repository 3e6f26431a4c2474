//! What was measured, for a terminal and for docs/benchmarks-signalling.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::case::{BURST, LISTENERS};
use super::churn::{IDLE, PRODUCERS};
use super::quantity::{Conditions, Operation, Quantity};
use super::rounds::Rounds;
use super::split::{self, Split};
use super::stalled::{self, Stalled};
use crate::bench::fan_out::plot::{Across, Line, Plot};
use crate::bench::table::{Row, Target, markdown, print, rewrite};

/// Milliseconds.
const SESSION: f64 = 200.0;
/// Mebibytes.
const GROWTH: f64 = 64.0;

pub(super) struct Report {
    pub(super) cases: Vec<Case>,
    pub(super) churn: Option<Rounds>,
    /// The reference, and ours.
    pub(super) stalled: Option<(Stalled, Stalled)>,
    /// The reference is the published server, so that ratios have targets.
    pub(super) published: bool,
}

/// So many peers of one kind.
pub(super) struct Case {
    pub(super) peers: usize,
    pub(super) tls: bool,
    pub(super) rounds: Rounds,
}

impl Report {
    pub(super) fn print(&self) {
        for (title, rows, splits) in self.sections() {
            println!("\n{title}:");
            print(&rows);
            split::print(&splits);
        }
        if let Some((reference, ours)) = &self.stalled {
            println!("\n{STALLED}:");
            print(&stalled_rows(reference, ours));
        }
    }

    /// Writes `benchmarks-signalling.md` and its plot into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let page = folder.join("benchmarks-signalling.md");
        let mut text = String::new();
        for (title, rows, splits) in self.sections() {
            let (rows, splits) = (table(&rows), split::markdown(&splits));
            let _ = write!(text, "\n{title}:\n\n{rows}\n{splits}");
        }
        if let Some((reference, ours)) = &self.stalled {
            let rows = table(&stalled_rows(reference, ours));
            let _ = write!(text, "\n{STALLED}:\n\n{rows}");
        }
        rewrite(&page, BEGIN, &text)?;
        let pictures = folder.join("pictures");
        fs::create_dir_all(&pictures)?;
        fs::write(pictures.join("signalling.svg"), self.plot().svg())?;
        Ok(())
    }

    /// What has been measured in rounds.
    fn sections(&self) -> Vec<(String, Vec<Row>, Vec<Split>)> {
        let section = |title, rounds, plain| {
            let rows = rows(rounds, plain, self.published);
            (title, rows, Split::of(rounds))
        };
        let cases = self.cases.iter();
        let mut sections: Vec<_> = cases
            .map(|case| section(case.title(), &case.rounds, !case.tls))
            .collect();
        if let Some(rounds) = &self.churn {
            let title = format!("{LISTENERS} listeners while producers come and leave, plain");
            sections.push(section(title, rounds, true));
        }
        sections
    }

    fn plot(&self) -> Plot {
        let relayed = Quantity::ProcessorTime(Operation::Relay, Conditions::default());
        let line = |name, tls, of: fn(&Rounds, Quantity) -> Option<f64>| {
            let cases = self.cases.iter().filter(|case| case.tls == tls);
            let point = |case: &Case| Some((case.peers as f64, of(&case.rounds, relayed)?));
            Line {
                name,
                points: cases.filter_map(point).collect(),
            }
        };
        let mut lines = vec![
            line("reference", false, Rounds::reference),
            line("reference, TLS", true, Rounds::reference),
            line("wigwag", false, Rounds::ours),
            line("wigwag, TLS", true, Rounds::ours),
        ];
        lines.retain(|line| !line.points.is_empty());
        Plot {
            title: "Processor time of the server for a relayed message, in microseconds",
            across: Across::Evenly("peers that are connected"),
            lines,
        }
    }
}

/// Where the results begin in the page.
const BEGIN: &str = "<!-- results, written by cargo xtask bench signalling --write -->";

const STALLED: &str = "Three listeners that stop reading";

impl Case {
    fn title(&self) -> String {
        let kind = if self.tls { "TLS" } else { "plain" };
        format!("{} peers, {kind}", self.peers)
    }
}

fn rows(rounds: &Rounds, plain: bool, published: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for quantity in rounds.quantities() {
        // These have a table of their own.
        if let Quantity::UserTime(..) | Quantity::SystemTime(..) | Quantity::LoadSleeps(..) =
            quantity
        {
            continue;
        }
        let Some(ours) = rounds.ours(quantity) else {
            continue;
        };
        let judged = |target: &Target| published || matches!(target, Target::Absolute(_));
        rows.push(Row {
            what: quantity.to_string(),
            unit: quantity.unit(),
            reference: rounds.reference(quantity),
            ours,
            median_ratio: rounds.ratio(quantity),
            // They are of plain connections.
            target: quantity.target().filter(judged).filter(|_| plain),
        });
    }
    rows
}

fn stalled_rows(reference: &Stalled, ours: &Stalled) -> Vec<Row> {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let mebibytes = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    vec![
        Row {
            what: "a new session, at worst".to_owned(),
            unit: "ms",
            reference: reference.worst_session.map(milliseconds),
            // A session that was never made counts as the whole deadline.
            ours: milliseconds(ours.worst_session.unwrap_or(stalled::DEADLINE)),
            median_ratio: None,
            target: Some(Target::Absolute(SESSION)),
        },
        Row {
            what: "the server grows by".to_owned(),
            unit: "MiB",
            reference: Some(mebibytes(reference.grown)),
            ours: mebibytes(ours.grown),
            median_ratio: None,
            target: Some(Target::Absolute(GROWTH)),
        },
    ]
}

fn table(rows: &[Row]) -> String {
    markdown(rows, "reference", "never")
}

const _: () = assert!(LISTENERS == 500 && BURST == 20, "the page says so");
const _: () = assert!(PRODUCERS == 300 && IDLE == 2_000, "the page says so");

#[cfg(test)]
mod tests {
    use super::super::rounds::Measured;
    use super::*;

    #[test]
    fn targets_of_rows_are_of_plain_connections_beside_the_published_server() {
        let measured = || {
            let relayed = Quantity::ProcessorTime(Operation::Relay, Conditions::default());
            let mut measured = Measured::default();
            for quantity in [relayed, Quantity::IdleMemory] {
                measured.insert(quantity, 1.0);
            }
            measured
        };
        let mut rounds = Rounds::default();
        rounds.push([measured(), measured()]);
        let targets = |plain, published| {
            let rows = rows(&rounds, plain, published);
            let targets = rows.iter().map(|row| row.target);
            targets.collect::<Vec<_>>()
        };
        let (ratio, absolute) = (Some(Target::Ratio(0.55)), Some(Target::Absolute(10.0)));
        assert_eq!(targets(true, true), [ratio, absolute]);
        assert_eq!(targets(true, false), [None, absolute]);
        assert_eq!(targets(false, true), [None, None]);
    }
}
