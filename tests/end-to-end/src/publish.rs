//! `wigwag publish` as a child process, and what it publishes: files and an RTSP server.
//!
//! The program is the one of `WIGWAG_SERVE`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::gst_plugin_webrtc::{Endpoint, listen};
use crate::{DEADLINE, Peer, environment, port};

/// With Debian's bindings of GStreamer, whatever other Python there is.
const PYTHON: &str = "/usr/bin/python3";

// A listener that misses a producer never hears of it: see `gst_plugin_webrtc`.
const LISTENER_PATIENCE: Duration = Duration::from_secs(10);

/// A running `wigwag publish`, killed when dropped.
#[derive(Debug)]
pub struct Published {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Published {
    /// Starts it with these arguments; media stays on the loopback interface.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_with(arguments, &[])
    }

    /// Starts it with these arguments, and environment variables besides the test's own.
    pub fn start_with(arguments: &[&str], environment: &[(&str, &Path)]) -> Result<Self> {
        let serve = environment::required("WIGWAG_SERVE")?;
        let program = serve
            .split_whitespace()
            .next()
            .context("WIGWAG_SERVE names no program")?;
        let mut child = Command::new(program)
            .arg("publish")
            .args(arguments)
            .env("WIGWAG_ADDRESSES", "127.0.0.1")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let (sender, lines) = channel();
        forward(child.stdout.take(), sender.clone());
        forward(child.stderr.take(), sender);
        Ok(Self {
            child,
            lines,
            heard: Vec::new(),
        })
    }

    /// Waits for a line that contains this text, or takes one that was there before.
    pub fn wait_for_line(&mut self, text: &str) -> Result<String> {
        if let Some(line) = self.heard.iter().find(|line| line.contains(text)) {
            return Ok(line.clone());
        }
        self.wait_for_new_line(text)
    }

    /// Waits for a line that contains this text and comes from now on.
    pub fn wait_for_new_line(&mut self, text: &str) -> Result<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if line.contains(text) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no \"{text}\" within {DEADLINE:?}; {}", self.transcript())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it ended without \"{text}\"; {}", self.transcript())
                }
            }
        }
    }

    /// All lines so far.
    pub fn lines(&mut self) -> &[String] {
        self.heard.extend(self.lines.try_iter());
        &self.heard
    }

    /// Waits until it ends by itself.
    pub fn wait_for_exit(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                // What it wrote is complete when both ends are closed.
                self.heard.extend(self.lines.iter());
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("it did not end within {DEADLINE:?}; {}", self.transcript())
    }

    /// Sends a signal, like `TERM`, and waits until it ended.
    pub fn signal(&mut self, name: &str) -> Result<ExitStatus> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status()?;
        ensure!(sent.success(), "cannot send SIG{name}");
        self.wait_for_exit()
    }

    fn transcript(&mut self) -> String {
        format!("it wrote:\n{}", self.lines().join("\n"))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The test harness shows this only for a test that failed.
        eprintln!("wigwag publish: {}", self.transcript());
    }
}

/// The id of the producer with this name, once the server lists it.
pub fn producer_named(endpoint: &Endpoint, name: &str) -> Result<String> {
    let give_up = Instant::now() + DEADLINE;
    loop {
        let mut listener = listen(endpoint)?;
        let heard = listener.wait_within(LISTENER_PATIENCE, "producer-added", |event| {
            event["name"] == name
        });
        match heard {
            Ok(event) => {
                listener.stop()?;
                let id = event["peer"].as_str().map(str::to_owned);
                return id.context("a producer without an id");
            }
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => (),
        }
    }
}

/// A folder with media files, removed with this value.
#[derive(Debug)]
pub struct Media(TempDir);

impl Media {
    /// An empty folder.
    pub fn new() -> Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    /// Makes a file with a moving picture of 320 by 240 pixels, 30 times a second, and a tone, from what
    /// encodes both and what puts them together.
    pub fn make(
        &self,
        name: &str,
        seconds: u32,
        video: &str,
        audio: &str,
        container: &str,
    ) -> Result<PathBuf> {
        let path = self.path(name);
        let pictures = seconds * 30;
        // 1,024 samples a buffer.
        let sounds = seconds * 48_000 / 1_024;
        let pipeline = format!(
            "videotestsrc num-buffers={pictures} pattern=ball \
             ! video/x-raw,width=320,height=240,framerate=30/1 ! {video} ! queue ! {container} name=file \
             ! filesink location={} audiotestsrc num-buffers={sounds} \
             ! audio/x-raw,rate=48000,channels=2 ! {audio} ! queue ! file.",
            path.display()
        );
        let output = Command::new("gst-launch-1.0")
            .args(["-q", "-e"])
            .args(pipeline.split_whitespace())
            .output()
            .context("cannot start gst-launch-1.0")?;
        ensure!(
            output.status.success(),
            "{name} was not made: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(path)
    }

    /// The path of a file in the folder.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Debian's RTSP server with one stream of H.264.
#[derive(Debug)]
pub struct RtspServer {
    port: u16,
    options: Vec<String>,
    running: Peer,
}

impl RtspServer {
    /// Starts it on a free port.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with options, as `rtsp_server.py` lists them.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        let port = port::free()?;
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let running = Self::run(port, &options)?;
        Ok(Self {
            port,
            options,
            running,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until somebody asks for the stream, once more than before.
    pub fn wait_until_asked(&mut self) -> Result<()> {
        self.running.wait_for("asked")?;
        Ok(())
    }

    /// The address of the stream.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("rtsp://127.0.0.1:{}/stream", self.port)
    }

    /// Kills it without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.running.kill()
    }

    /// Starts it again on the same port, after [`kill`](Self::kill).
    pub fn start_again(&mut self) -> Result<()> {
        self.running = Self::run(self.port, &self.options)?;
        Ok(())
    }

    /// Starts it again with other options, after [`kill`](Self::kill).
    pub fn start_again_with(&mut self, options: &[&str]) -> Result<()> {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self.start_again()
    }

    fn run(port: u16, options: &[String]) -> Result<Peer> {
        let mut command = Command::new(PYTHON);
        command.args(["-c", include_str!("publish/rtsp_server.py")]);
        command.arg(port.to_string()).args(options);
        let mut running = Peer::start("rtsp_server.py", command)?;
        running.wait_for("serving")?;
        Ok(running)
    }
}

fn forward(pipe: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(pipe) = pipe else {
        return;
    };
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}
