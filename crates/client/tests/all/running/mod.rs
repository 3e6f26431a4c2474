//! A server in this process, a signaller that is its client, and a plain peer beside it.
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tungstenite::{Message, WebSocket};
use wigwag_client::{
    MetaValue, NativeConfig, NativeLimits, NativeSignaller, Role, SessionId, SignallerError,
    SignallerEvent,
};
use wigwag_server::{Config, Server};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Limits by default, but for waits that nobody wants to sit through.
pub(crate) fn quick() -> NativeLimits {
    NativeLimits {
        back_off_min: Duration::from_millis(20),
        back_off_max: Duration::from_millis(100),
        ..NativeLimits::default()
    }
}

/// How a producer named "cam" is configured.
pub(crate) fn producer(uri: impl Into<String>) -> NativeConfig {
    let meta = MetaValue::map([("name", "cam")]);
    NativeConfig {
        limits: quick(),
        ..NativeConfig::new(uri, Role::Producer { meta })
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A server on the loopback interface.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// On the port of the configuration; of the system's choice if that is 0.
    pub(crate) fn start(config: Config) -> Self {
        let runtime = runtime();
        let config = Config {
            host: "127.0.0.1".to_owned(),
            ..config
        };
        let server = runtime.block_on(Server::bind(config)).expect("it starts");
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }));
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn new() -> Self {
        Self::start(any_port())
    }

    pub(crate) fn uri(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Stops the server and waits for its end.
    pub(crate) fn join(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends without a panic");
        }
    }

    /// A plain peer that was welcomed.
    pub(crate) fn peer(&self) -> Peer {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        let (socket, _) = tungstenite::client(self.uri(), stream).expect("an upgrade");
        let mut peer = Peer {
            socket,
            id: String::new(),
        };
        let welcome = peer.receive();
        assert_eq!(welcome["type"], "welcome");
        peer.id = text(&welcome["peerId"]);
        peer
    }
}

pub(crate) fn any_port() -> Config {
    Config {
        port: 0,
        ..Config::default()
    }
}

/// A server of which a test decides what it does.
pub(crate) struct HandMade {
    listener: TcpListener,
}

impl HandMade {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { listener }
    }

    pub(crate) fn uri(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("an address"))
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().expect("a client");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        stream
    }

    /// The next connection, as a WebSocket.
    pub(crate) fn websocket(&self) -> Peer {
        Peer {
            socket: tungstenite::accept(self.accept()).expect("a request"),
            id: String::new(),
        }
    }

    /// The next connection; the client was welcomed, has registered, and knows that.
    pub(crate) fn registered(&self) -> Peer {
        let mut peer = self.websocket();
        peer.send(&json!({"type": "welcome", "peerId": "client"}));
        assert_eq!(peer.receive()["type"], "setProtocolVersion");
        assert_eq!(peer.receive()["type"], "setPeerStatus");
        loop {
            if let Message::Ping(_) = peer.socket.read().expect("the client speaks") {
                peer.socket.flush().expect("answered");
                return peer;
            }
        }
    }
}

pub(crate) struct Peer {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) id: String,
}

impl Peer {
    pub(crate) fn send(&mut self, message: &Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .expect("the other side takes it");
    }

    /// The next message of the protocol.
    pub(crate) fn receive(&mut self) -> Value {
        loop {
            match self.socket.read().expect("the other side speaks") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Calls a producer, and returns the session.
    pub(crate) fn call(&mut self, producer: &str) -> String {
        self.send(&json!({"type": "startSession", "peerId": producer}));
        let started = self.receive();
        assert_eq!(started["type"], "sessionStarted", "{started}");
        text(&started["sessionId"])
    }

    /// The producers that are listed.
    pub(crate) fn list(&mut self) -> Value {
        self.send(&json!({"type": "list"}));
        let list = self.receive();
        assert_eq!(list["type"], "list", "{list}");
        list["producers"].clone()
    }
}

/// A signaller and its events.
pub(crate) struct Client {
    pub(crate) signaller: NativeSignaller,
    events: Receiver<SignallerEvent>,
    _runtime: Runtime,
}

impl Client {
    pub(crate) fn start(config: NativeConfig) -> Result<Self, SignallerError> {
        let runtime = runtime();
        let (send, events) = channel();
        let signaller = NativeSignaller::start(config, runtime.handle(), move |event| {
            let _ = send.send(event);
            Ok(())
        })?;
        Ok(Self {
            signaller,
            events,
            _runtime: runtime,
        })
    }

    /// One that was registered, and its id.
    pub(crate) fn connected(config: NativeConfig) -> (Self, String) {
        let client = Self::start(config).expect("it starts");
        let id = client.next_connected();
        (client, id)
    }

    /// The next event.
    pub(crate) fn next(&self) -> SignallerEvent {
        self.events.recv_timeout(DEADLINE).expect("an event")
    }

    /// The next event if there is one by now.
    pub(crate) fn try_next(&self) -> Option<SignallerEvent> {
        self.events.try_recv().ok()
    }

    pub(crate) fn next_connected(&self) -> String {
        match self.next() {
            SignallerEvent::Connected { peer_id } => peer_id.as_str().to_owned(),
            other => panic!("not connected: {other:?}"),
        }
    }

    pub(crate) fn next_session(&self) -> SessionId {
        match self.next() {
            SignallerEvent::SessionRequested { session, .. } => session,
            other => panic!("no session: {other:?}"),
        }
    }

    /// Reads of lost connections until there is one again: all the reasons, and the new id.
    pub(crate) fn reconnected(&self) -> (Vec<String>, String) {
        let mut reasons = Vec::new();
        loop {
            match self.next() {
                SignallerEvent::Disconnected { reason, .. } => reasons.push(reason),
                SignallerEvent::Connected { peer_id } => {
                    return (reasons, peer_id.as_str().to_owned());
                }
                other => panic!("not reconnected: {other:?}"),
            }
        }
    }

    /// Why it lost its connection.
    pub(crate) fn next_disconnected(&self) -> String {
        match self.next() {
            SignallerEvent::Disconnected { reason, .. } => reason,
            other => panic!("not disconnected: {other:?}"),
        }
    }

    /// Why it cannot work. Nothing may follow.
    pub(crate) fn failed(&self) -> SignallerError {
        let error = match self.next() {
            SignallerEvent::Failed(error) => error,
            other => panic!("it did not fail: {other:?}"),
        };
        self.nothing_follows();
        error
    }

    pub(crate) fn stopped(&self) {
        match self.next() {
            SignallerEvent::Stopped => self.nothing_follows(),
            other => panic!("not stopped: {other:?}"),
        }
    }

    /// The task has dropped the closure for events.
    fn nothing_follows(&self) {
        match self.events.recv_timeout(DEADLINE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("the task still runs"),
            Ok(event) => panic!("something follows: {event:?}"),
        }
    }
}

/// Why a signaller does not even start, or fails to connect.
pub(crate) fn failure(config: NativeConfig) -> SignallerError {
    match Client::start(config) {
        Ok(client) => client.failed(),
        Err(error) => error,
    }
}

/// Waits for a condition.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
