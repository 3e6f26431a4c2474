//! A sender under measurement: a process of its own, with a signalling server beside it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, fs};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::bench::load::Peer;
use crate::bench::server_process::ServerProcess;

const DEADLINE: Duration = Duration::from_secs(30);
/// What the names of the threads begin with that encrypt and send. The published sink has none for that alone.
const SENDING_THREADS: &str = "wigwag-shard";

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A film that is encoded already.
    Film(PathBuf),
    /// A test picture of 640×360 and an encoder at 1 Mbit/s.
    Live,
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Implementation<'a> {
    /// Our element, from the folder of the plugin, and our command.
    Wigwag { plugin: &'a Path, program: &'a Path },
    /// The published element in its program.
    Published { program: &'a Path },
}

pub(crate) struct Sender {
    child: Child,
    server: ServerProcess,
    /// Its id at the server.
    pub(crate) producer: String,
}

/// What a process took so far.
pub(crate) struct Reading {
    at: Instant,
    threads: BTreeMap<OsString, (String, Duration)>,
}

impl fmt::Display for Implementation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wigwag { .. } => "wigwag",
            Self::Published { .. } => "published",
        })
    }
}

impl Sender {
    /// Starts a sender, and waits until it is listed.
    pub(crate) async fn start(
        implementation: Implementation<'_>,
        server: &Path,
        source: &Source,
    ) -> Result<Self> {
        let server = ServerProcess::start(server, &["serve"])?;
        let uri = format!("ws://{}", server.address);
        let mut command = match (implementation, source) {
            (Implementation::Wigwag { program, .. }, Source::Film(film)) => {
                let mut command = Command::new(program);
                command.arg("publish").arg(film).args([
                    "--loop",
                    "--max-viewers=0",
                    "--server",
                    &uri,
                ]);
                command
            }
            (Implementation::Wigwag { plugin, .. }, Source::Live) => ours_live(plugin, &uri),
            (Implementation::Published { program }, source) => {
                let mut command = Command::new(program);
                command.arg("produce").arg(format!("--uri={uri}"));
                match source {
                    Source::Film(film) => command.arg("--film").arg(film),
                    Source::Live => {
                        command.args(["--width=640", "--height=360", "--bitrate=1000000"])
                    }
                };
                command
            }
        };
        let child = command
            .env("WIGWAG_ADDRESSES", "127.0.0.1")
            // The published sink's program ends with its input.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut sender = Self {
            child,
            server,
            producer: String::new(),
        };
        sender.producer = sender.listed().await?;
        Ok(sender)
    }

    /// The address of its signalling server.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server.address
    }

    /// Time on a processor so far, thread by thread; the kernel's work for them included.
    pub(crate) fn reading(&self) -> Result<Reading> {
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?;
            // A thread may end while its figure is read.
            if let Ok(spent) = processor_time(&task.path()) {
                let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                threads.insert(task.file_name(), (name, spent));
            }
        }
        let at = Instant::now();
        Ok(Reading { at, threads })
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|value| value.split_whitespace().next());
        Ok(kibibytes.context("the process is gone")?.parse::<f64>()? * 1024.0)
    }

    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    async fn listed(&mut self) -> Result<String> {
        let mut peer = Peer::connect(self.server.address).await?;
        let start = Instant::now();
        loop {
            peer.send(r#"{"type":"list"}"#).await?;
            let list = peer.receive("list").await?;
            if let Some(id) = list["producers"][0]["id"].as_str() {
                return Ok(id.to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the sender ended with {status}");
            }
            if start.elapsed() > DEADLINE {
                bail!("the sender is not listed");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Reading {
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn seconds_since(&self, before: &Self) -> f64 {
        self.at.duration_since(before.at).as_secs_f64()
    }

    /// Processor time spent since, in seconds, but for the last moments of threads that ended meanwhile.
    pub(crate) fn spent_since(&self, before: &Self) -> f64 {
        self.spent_by(before, |_| true)
    }

    /// The same, of the threads that do nothing but send.
    pub(crate) fn spent_sending_since(&self, before: &Self) -> f64 {
        self.spent_by(before, |name| name.starts_with(SENDING_THREADS))
    }

    fn spent_by(&self, before: &Self, counts: impl Fn(&str) -> bool) -> f64 {
        let counted = self.threads.iter().filter(|(_, (name, _))| counts(name));
        let spent = counted.map(|(thread, (_, now))| {
            let before = before.threads.get(thread).map(|(_, before)| *before);
            now.saturating_sub(before.unwrap_or_default())
        });
        spent.sum::<Duration>().as_secs_f64()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of the thread that calls.
#[cfg(feature = "fan-out")]
pub(crate) fn thread_time() -> Result<Duration> {
    processor_time(Path::new("/proc/thread-self"))
}

fn processor_time(task: &Path) -> Result<Duration> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let nanoseconds = text.split_whitespace().next().context("schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn ours_live(plugin: &Path, uri: &str) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    let caps = "video/x-raw,width=640,height=360,framerate=30/1";
    command
        .args(["-q", "videotestsrc", "is-live=true", "!", caps, "!"])
        .args(["webrtcsink", "stun-server=\"\"", "video-caps=video/x-vp8"])
        .args(["congestion-control=disabled", "max-bitrate=1000000"])
        .arg("max-consumers=0")
        .arg(format!("signaller::uri={uri}"))
        .env("GST_PLUGIN_PATH", plugin);
    command
}
