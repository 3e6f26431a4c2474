//! What was measured, for a terminal and for docs/benchmarks.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::joins::Joins;
use super::misbehaviour::Misbehaviour;
use super::plot::{Across, Line, Plot};
use super::viewers::{Cost, Costs};
use crate::bench::table::{AtLeast, Row, Target, markdown, print, rewrite};

const PER_PACKET: f64 = 8.0;
const KIB_PER_VIEWER: f64 = 300.0;
const LIVE_RATIO: f64 = 1.3;
const SINGLE_JOIN: f64 = 80.0;
const BURST_JOIN: f64 = 600.0;
const GAP: f64 = 150.0;
const LEAST_FRAMES: f64 = 28.0;
/// The live ratio is of so many viewers to one.
const LIVE_RATIO_VIEWERS: usize = 10;

pub(super) struct Report {
    pub(super) film: Costs,
    /// Microseconds a packet.
    pub(super) floor: f64,
    pub(super) live: Costs,
    pub(super) joins: Joins,
    pub(super) misbehaviour: Misbehaviour,
}

impl Report {
    pub(super) fn print(&self) {
        for (what, costs) in self.costs() {
            println!("\n{what}:\n\n{}", table(costs));
        }
        print(&self.rows());
        self.fewest_frames().print();
    }

    /// Writes `benchmarks.md` and its plot into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let page = folder.join("benchmarks.md");
        let mut text = "\n".to_owned();
        for (what, costs) in self.costs() {
            let _ = writeln!(text, "{what}:\n\n{}", table(costs));
        }
        text += &markdown(&self.rows(), "published", "");
        text += &self.fewest_frames().markdown();
        rewrite(&page, BEGIN, &text)?;
        let points = |costs: &[Cost]| {
            let point = |cost: &Cost| (cost.viewers as f64, cost.processor * 100.0);
            costs.iter().map(point).collect()
        };
        let plot = Plot {
            title: "Processor time of the sender (% of one core)",
            across: Across::ByLogarithm("viewers, each at 2 Mbit/s"),
            lines: vec![
                Line {
                    name: "webrtcsink 0.15.4",
                    points: points(&self.film.published),
                },
                Line {
                    name: "Wigwag",
                    points: points(&self.film.ours),
                },
            ],
        };
        fs::write(folder.join("pictures/fan-out.svg"), plot.svg())?;
        Ok(())
    }

    fn costs(&self) -> [(&'static str, &Costs); 2] {
        [
            ("A film of 720p30 at 2 Mbit/s, encoded already", &self.film),
            ("An encoder at 640×360 and 1 Mbit/s", &self.live),
        ]
    }

    fn fewest_frames(&self) -> AtLeast {
        let fewest = |costs: &[Cost]| {
            let each = costs.iter().map(|cost| cost.watched.fewest_frames);
            each.fold(f64::INFINITY, f64::min)
        };
        AtLeast {
            what: "frames a second, the viewer with the fewest",
            reference: fewest(&self.film.published),
            ours: fewest(&self.film.ours).min(fewest(&self.live.ours)),
            target: LEAST_FRAMES,
        }
    }

    fn rows(&self) -> Vec<Row> {
        let many = self.film.ours.last();
        let most = |name: fn(&Cost) -> f64| many.map_or(f64::NAN, name);
        let ratio = |costs: &[Cost], viewers: Option<usize>| {
            let of = |cost: &&Cost| viewers.is_none_or(|viewers| cost.viewers == viewers);
            let many = costs
                .iter()
                .rfind(of)
                .map_or(f64::NAN, |cost| cost.processor);
            many / costs.first().map_or(f64::NAN, |cost| cost.processor)
        };
        let gap = |what, ours: f64| row(what, "ms", None, ours, Some(GAP));
        let (joins, misbehaviour) = (&self.joins, &self.misbehaviour);
        vec![
            row("sending, a packet, the floor", "us", None, self.floor, None),
            row(
                "sending, a packet, 400 viewers",
                "us",
                None,
                most(Cost::per_packet),
                Some(PER_PACKET),
            ),
            row(
                "sending to 400 viewers",
                "cores",
                None,
                most(|cost| cost.sending),
                Some(1.0),
            ),
            row(
                "memory of one more viewer",
                "KiB",
                grown(&self.film.published, |cost| cost.memory / 1024.0),
                grown(&self.film.ours, |cost| cost.memory / 1024.0).unwrap_or(f64::NAN),
                Some(KIB_PER_VIEWER),
            ),
            row(
                "threads of one more viewer",
                "threads",
                grown(&self.film.published, |cost| cost.threads as f64),
                // A thread that ended meanwhile, as they do after a start, is no viewer's.
                grown(&self.film.ours, |cost| cost.threads as f64)
                    .map_or(f64::NAN, |threads| threads.max(0.0)),
                Some(0.0),
            ),
            row(
                "encoder and ten viewers (published: four) to one",
                "ratio",
                Some(ratio(&self.live.published, None)),
                ratio(&self.live.ours, Some(LIVE_RATIO_VIEWERS)),
                Some(LIVE_RATIO),
            ),
            row(
                "first frame, single joins, p50",
                "ms",
                Some(joins.single_of_published.first_frame(0.5)),
                joins.single.first_frame(0.5),
                Some(SINGLE_JOIN),
            ),
            row(
                "first frame, 100 at once (published: four), p99",
                "ms",
                Some(joins.burst_of_published.first_frame(0.99)),
                joins.burst.first_frame(0.99),
                Some(BURST_JOIN),
            ),
            gap("worst gap while 100 join", joins.watchers.worst_gap),
            gap(
                "worst gap while a tenth vanishes",
                misbehaviour.vanish.watched.worst_gap,
            ),
            gap(
                "worst gap while a tenth freezes",
                misbehaviour.freeze.watched.worst_gap,
            ),
            gap(
                "worst gap in a flood of datagrams",
                misbehaviour.flood.watched.worst_gap,
            ),
            row(
                "pause of the machine in these four, at most",
                "ms",
                None,
                [
                    &misbehaviour.vanish,
                    &misbehaviour.freeze,
                    &misbehaviour.flood,
                ]
                .map(|noticed| noticed.pause)
                .into_iter()
                .fold(joins.pause, f64::max),
                None,
            ),
        ]
    }
}

