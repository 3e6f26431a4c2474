//! Honest viewers, a process of `wigwag load`, and what they got.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use wigwag_link::Namespace;

use super::network::{Network, VIEWERS as ADDRESS};
use super::processes::Process;

/// How many watch what for how long.
pub(super) struct Audience<'a> {
    pub(super) viewers: usize,
    /// Names, which share the viewers by turns.
    pub(super) cameras: &'a [String],
    /// From one viewer to the next.
    pub(super) stagger: Duration,
    /// From the last one to the end.
    pub(super) time: Duration,
}

/// A process of viewers.
pub(super) struct Viewers(Process);

/// What viewers got.
pub(super) struct Watched {
    pub(super) viewers: usize,
    /// Why some did not watch to the end.
    pub(super) failures: Vec<String>,
    /// From a call to the first picture, in milliseconds, in order.
    pub(super) first_frames: Vec<f64>,
    /// The largest of any viewer, in milliseconds.
    pub(super) gap: f64,
    /// Of all together once all had come; none if that is not known.
    pub(super) kilobits_per_second: Option<f64>,
}

impl Viewers {
    pub(super) fn start(
        program: &Path,
        host: &Namespace,
        audience: &Audience<'_>,
        name: &str,
    ) -> Result<Self> {
        let mut load = Command::new(program);
        load.args(["load", &format!("ws://{}", Network::server_address())])
            .arg(format!("--bind={ADDRESS}"))
            .arg(format!("--viewers={}", audience.viewers))
            .arg(format!("--stagger={}ms", audience.stagger.as_millis()))
            .arg(format!("--seconds={}ms", audience.time.as_millis()))
            .args(["--decrypt=none", "--json"]);
        for camera in audience.cameras {
            load.args(["--producer", camera]);
        }
        Process::start(host, &load, name).map(Self)
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until they have watched.
    pub(super) fn finish(mut self) -> Result<Watched> {
        let report: Value = self.0.hear()?;
        Watched::read(&report)
    }
}

impl Watched {
    fn read(report: &Value) -> Result<Self> {
        let viewers = report["viewers"].as_array().context("viewers")?;
        let failures = viewers.iter().filter_map(|one| one["failure"].as_str());
        let figures = |name: &'static str| viewers.iter().filter_map(move |one| one[name].as_f64());
        let mut first_frames: Vec<_> = figures("first_frame_ms").collect();
        first_frames.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            viewers: viewers.len(),
            failures: failures.map(ToOwned::to_owned).collect(),
            first_frames,
            gap: figures("worst_gap_ms").fold(0.0, f64::max),
            kilobits_per_second: report["summary"]["generator"]["kilobits_per_second"].as_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn report_gives_what_all_viewers_got() {
        let report = json!({
            "summary": {"generator": {"kilobits_per_second": 7.5}},
            "viewers": [
                {"first_frame_ms": 90.0, "worst_gap_ms": 40.0, "failure": null},
                {"first_frame_ms": 80.0, "worst_gap_ms": 70.0, "failure": "the sender ended it"},
                {"first_frame_ms": null, "worst_gap_ms": 0.0, "failure": "no offer"},
            ],
        });
        let watched = Watched::read(&report).expect("a report");
        assert_eq!(watched.viewers, 3);
        assert_eq!(watched.failures, ["the sender ended it", "no offer"]);
        assert_eq!(watched.first_frames, [80.0, 90.0]);
        assert_eq!(watched.gap, 70.0);
        assert_eq!(watched.kilobits_per_second, Some(7.5));
        assert!(Watched::read(&json!({})).is_err());
    }
}
