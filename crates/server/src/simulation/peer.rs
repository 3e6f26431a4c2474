//! A peer of the JSON protocol that says what a test has it say.

use std::net::IpAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::config::Config;
use crate::in_memory::InMemoryServer;
use crate::limits::Limits;

pub(super) struct Peer {
    pub(super) socket: WebSocketStream<DuplexStream>,
    pub(super) id: String,
}

pub(super) fn server(limits: Limits) -> InMemoryServer {
    let config = Config {
        limits,
        ..Config::default()
    };
    InMemoryServer::new(&config).expect("a good configuration")
}

/// A WebSocket of a client at an address, for which so many bytes may be on their way.
pub(super) async fn websocket(
    server: &InMemoryServer,
    address: IpAddr,
    path: &str,
    window: usize,
) -> WebSocketStream<DuplexStream> {
    let (client, stream) = duplex(window);
    server.accept_from(address, stream).await;
    let upgrade = client_async(format!("ws://simulated{path}"), client).await;
    upgrade.expect("an upgrade").0
}

pub(super) fn text(message: &Value, member: &str) -> String {
    let text = message[member].as_str();
    text.unwrap_or_else(|| panic!("no {member} in {message}"))
        .to_owned()
}

impl Peer {
    /// A peer at an address, for which so many bytes may be on their way.
    pub(super) async fn connect(server: &InMemoryServer, address: IpAddr, window: usize) -> Self {
        let mut peer = Self {
            socket: websocket(server, address, "/", window).await,
            id: String::new(),
        };
        peer.id = text(&peer.next().await, "peerId");
        peer
    }

    pub(super) async fn send(&mut self, message: Value) {
        let message = Message::text(message.to_string());
        self.socket.send(message).await.expect("sent");
    }

    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.socket.next().await.expect("up").expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    /// Calls a peer, and returns the answer.
    pub(super) async fn try_call(&mut self, callee: &str) -> Value {
        self.send(json!({"type": "startSession", "peerId": callee}))
            .await;
        self.next().await
    }

    /// Calls a peer, and returns the session.
    pub(super) async fn call(&mut self, callee: &str) -> String {
        let started = self.try_call(callee).await;
        assert_eq!(started["type"], "sessionStarted");
        text(&started, "sessionId")
    }

    pub(super) async fn send_candidate(&mut self, session: &str, length: usize) {
        let ice = json!({"candidate": "c".repeat(length), "sdpMLineIndex": 0});
        self.send(json!({"type": "peer", "sessionId": session, "ice": ice}))
            .await;
    }
}
