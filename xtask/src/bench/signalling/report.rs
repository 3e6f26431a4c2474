//! What was measured, for a terminal and for docs/benchmarks-signalling.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::case::{BURST, LISTENERS, Measured};
use super::stalled::{self, Stalled};
use crate::bench::fan_out::plot::{Across, Line, Plot};
use crate::bench::table::{Row, Target, markdown, print, rewrite};

const PER_RELAYED: Target = Target::Ratio(0.55);
const PER_NOTICE: Target = Target::Ratio(0.8);
const PER_NOTICE_IN_BURST: Target = Target::Ratio(0.6);
const KIB_PER_IDLE: Target = Target::Absolute(10.0);
const RELAY_P50: Target = Target::Ratio(0.8);
const RELAY_P99: Target = Target::Ratio(1.0);
/// Milliseconds.
const SESSION: Target = Target::Absolute(200.0);
/// Mebibytes.
const GROWTH: Target = Target::Absolute(64.0);

pub(super) struct Report {
    pub(super) cases: Vec<Case>,
    /// The reference, and ours.
    pub(super) stalled: Option<(Stalled, Stalled)>,
}

/// So many peers of one kind.
pub(super) struct Case {
    pub(super) peers: usize,
    pub(super) tls: bool,
    pub(super) reference: Measured,
    pub(super) ours: Measured,
}

impl Report {
    pub(super) fn print(&self) {
        for case in &self.cases {
            println!("\n{}:", case.title());
            print(&case.rows());
        }
        if let Some((reference, ours)) = &self.stalled {
            println!("\nThree listeners that stop reading:");
            print(&stalled_rows(reference, ours));
        }
    }

    /// Writes `benchmarks-signalling.md` and its plot into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let page = folder.join("benchmarks-signalling.md");
        let mut text = String::new();
        for case in &self.cases {
            let _ = write!(text, "\n{}:\n\n{}", case.title(), table(&case.rows()));
        }
        if let Some((reference, ours)) = &self.stalled {
            let rows = table(&stalled_rows(reference, ours));
            let _ = write!(text, "\nThree listeners that stop reading:\n\n{rows}");
        }
        rewrite(&page, BEGIN, &text)?;
        let pictures = folder.join("pictures");
        fs::create_dir_all(&pictures)?;
        fs::write(pictures.join("signalling.svg"), self.plot().svg())?;
        Ok(())
    }

    fn plot(&self) -> Plot {
        let line = |name, tls, of: fn(&Case) -> &Measured| {
            let cases = self.cases.iter().filter(|case| case.tls == tls);
            let point = |case| (Case::peers(case), microseconds(of(case).per_relayed));
            Line {
                name,
                points: cases.map(point).collect(),
            }
        };
        let mut lines = vec![
            line("reference", false, |case| &case.reference),
            line("reference, TLS", true, |case| &case.reference),
            line("wigwag", false, |case| &case.ours),
            line("wigwag, TLS", true, |case| &case.ours),
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

impl Case {
    fn title(&self) -> String {
        let kind = if self.tls { "TLS" } else { "plain" };
        format!("{} peers, {kind}", self.peers)
    }

    fn peers(&self) -> f64 {
        self.peers as f64
    }

    fn rows(&self) -> Vec<Row> {
        let row = |what: &str, unit, target: Option<Target>, of: fn(&Measured) -> f64| Row {
            what: what.to_owned(),
            unit,
            reference: Some(of(&self.reference)),
            ours: of(&self.ours),
            median_ratio: None,
            // They are of plain connections.
            target: target.filter(|_| !self.tls),
        };
        vec![
            row(
                "processor time per relayed message",
                "us",
                Some(PER_RELAYED),
                |measured| microseconds(measured.per_relayed),
            ),
            row(
                "processor time per notice",
                "us",
                Some(PER_NOTICE),
                |measured| microseconds(measured.per_notice),
            ),
            row(
                "the same, 20 changes at once",
                "us",
                Some(PER_NOTICE_IN_BURST),
                |measured| microseconds(measured.per_notice_in_burst),
            ),
            row("processor time per connect", "us", None, |measured| {
                microseconds(measured.per_connect)
            }),
            row(
                "memory per idle connection",
                "KiB",
                Some(KIB_PER_IDLE),
                |measured| measured.memory_per_idle / 1024.0,
            ),
            row("relay time, p50", "us", Some(RELAY_P50), |measured| {
                microseconds(measured.relay_p50)
            }),
            row("relay time, p99", "us", Some(RELAY_P99), |measured| {
                microseconds(measured.relay_p99)
            }),
        ]
    }
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
            target: Some(SESSION),
        },
        Row {
            what: "the server grows by".to_owned(),
            unit: "MiB",
            reference: Some(mebibytes(reference.grown)),
            ours: mebibytes(ours.grown),
            median_ratio: None,
            target: Some(GROWTH),
        },
    ]
}

fn table(rows: &[Row]) -> String {
    markdown(rows, "reference", "never")
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

const _: () = assert!(BURST == 20, "the row says so");
const _: () = assert!(LISTENERS == 500, "the page says so");
