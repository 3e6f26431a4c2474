//! Sources that `wigwag publish` is pointed at and that are no files or RTSP: senders over UDP and SRT, cameras of HTTP.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{DEADLINE, Peer, port};

const PYTHON: &str = "/usr/bin/python3";

/// A live H.264 transport stream, for the sink that follows.
const LIVE: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! \
     x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=constrained-baseline ! \
     h264parse config-interval=1 ! mpegtsmux alignment=7 !";

/// A `gst-launch-1.0` that sends, killed when dropped.
#[derive(Debug)]
pub struct Sender {
    child: Child,
}

impl Sender {
    /// Sends to a port of this machine over UDP.
    pub fn udp(port: u16) -> Result<Self> {
        Self::start(&format!("udpsink host=127.0.0.1 port={port}"))
    }

    /// Calls a port of this machine over SRT.
    pub fn srt(port: u16) -> Result<Self> {
        Self::start(&format!(
            "srtsink uri=srt://127.0.0.1:{port}?mode=caller wait-for-connection=false"
        ))
    }

    /// Calls a port of this machine over TCP, where somebody listens already.
    pub fn tcp_caller(port: u16) -> Result<Self> {
        Self::start(&format!("tcpclientsink host=127.0.0.1 port={port}"))
    }

    /// Lets others call a port of this machine over TCP.
    pub fn tcp_listener(port: u16) -> Result<Self> {
        Self::start(&format!("tcpserversink host=127.0.0.1 port={port}"))
    }

    fn start(sink: &str) -> Result<Self> {
        let child = Command::new("gst-launch-1.0")
            .arg("-q")
            .args(LIVE.split_whitespace())
            .args(sink.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start gst-launch-1.0")?;
        Ok(Self { child })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A camera of HTTP.
#[derive(Debug)]
pub struct HttpCamera {
    port: u16,
    kind: &'static str,
    running: Peer,
}

impl HttpCamera {
    /// One that gives a stream without an end.
    pub fn live() -> Result<Self> {
        Self::start("live")
    }

    /// One that gives one JPEG picture each time.
    pub fn snapshots() -> Result<Self> {
        Self::start("snapshot")
    }

    fn start(kind: &'static str) -> Result<Self> {
        let port = port::free()?;
        let running = Self::run(port, kind)?;
        Ok(Self {
            port,
            kind,
            running,
        })
    }

    /// The address of what it gives.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/camera", self.port)
    }

    /// Waits until somebody asks, once more than before.
    pub fn wait_until_asked(&mut self) -> Result<()> {
        self.running.wait_for("asked")?;
        Ok(())
    }

    /// Kills it without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.running.kill()
    }

    /// Starts it again on the same port, after [`kill`](Self::kill).
    pub fn start_again(&mut self) -> Result<()> {
        self.running = Self::run(self.port, self.kind)?;
        Ok(())
    }

    fn run(port: u16, kind: &str) -> Result<Peer> {
        let mut command = Command::new(PYTHON);
        command.args(["-c", include_str!("publish/http_camera.py")]);
        command.args([&port.to_string(), kind]);
        let mut running = Peer::start("http_camera.py", command)?;
        running.wait_for("serving")?;
        Ok(running)
    }
}

/// A UDP port that nobody uses.
pub fn udp_port() -> Result<u16> {
    port::free()
}

/// A port of TCP that nobody listens on.
pub fn tcp_port() -> Result<u16> {
    port::free()
}

/// Waits until somebody listens on a port of TCP, without a call.
pub fn wait_for_listener(port: u16) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    while TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
        ensure!(Instant::now() < end, "nobody listens on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
