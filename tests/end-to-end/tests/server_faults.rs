//! What goes wrong on real networks and machines, with a real server in a process of its own: what strangers do to it
//! stays theirs.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};
use wigwag_end_to_end::{DEADLINE, Namespace, SignallingServer};

/// What an idle connection may cost at the most here; the benchmark knows what it does cost.
const GENEROUS_BYTES: u64 = 24 * 1024;

const IDLE: usize = 10_000;

/// What the other end of a cable is told to do, when this program is started there again.
const ROLE: &str = "WIGWAG_TEST_ROLE";
const URL: &str = "WIGWAG_TEST_URL";

#[test]
fn ten_thousand_idle_peers_live_on_and_cost_newcomers_nothing() -> Result<()> {
    // Some more are in use by the other tests of this program.
    let allowed = rlimit::increase_nofile_limit(IDLE as u64 + 2_000)?;
    ensure!(
        allowed >= IDLE as u64 + 500,
        "only {allowed} descriptors are allowed"
    );
    let server = SignallingServer::start_with(&["--keepalive-timeout", "5"])?;
    let address = server.address();
    let newcomers = || -> Result<Duration> {
        let before = server.processor_time()?;
        for _ in 0..100 {
            Peer::connect(address)?;
        }
        Ok(server.processor_time()? - before)
    };
    // What the first connections make the server set up is not theirs.
    newcomers()?;
    let alone = newcomers()?;
    let memory = server.memory()?;
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(Peer::connect(address)?);
    }
    let grown = server.memory()?.saturating_sub(memory) / IDLE as u64;
    ensure!(
        grown < GENEROUS_BYTES,
        "an idle connection takes {grown} bytes"
    );

    // Two rounds of pings to each: answers to the first were understood.
    for _ in 0..2 {
        for peer in &mut idle {
            peer.answer_ping()?;
        }
    }
    // By the server's processor and not by a clock, which others on this machine move.
    let among_many = newcomers()?;
    let most = alone * 5 + Duration::from_millis(50);
    ensure!(
        among_many < most,
        "{among_many:?} among many, {alone:?} alone"
    );
    for peer in &mut idle {
        peer.sync()?;
    }
    Ok(())
}

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
    let mut watcher = start_role(&at_server, "watch", address)?;
    ensure!(watcher.line()? == "listening", "the watcher listens");
    let mut lost = start_role(&at_peer, "stay", address)?;
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

