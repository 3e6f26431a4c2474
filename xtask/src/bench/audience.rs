//! `cargo xtask bench audience`: what a report of a viewer's estimate costs the sender's audience, with few and with very many
//! viewers. It must not grow with their number.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::table::{Row, Target, print};
use crate::commands::{cargo, command, must_run, say, shown};
use crate::places;

/// A thousand viewers, and ten times as many.
const VIEWERS: [u32; 2] = [1_000, 10_000];
/// Of each number, one after the other; the median counts.
const ROUNDS: usize = 5;
/// In microseconds, with a thousand viewers.
const PER_ESTIMATE: f64 = 3.0;
/// How many times as much with ten times as many viewers.
const GROWTH: f64 = 1.5;

pub(crate) fn run() -> Result<ExitCode> {
    say("Building the audience under measurement");
    let build = ["build", "--quiet", "--locked", "--profile", "load"];
    let what = ["--package", "wigwag-media", "--example", "audience"];
    must_run(&mut cargo(&[&build[..], &what[..]].concat()))?;

    say("Measuring");
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (viewers, of_number) in VIEWERS.iter().zip(&mut rounds) {
            of_number.push(measure(*viewers)?);
        }
    }
    let [few, many] = rounds.map(|of_number| Cost {
        estimate: median(of_number.iter().map(|cost| cost.estimate)),
        join: median(of_number.iter().map(|cost| cost.join)),
    });
    let row = |what: &str, unit, ours, target| Row {
        what: what.to_owned(),
        unit,
        reference: None,
        ours,
        median_ratio: None,
        target,
    };
    let absolute = |most| Some(Target::Absolute(most));
    print(&[
        row(
            "an estimate, 1,000 viewers",
            "us",
            few.estimate,
            absolute(PER_ESTIMATE),
        ),
        row("an estimate, 10,000 viewers", "us", many.estimate, None),
        row(
            "an estimate, 10,000 viewers by 1,000",
            "times",
            many.estimate / few.estimate,
            absolute(GROWTH),
        ),
        row("a join, 1,000 viewers", "us", few.join, None),
        row("a join, 10,000 viewers", "us", many.join, None),
    ]);
    Ok(ExitCode::SUCCESS)
}

/// In microseconds.
struct Cost {
    estimate: f64,
    join: f64,
}

fn measure(viewers: u32) -> Result<Cost> {
    let program = places::target().join("load/examples/audience");
    let mut program = command(&program.display().to_string(), &[]);
    program.arg(viewers.to_string());
    let output = program.output().context("cannot run the example")?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(&program), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text
        .split_whitespace()
        .filter_map(|figure| figure.parse().ok())
        .collect();
    match figures[..] {
        [_, estimate, join] => Ok(Cost {
            estimate: estimate / 1e3,
            join: join / 1e3,
        }),
        _ => bail!("`{}` printed {text:?}", shown(&program)),
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
