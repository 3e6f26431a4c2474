//! `cargo xtask demo`: the signalling server, and two scripted peers whose session is printed step by
//! step.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::commands::{cargo, command, must_run, say};
use crate::places;

const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<ExitCode> {
    say("Building the server");
    must_run(&mut cargo(&["build", "--locked", "--package", "wigwag"]))?;
    say("Starting it: wigwag serve --host 127.0.0.1 --port 0");
    let server = Server::start()?;
    println!(
        "The server runs at {}; port 0 let the system choose.",
        server.url
    );

    say("Two peers meet. A camera connects, is welcomed, and registers as a producer");
    let mut camera = Peer::connect("camera", &server.url)?;
    camera.send(&json!({
        "type": "setPeerStatus", "roles": ["producer", "listener"], "meta": {"name": "demo camera"},
    }))?;
    camera.receive("peerStatusChanged")?;

    say("A viewer connects, asks who is there, and calls the camera");
    let mut viewer = Peer::connect("viewer", &server.url)?;
    viewer.send(&json!({"type": "list"}))?;
    let list = viewer.receive("list")?;
    viewer.send(&json!({"type": "startSession", "peerId": list["producers"][0]["id"]}))?;
    let session = viewer.receive("sessionStarted")?["sessionId"].clone();

    say(
        "The camera is told, and offers; the viewer answers (shortened: the server never looks inside)",
    );
    camera.receive("startSession")?;
    camera.send(&json!({
        "type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": "v=0 ... m=video ..."},
    }))?;
    viewer.receive("peer")?;
    viewer.send(&json!({
        "type": "peer", "sessionId": session, "sdp": {"type": "answer", "sdp": "v=0 ... m=video ..."},
    }))?;
    camera.receive("peer")?;

    say(
        "Each tells the other where it can be reached; now media would flow, directly between them",
    );
    let candidate = |address: &str| {
        json!({
            "type": "peer", "sessionId": session,
            "ice": {"candidate": format!("candidate:1 1 UDP 2122260223 {address} typ host"), "sdpMLineIndex": 0},
        })
    };
    camera.send(&candidate("127.0.0.1 50000"))?;
    viewer.receive("peer")?;
    viewer.send(&candidate("127.0.0.1 50001"))?;
    camera.receive("peer")?;

    say("The viewer leaves; the camera is told that the session is over");
    drop(viewer);
    camera.receive("endSession")?;

    say(
        "Done. Try it with real peers: `cargo run --release -- serve`, then point webrtcsink, webrtcsrc or gstwebrtc-api at ws://127.0.0.1:8443",
    );
    Ok(ExitCode::SUCCESS)
}

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Result<Self> {
        let program = places::target().join("debug/wigwag");
        let mut process = command(
            &program.to_string_lossy(),
            &["serve", "--host", "127.0.0.1", "--port", "0"],
        )
        // What happens is printed by the peers.
        .env("WIGWAG_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = process.stdout.take().context("no standard output")?;
        let mut server = Self {
            process,
            url: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let url = line.trim().strip_prefix("signalling at ");
        url.context("the server did not start")?
            .clone_into(&mut server.url);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to be done about a child that cannot be ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Peer {
    name: &'static str,
    socket: WebSocket<TcpStream>,
}

impl Peer {
    fn connect(name: &'static str, url: &str) -> Result<Self> {
        let (_, rest) = url.split_once("://").context("a URL")?;
        let stream = TcpStream::connect(rest.trim_end_matches('/'))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let (socket, _) = tungstenite::client(url, stream)?;
        let mut peer = Self { name, socket };
        peer.receive("welcome")?;
        Ok(peer)
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        println!("{:>8} -> server   {message}", self.name);
        Ok(self.socket.send(Message::text(message.to_string()))?)
    }

    /// The next message of a type; others, which are printed too, may come before it.
    fn receive(&mut self, kind: &str) -> Result<Value> {
        loop {
            match self.socket.read()? {
                Message::Text(text) => {
                    println!("{:>8} <- server   {text}", self.name);
                    let message: Value = serde_json::from_str(&text)?;
                    if message["type"] == kind {
                        return Ok(message);
                    }
                }
                Message::Close(frame) => bail!("{} was closed: {frame:?}", self.name),
                _ => {}
            }
        }
    }
}