/// Not a test: what this program does at an end of a cable.
#[test]
fn role_at_an_end_of_a_cable() -> Result<()> {
    let Ok(role) = env::var(ROLE) else {
        return Ok(());
    };
    let address = env::var(URL)?.parse()?;
    let mut peer = Peer::connect_once_listening(address)?;
    if role == "stay" {
        peer.send(r#"{"type":"setPeerStatus","roles":["producer"]}"#)?;
        say(&peer.id);
        loop {
            peer.socket.read()?;
        }
    }
    peer.send(r#"{"type":"setPeerStatus","roles":["listener"]}"#)?;
    peer.sync()?;
    say("listening");
    loop {
        let message = peer.receive()?;
        let id = message["peerId"].as_str().unwrap_or_default();
        if message["type"] == "peerStatusChanged" && id != peer.id {
            let gone = message["roles"] == json!([]);
            say(&format!("{} {id}", if gone { "gone" } else { "there" }));
            if gone {
                return Ok(());
            }
        }
    }
}

#[test]
fn slow_handshakes_end_and_hold_nobody_up() -> Result<()> {
    let server = SignallingServer::start()?;
    let address = server.address();
    let start = Instant::now();
    let slow: Vec<_> = (0..50)
        .map(|_| thread::spawn(move || handshake_a_byte_a_second(address)))
        .collect();
    let mut visits = 0;
    while slow.iter().any(|one| !one.is_finished()) {
        Peer::connect(address)?.sync()?;
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
    Ok(())
}

#[test]
fn floods_hold_nobody_up() -> Result<()> {
    let server = SignallingServer::start()?;
    let address = server.address();
    let memory = server.memory()?;
    let mut camera = Peer::connect(address)?;
    camera.send(r#"{"type":"setPeerStatus","roles":["producer"]}"#)?;
    camera.sync()?;
    let end = Instant::now() + Duration::from_secs(5);
    let status = json!({"type": "setPeerStatus", "roles": ["listener"], "meta": "m".repeat(2_000)});
    let floods = [
        status.to_string(),
        r#"{"type":"list"}"#.to_owned(),
        "nonsense".to_owned(),
        json!({"type": "endSession", "sessionId": "none"}).to_string(),
    ];
    let floods = floods.map(|text| {
        thread::spawn(move || -> Result<()> {
            while Instant::now() < end {
                let mut peer = Peer::connect(address)?;
                // None of the answers is read, so the server closes it in the end, or takes no more.
                peer.socket
                    .get_ref()
                    .set_write_timeout(Some(Duration::from_secs(1)))?;
                while Instant::now() < end && peer.send(text.as_str()).is_ok() {}
            }
            Ok(())
        })
    });
    let mut calls = 0;
    while Instant::now() < end {
        let mut viewer = Peer::connect(address)?;
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
        calls += 1;
    }
    for flood in floods {
        flood.join().map_err(|_| anyhow::anyhow!("a panic"))??;
    }
    ensure!(calls > 10, "only {calls} calls in five seconds");
    let grown = server.memory()?.saturating_sub(memory) / 1024 / 1024;
    ensure!(grown < 128, "the server grew by {grown} MiB");
    Ok(())
}

#[test]
fn a_server_without_descriptors_keeps_whom_it_has_and_takes_others_later() -> Result<()> {
    let serve = env::var("WIGWAG_SERVE").context("WIGWAG_SERVE")?;
    let server = SignallingServer::start_program(&format!("prlimit --nofile=48:48 {serve}"))?;
    let address = server.address();
    let mut first = Peer::connect(address)?;
    // The system accepts them all; the server can have some.
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(address)?);
    }
    for _ in 0..100 {
        first.sync()?;
    }
    drop(crowd);
    Peer::connect(address)?.sync()?;
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

struct Peer {
    socket: WebSocket<TcpStream>,
    id: String,
}

impl Peer {
    /// Connects and waits for the welcome.
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        // Small buffers, so that thousands of these fit.
        let config = WebSocketConfig::default().read_buffer_size(1024);
        let url = format!("ws://{address}/");
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config))
            .map_err(|error| anyhow::anyhow!("no upgrade: {error}"))?;
        let mut peer = Self {
            socket,
            id: String::new(),
        };
        let welcome = peer.receive_type("welcome")?;
        peer.id = welcome["peerId"].as_str().context("an id")?.to_owned();
        Ok(peer)
    }

    fn connect_once_listening(address: SocketAddr) -> Result<Self> {
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "nobody listens");
            thread::sleep(Duration::from_millis(10));
        }
        Self::connect(address)
    }

    fn send(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into()))?)
    }

    fn receive(&mut self) -> Result<Value> {
        loop {
            match self.socket.read()? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(reason) => bail!("closed: {reason:?}"),
                _ => {}
            }
        }
    }

    fn receive_type(&mut self, kind: &str) -> Result<Value> {
        loop {
            let message = self.receive()?;
            if message["type"] == kind {
                return Ok(message);
            }
        }
    }

    /// Waits until the server has handled what was sent.
    fn sync(&mut self) -> Result<()> {
        self.send(r#"{"type":"listConsumers"}"#)?;
        self.receive_type("listConsumers").map(drop)
    }

    /// Waits for a ping, and answers it.
    fn answer_ping(&mut self) -> Result<()> {
        match self.socket.read()? {
            Message::Ping(_) => Ok(self.socket.flush()?),
            other => bail!("no ping: {other:?}"),
        }
    }
}

/// A child that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// The next line that it says with [`say`].
    fn line(&mut self) -> Result<String> {
        let output = self.0.stdout.as_mut().context("piped")?;
        loop {
            let mut line = Vec::new();
            let mut byte = [0];
            loop {
                ensure!(output.read(&mut byte)? == 1, "it ended");
                if byte[0] == b'\n' {
                    break;
                }
                line.push(byte[0]);
            }
            // The test harness says things of its own.
            if let Some(said) = String::from_utf8(line)?.split_once(SAID) {
                return Ok(said.1.to_owned());
            }
        }
    }
}

const SAID: &str = "said: ";

fn say(line: &str) {
    println!("{SAID}{line}");
}

/// Starts this program again, in a namespace, for one thing.
fn start_role(namespace: &Namespace, role: &str, address: &str) -> Result<Running> {
    let mut again = Command::new(env::current_exe()?);
    again.args(["--exact", "role_at_an_end_of_a_cable", "--nocapture"]);
    again.env(ROLE, role).env(URL, address);
    let child = namespace.enter(&again).stdout(Stdio::piped()).spawn()?;
    Ok(Running(child))
}
