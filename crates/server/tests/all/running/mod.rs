//! A server in this process, and plain blocking clients.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each of which uses a part"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderName;
use tungstenite::{Message, WebSocket};
use wigwag_server::{Config, Handle, Server};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) text_address: Option<SocketAddr>,
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) handle: Handle,
    /// What it was started with.
    pub(crate) config: Config,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a server on a free port of the loopback interface.
    pub(crate) fn start(config: Config) -> Self {
        Self::start_with(config, |server| server)
    }

    /// The same with what `extend` adds to it.
    pub(crate) fn start_with(config: Config, extend: impl FnOnce(Server) -> Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            ..config
        };
        let server = runtime
            .block_on(Server::bind(config.clone()))
            .expect("it starts");
        let server = extend(server);
        let address = server.address();
        let text_address = server.text_address();
        let admin_address = server.admin_address();
        let handle = server.handle();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }));
        });
        Self {
            address,
            text_address,
            admin_address,
            handle,
            config,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Tells the server to stop, and does not wait.
    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the server to end.
    pub(crate) fn join(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends without a panic");
        }
    }

    /// The answer to a GET, head and all; `head` is more of the request's.
    pub(crate) fn get(&self, path: &str, head: &str) -> String {
        Self::get_over(self.connect(), path, head)
    }

    /// The same of the port of the text protocol.
    pub(crate) fn get_text_port(&self, path: &str) -> String {
        let address = self.text_address.expect("it has such a port");
        Self::get_over(Self::connect_to(address), path, "")
    }

    fn get_over(mut stream: TcpStream, path: &str, head: &str) -> String {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n");
        let mut answer = String::new();
        // A server that says no may not read what it is asked.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Whether a metric has a value by now, or soon.
    #[track_caller]
    pub(crate) fn wait_for_metric(&self, sample: &str, value: u64) {
        let expected = format!("{sample} {value}");
        let begin = Instant::now();
        loop {
            let metrics = self.handle.metrics();
            if metrics.lines().any(|line| line == expected) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "no {expected} in\n{metrics}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        Self::connect_to(self.address)
    }

    fn connect_to(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        stream
    }

    /// A WebSocket that was welcomed, and its id.
    pub(crate) fn peer(&self) -> Peer {
        self.peer_by("")
    }

    /// The same with more lines in the head of its handshake.
    pub(crate) fn peer_by(&self, head: &str) -> Peer {
        let mut peer = Peer {
            socket: self.websocket_by("/", head),
            id: String::new(),
        };
        let welcome = peer.receive();
        assert_eq!(welcome["type"], "welcome");
        peer.id = welcome["peerId"].as_str().expect("an id").to_owned();
        peer
    }

    /// A peer of the text protocol that is not registered yet.
    pub(crate) fn text_connection(&self) -> TextPeer {
        TextPeer(self.websocket("/text"))
    }

    /// A peer of the text protocol that is registered.
    pub(crate) fn text_peer(&self, id: &str) -> TextPeer {
        let mut peer = self.text_connection();
        peer.send(&format!("HELLO {id}"));
        assert_eq!(peer.receive(), "HELLO");
        peer
    }

    /// A WebSocket to the port of the text protocol.
    pub(crate) fn text_websocket(&self, path: &str) -> WebSocket<TcpStream> {
        let address = self.text_address.expect("it has such a port");
        let stream = Self::connect_to(address);
        let (socket, _) =
            tungstenite::client(format!("ws://{address}{path}"), stream).expect("an upgrade");
        socket
    }

    /// Waits until the server takes new clients of the JSON protocol.
    pub(crate) fn wait_for_room(&self) {
        let start = Instant::now();
        while !self.get("/readyz", "").starts_with("HTTP/1.1 200") {
            assert!(start.elapsed() < DEADLINE, "it stays full");
        }
    }

    pub(crate) fn websocket(&self, path: &str) -> WebSocket<TcpStream> {
        self.websocket_by(path, "")
    }

    pub(crate) fn websocket_by(&self, path: &str, head: &str) -> WebSocket<TcpStream> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().expect("a request");
        for line in head.lines() {
            let (name, value) = line.split_once(": ").expect("a name and a value");
            let name: HeaderName = name.parse().expect("a name");
            request
                .headers_mut()
                .append(name, value.parse().expect("a value"));
        }
        let (socket, _) = tungstenite::client(request, self.connect()).expect("an upgrade");
        socket
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

pub(crate) struct Peer {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) id: String,
}

impl Peer {
    pub(crate) fn send(&mut self, text: impl Into<String>) {
        self.socket
            .send(Message::text(text.into()))
            .expect("the server takes it");
    }

    /// The next message of the protocol.
    pub(crate) fn receive(&mut self) -> Value {
        loop {
            match self.socket.read().expect("the server speaks") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Reads until the server closes, and returns code and text.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        read_until_closed(&mut self.socket)
    }

    /// Waits until the server has handled what was sent.
    pub(crate) fn sync(&mut self) {
        self.send(r#"{"type":"listConsumers"}"#);
        while self.receive()["type"] != "listConsumers" {}
    }
}

/// A peer of the text protocol.
pub(crate) struct TextPeer(pub WebSocket<TcpStream>);

impl TextPeer {
    pub(crate) fn send(&mut self, text: &str) {
        self.0
            .send(Message::text(text))
            .expect("the server takes it");
    }

    /// The next text or binary message.
    pub(crate) fn receive_message(&mut self) -> Message {
        loop {
            match self.0.read().expect("the server speaks") {
                message @ (Message::Text(_) | Message::Binary(_)) => return message,
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message, which is text.
    pub(crate) fn receive(&mut self) -> String {
        let message = self.receive_message();
        message.to_text().expect("text").to_owned()
    }

    /// Sends a text and returns what comes next.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.receive()
    }

    /// Reads until the server closes, and returns code and text.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        read_until_closed(&mut self.0)
    }
}

fn read_until_closed(socket: &mut WebSocket<TcpStream>) -> (u16, String) {
    loop {
        match socket.read().expect("the server says why") {
            Message::Close(Some(frame)) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Message::Close(None) => panic!("closed without a reason"),
            _ => {}
        }
    }
}