/// What follows is written anew.
const BEGIN: &str = "<!-- results -->";

fn row(
    what: &str,
    unit: &'static str,
    reference: Option<f64>,
    ours: f64,
    target: Option<f64>,
) -> Row {
    Row {
        what: what.to_owned(),
        unit,
        reference,
        ours,
        median_ratio: None,
        target: target.map(Target::Absolute),
    }
}

/// By how much a figure grows with one more viewer.
fn grown(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> Option<f64> {
    let (first, last) = (costs.first()?, costs.last()?);
    let viewers = last
        .viewers
        .checked_sub(first.viewers)
        .filter(|more| *more > 0)?;
    Some((figure(last) - figure(first)) / viewers as f64)
}

fn table(costs: &Costs) -> String {
    let mut text = String::from(
        "| | viewers | processor (%) | sending (us a packet) | memory (MiB) | threads | frames/s, fewest | kbit/s each | worst gap (ms) | failed | processor of the viewers (%) |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (name, costs) in [
        ("webrtcsink 0.15.4", &costs.published),
        ("Wigwag", &costs.ours),
    ] {
        for cost in costs {
            let per_packet = match cost.sending {
                0.0 => "-".to_owned(),
                _ => format!("{:.2}", cost.per_packet()),
            };
            let watched = &cost.watched;
            let _ = writeln!(
                text,
                "| {name} | {} | {:.1} | {per_packet} | {:.1} | {} | {:.1} | {:.0} | {:.0} | {} | {:.0} |",
                cost.viewers,
                cost.processor * 100.0,
                cost.memory / 1024.0 / 1024.0,
                cost.threads,
                watched.fewest_frames,
                watched.bits / cost.viewers as f64 / 1e3,
                watched.worst_gap,
                watched.failed,
                watched.load * 100.0,
            );
        }
    }
    text
}
