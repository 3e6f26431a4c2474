//! A `webrtcsink` under measurement: a process of its own with a test picture.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::load::Peer;
use super::server_process::ServerProcess;

const DEADLINE: Duration = Duration::from_secs(30);

/// What both sinks are given, and told to make of it.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// In bit/s: what the encoder makes, whatever viewers can take.
    pub(crate) bitrate: u32,
}

pub(crate) struct SinkProcess {
    child: Child,
    encoders: Arc<AtomicUsize>,
    /// The producer's id at the server.
    pub(crate) producer: String,
}

impl SinkProcess {
    /// Starts our sink from the folder of the plugin, and waits until it is listed.
    pub(crate) async fn ours(
        plugin: &Path,
        server: &ServerProcess,
        picture: &Picture,
    ) -> Result<Self> {
        let Picture {
            width,
            height,
            bitrate,
        } = picture;
        let caps = format!("video/x-raw,width={width},height={height},framerate=30/1");
        let mut command = Command::new("gst-launch-1.0");
        command
            .args(["-q", "videotestsrc", "is-live=true", "!", &caps, "!"])
            .args(["webrtcsink", "stun-server=\"\"", "video-caps=video/x-vp8"])
            .arg("congestion-control=disabled")
            .arg(format!("max-bitrate={bitrate}"))
            .arg(format!("signaller::uri=ws://{}", server.address))
            .env("GST_PLUGIN_PATH", plugin)
            .env("GST_DEBUG", "webrtcsink:4")
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("WIGWAG_ADDRESSES", "127.0.0.1");
        Self::start(command, server).await
    }

    /// Starts the published sink in its program, and waits until it is listed.
    pub(crate) async fn published(
        program: &Path,
        server: &ServerProcess,
        picture: &Picture,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("produce")
            .arg(format!("--uri=ws://{}", server.address))
            .arg(format!("--width={}", picture.width))
            .arg(format!("--height={}", picture.height))
            .arg(format!("--bitrate={}", picture.bitrate));
        Self::start(command, server).await
    }

    async fn start(mut command: Command, server: &ServerProcess) -> Result<Self> {
        let mut child = command
            // The published sink's program ends with its input.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let encoders = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            let encoders = Arc::clone(&encoders);
            std::thread::spawn(move || count_encoders(BufReader::new(stderr), &encoders));
        }
        let mut sink = Self {
            child,
            encoders,
            producer: String::new(),
        };
        sink.producer = sink.listed(server).await?;
        Ok(sink)
    }

    /// Encoders that were started so far. The published sink does not say.
    pub(crate) fn encoders(&self) -> usize {
        self.encoders.load(Ordering::Relaxed)
    }

    /// Time on a processor so far, thread by thread; the kernel's work for them included.
    pub(crate) fn processor_time(&self) -> Result<ProcessorTime> {
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?;
            // A thread may end while its figure is read.
            if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
                let first = text.split_whitespace().next().context("schedstat")?;
                let spent = Duration::from_nanos(first.parse()?);
                let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                threads.insert(task.file_name(), (name, spent));
            }
        }
        Ok(ProcessorTime(threads))
    }

    async fn listed(&mut self, server: &ServerProcess) -> Result<String> {
        let mut peer = Peer::connect(server.address).await?;
        let start = Instant::now();
        loop {
            peer.send(r#"{"type":"list"}"#).await?;
            let list = peer.receive("list").await?;
            if let Some(id) = list["producers"][0]["id"].as_str() {
                return Ok(id.to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the sink ended with {status}");
            }
            if start.elapsed() > DEADLINE {
                bail!("the sink is not listed");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The threads of a process, by their numbers, with their names. The time of the whole process is known in
/// hundredths of a second only, and many viewers cost a few of these.
pub(crate) struct ProcessorTime(BTreeMap<OsString, (String, Duration)>);

impl ProcessorTime {
    /// What was spent since, but for the last moments of threads that ended meanwhile.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        self.of_threads_since(before, "")
    }

    /// The same, of the threads whose names begin so.
    pub(crate) fn of_threads_since(&self, before: &Self, name: &str) -> Duration {
        let named = self
            .0
            .iter()
            .filter(|(_, (this, _))| this.starts_with(name));
        let spent = named.map(|(thread, (_, now))| {
            let before = before.0.get(thread).map(|(_, before)| *before);
            now.saturating_sub(before.unwrap_or_default())
        });
        spent.sum()
    }
}

impl Drop for SinkProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count_encoders(stderr: impl BufRead, encoders: &AtomicUsize) {
    for line in stderr.lines().map_while(Result::ok) {
        if line.contains(" starts: ") {
            encoders.fetch_add(1, Ordering::Relaxed);
        }
    }
}
