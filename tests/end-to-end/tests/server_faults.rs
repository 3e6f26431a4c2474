//! What goes wrong on real networks and machines, with a real server in a process of its own: what strangers do to it
//! stays theirs.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use wigwag_end_to_end::{Client, DEADLINE, Lines, Namespace, SignallingServer};

/// Calls that must get through while others flood the server.
const CALLS: usize = 11;

#[test]
fn half_open_connections_are_found_out() -> Result<()> {
    let at_server = Namespace::new()?;
    let at_peer = at_server.beside()?;
    at_server.connect(&["198.51.100.1/24"], &at_peer, &["198.51.100.2/24"])?;
    let address = "198.51.100.1:8443";
    let serve = env::var("WIGWAG_SERVE").context("WIGWAG_SERVE")?;
    let mut words = serve.split_whitespace();
    let mut server = Command::new(words.next().context("a program")?);
    server
        .args(words)
        .args(["--host", "198.51.100.1", "--keepalive-timeout", "2"]);
    let mut server = at_server.enter(&server);
    let mut server = Running(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let watcher = CableEnd::start(&at_server, "watch", address)?;
    ensure!(watcher.line()? == "listening", "the watcher listens");
    let lost = CableEnd::start(&at_peer, "stay", address)?;
    let id = lost.line()?;
    ensure!(
        watcher.line()? == format!("there {id}"),
        "the watcher hears of it"
    );

    at_peer.pull_cable()?;
    // Two seconds of silence, thirty for an answer, and what the machine takes.
    ensure!(
        watcher.line()? == format!("gone {id}"),
        "the server lets go"
    );
    ensure!(server.0.try_wait()?.is_none(), "the server runs on");
    Ok(())
}

#[test]
fn slow_handshakes_end_and_hold_nobody_up() -> Result<()> {
    let server = SignallingServer::start()?;
    let address = server.address();
    let start = Instant::now();
    let slow: Vec<_> = (0..50)
        .map(|_| thread::spawn(move || handshake_a_byte_a_second(address)))
        .collect();
    let (mut visits, mut slowest) = (0, Duration::ZERO);
    while slow.iter().any(|one| !one.is_finished()) {
        let begin = Instant::now();
        Client::connect(address)?.sync()?;
        slowest = slowest.max(begin.elapsed());
        visits += 1;
        thread::sleep(Duration::from_millis(100));
    }
    for one in slow {
        let took = one.join().map_err(|_| anyhow::anyhow!("a panic"))??;
        ensure!(
            took > Duration::from_secs(5),
            "closed after {took:?} already"
        );
    }
    ensure!(
        visits > 10,
        "others came {visits} times in {:?}",
        start.elapsed()
    );
    println!("{visits} visits, the slowest took {slowest:?}");
    Ok(())
}

#[test]
fn floods_hold_nobody_up() -> Result<()> {
    let server = SignallingServer::start()?;
    let address = server.address();
    let memory = server.memory()?;
    let mut camera = Client::connect(address)?;
    camera.send(r#"{"type":"setPeerStatus","roles":["producer"]}"#)?;
    camera.sync()?;
    let over = Arc::new(AtomicBool::new(false));
    let status = json!({"type": "setPeerStatus", "roles": ["listener"], "meta": "m".repeat(2_000)});
    let floods = [
        status.to_string(),
        r#"{"type":"list"}"#.to_owned(),
        "nonsense".to_owned(),
        json!({"type": "endSession", "sessionId": "none"}).to_string(),
    ];
    let floods = floods.map(|text| {
        let over = Arc::clone(&over);
        thread::spawn(move || -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                let mut peer = Client::connect(address)?;
                // None of the answers is read, so the server closes it in the end, or takes no more.
                peer.socket
                    .get_ref()
                    .set_write_timeout(Some(Duration::from_secs(1)))?;
                while !over.load(Ordering::Relaxed) && peer.send(text.as_str()).is_ok() {}
            }
            Ok(())
        })
    });
    let mut slowest = Duration::ZERO;
    // Each step waits no longer than the tests' deadline.
    for _ in 0..CALLS {
        let begin = Instant::now();
        let mut viewer = Client::connect(address)?;
        let call = json!({"type": "startSession", "peerId": camera.id});
        viewer.send(call.to_string())?;
        let session = viewer.receive_type("sessionStarted")?["sessionId"].clone();
        camera.receive_type("startSession")?;
        let sdp = json!({"type": "offer", "sdp": "v=0\r\n"});
        let offer = json!({"type": "peer", "sessionId": session, "sdp": sdp});
        camera.send(offer.to_string())?;
        ensure!(
            viewer.receive_type("peer")?["sdp"] == sdp,
            "the offer is another"
        );
        slowest = slowest.max(begin.elapsed());
    }
    over.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().map_err(|_| anyhow::anyhow!("a panic"))??;
    }
    println!("{CALLS} calls, the slowest took {slowest:?}");
    let grown = server.memory()?.saturating_sub(memory) / 1024 / 1024;
    ensure!(grown < 128, "the server grew by {grown} MiB");
    Ok(())
}

#[test]
fn a_server_without_descriptors_keeps_whom_it_has_and_takes_others_later() -> Result<()> {
    let serve = env::var("WIGWAG_SERVE").context("WIGWAG_SERVE")?;
    let server = SignallingServer::start_program(&format!("prlimit --nofile=48:48 {serve}"))?;
    let address = server.address();
    let mut first = Client::connect(address)?;
    // The system accepts them all; the server can have some.
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(address)?);
    }
    for _ in 0..100 {
        first.sync()?;
    }
    drop(crowd);
    Client::connect(address)?.sync()?;
    first.sync()
}

/// How long the server lets one do this.
fn handshake_a_byte_a_second(address: SocketAddr) -> Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let start = Instant::now();
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n";
    for byte in head.bytes() {
        let written = stream.write_all(&[byte]);
        let closed = match stream.read(&mut [0; 256]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        if closed || written.is_err() {
            return Ok(start.elapsed());
        }
        ensure!(start.elapsed() < DEADLINE, "it is still let");
    }
    bail!("a whole head may be sent a byte a second")
}

/// A child that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client at an end of a cable, in a process of its own, and what it says.
struct CableEnd {
    _running: Running,
    lines: Lines,
}

impl CableEnd {
    fn start(namespace: &Namespace, role: &str, address: &str) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cable-end"));
        let mut command = namespace.enter(command.args([role, address]));
        let mut running = Running(command.stdout(Stdio::piped()).spawn()?);
        let lines = Lines::of(running.0.stdout.take().context("piped")?);
        Ok(Self {
            _running: running,
            lines,
        })
    }

    fn line(&self) -> Result<String> {
        self.lines.next(DEADLINE)
    }
}
