//! `cargo xtask bench first-frame`.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::table::{Row, Target, print};
use crate::commands::{command, say, shown};
use crate::install::Speed;
use crate::record::Record;
use crate::{install, peers, places};

/// In milliseconds, of every join.
const WORST: f64 = 300.0;

pub(crate) fn run() -> Result<ExitCode> {
    let mut record = Record::live();
    install::debian_packages(&mut record)?;
    let ours = peers::Programs::released(&mut record)?;
    let program = peers::gst_plugin_webrtc(&mut record, Speed::Released)?;
    let folder = places::root().join("tests/browser");
    let node = install::node(&mut record)?;
    install::npm_packages(&mut record, &folder, &node)?;

    say("Joining both sinks in Chromium, in turns");
    let mut node = command(
        &node.join("node").to_string_lossy(),
        &["bench-first-frame.mjs"],
    );
    node.current_dir(&folder)
        .env("WIGWAG_SERVE", ours.serve())
        .env("WIGWAG_PLUGIN", ours.plugin)
        .env("WIGWAG_PEER_GST_WEBRTC", program)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = node.output().context("cannot run node")?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(&node), output.status);
    }
    let joins: Value = serde_json::from_slice(&output.stdout).context("no results")?;
    let reference = Joins::read(&joins, "reference")?;
    let running = Joins::read(&joins, "running")?;
    let idle = Joins::read(&joins, "idle")?;
    println!("\nEvery join, in ms; the reference starts an encoder for each:");
    for (name, joins) in [
        ("reference", &reference),
        ("wigwag, encoder running", &running),
        ("wigwag, encoder not running", &idle),
    ] {
        let each = joins.0.iter().map(|join| format!("{join:.0}"));
        println!("{name:<28} {}", each.collect::<Vec<_>>().join(" "));
    }
    let row = |what: &str, ours: f64, reference: f64, target| Row {
        what: what.to_owned(),
        unit: "ms",
        reference: Some(reference),
        ours,
        median_ratio: None,
        target,
    };
    let (p50, worst) = (reference.p50(), reference.worst());
    print(&[
        row("encoder running: p50", running.p50(), p50, None),
        row(
            "encoder running: worst of ten",
            running.worst(),
            worst,
            Some(Target::Absolute(WORST)),
        ),
        row("encoder not running: p50", idle.p50(), p50, None),
        row(
            "encoder not running: worst of ten",
            idle.worst(),
            worst,
            Some(Target::Absolute(WORST)),
        ),
    ]);
    Ok(ExitCode::SUCCESS)
}

/// From `connect()` to the first frame, in milliseconds, the shortest first.
struct Joins(Vec<f64>);

impl Joins {
    fn read(all: &Value, name: &str) -> Result<Self> {
        let joins = all[name].as_array().context("no results")?;
        let mut joins: Vec<_> = joins.iter().filter_map(Value::as_f64).collect();
        joins.sort_unstable_by(f64::total_cmp);
        if joins.is_empty() {
            bail!("no joins of {name}");
        }
        Ok(Self(joins))
    }

    /// The middle one; of two, the longer.
    fn p50(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}
