//! Viewers as `wigwag load` makes them: processes of their own, which count frames and do not decrypt.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Viewers that watch; they end when this is dropped.
pub(crate) struct Audience(Option<Child>);

/// What viewers got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// From the call to the first whole frame, in milliseconds, in order. Who got none is not here.
    pub(crate) first_frames: Vec<f64>,
    /// Frames a second of the viewer with the fewest.
    pub(crate) fewest_frames: f64,
    /// The longest time between two frames of any viewer, in milliseconds.
    pub(crate) worst_gap: f64,
    /// While all watched: to all viewers together, in a second.
    pub(crate) packets: f64,
    pub(crate) bits: f64,
    /// Viewers that got nothing, or not to the end.
    pub(crate) failed: usize,
    /// Processor time of the viewers, in seconds for each second that all watched.
    pub(crate) load: f64,
}

impl Audience {
    /// So many viewers begin, one after the other or all at once, and watch for a time from the last join on.
    pub(crate) fn join(
        program: &Path,
        server: SocketAddr,
        viewers: usize,
        stagger: Duration,
        time: Duration,
    ) -> Result<Self> {
        let child = Command::new(program)
            .arg("load")
            .arg(format!("ws://{server}"))
            .arg(format!("--viewers={viewers}"))
            .arg(format!("--stagger={}ms", stagger.as_millis()))
            .arg(format!("--seconds={}ms", time.as_millis()))
            .args(["--decrypt=none", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the viewers")?;
        Ok(Self(Some(child)))
    }

    /// Waits for the end, and returns what they got.
    pub(crate) async fn watched(mut self) -> Result<Watched> {
        let child = self.0.take().context("they watch")?;
        let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("the viewers say nothing ({})", output.status))?;
        Watched::read(&report)
    }

    /// Ends them all at once, as when their machine loses power.
    pub(crate) fn vanish(mut self) {
        self.end();
    }

    /// Stops them without a word; they keep their sockets.
    pub(crate) fn freeze(&self) -> Result<()> {
        let Some(child) = &self.0 else {
            return Ok(());
        };
        let status = Command::new("kill")
            .arg("-STOP")
            .arg(child.id().to_string())
            .status()?;
        if !status.success() {
            bail!("the viewers cannot be stopped");
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        self.end();
    }
}

impl Watched {
    fn read(report: &Value) -> Result<Self> {
        let viewers = report["viewers"].as_array().context("the viewers")?;
        let processes = report["processes"].as_array().context("the processes")?;
        let each = |name: &'static str| {
            viewers
                .iter()
                .filter_map(move |viewer| viewer[name].as_f64())
        };
        let steady = |name: &str| -> f64 {
            let rates = processes.iter().filter_map(|process| {
                let steady = &process["steady"];
                Some(steady[name].as_f64()? / steady["seconds"].as_f64()?)
            });
            rates.sum()
        };
        let mut first_frames: Vec<f64> = each("first_frame_ms").collect();
        first_frames.sort_unstable_by(f64::total_cmp);
        let failed = viewers.iter().filter(|viewer| !viewer["failure"].is_null());
        Ok(Self {
            first_frames,
            fewest_frames: each("frames_per_second").fold(f64::INFINITY, f64::min),
            worst_gap: each("worst_gap_ms").fold(0.0, f64::max),
            packets: steady("packets"),
            bits: steady("bytes") * 8.0,
            failed: failed.count(),
            load: steady("cpu_seconds"),
        })
    }

    /// The first frame that so large a share of the viewers saw before, in milliseconds.
    pub(crate) fn first_frame(&self, share: f64) -> f64 {
        let last = self.first_frames.len().saturating_sub(1);
        let place = (self.first_frames.len() as f64 * share).ceil() as usize;
        let place = place.saturating_sub(1).min(last);
        self.first_frames.get(place).copied().unwrap_or(f64::NAN)
    }
}
