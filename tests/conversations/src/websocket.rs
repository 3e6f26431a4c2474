//! Peers on real WebSockets.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tungstenite::{Message, WebSocket};

use crate::Peers;

/// How long a server may take for anything before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// How to find out that the server has nothing more to say.
///
/// In either case every peer asks and waits for the answer, twice: after the first round the server
/// has handled what any peer had sent, after the second everyone has received what followed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// By ping and pong. Needs a server that writes what waits for a peer before its pong.
    Ping,
    /// By `list` and its reply. Works with any server, but is a message of the protocol itself.
    List,
}

/// Which protocol peers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// The server speaks first; messages are objects.
    Json,
    /// Peers speak first; messages are strings.
    Text,
}

/// Peers of a server, each on a WebSocket of its own.
#[derive(Debug)]
pub struct WebSocketPeers {
    url: String,
    address: SocketAddr,
    barrier: Barrier,
    speech: Speech,
    peers: BTreeMap<String, Peer>,
    closed: Vec<(String, u16)>,
}

#[derive(Debug)]
struct Peer {
    socket: WebSocket<TcpStream>,
    speech: Speech,
    received: Vec<Value>,
    /// The server closed the connection, with this code.
    closed: Option<u16>,
    /// Replies to `list` that are due.
    lists_due: usize,
}

impl WebSocketPeers {
    /// No peers yet, of the server of the JSON protocol at `address`.
    pub fn new(address: SocketAddr, barrier: Barrier) -> Self {
        Self::at(address, "/", Speech::Json, barrier)
    }

    /// No peers yet, of the server of the text protocol at a path of `address`.
    pub fn text(address: SocketAddr, path: &str) -> Self {
        Self::at(address, path, Speech::Text, Barrier::Ping)
    }

    fn at(address: SocketAddr, path: &str, speech: Speech, barrier: Barrier) -> Self {
        Self {
            url: format!("ws://{address}{path}"),
            address,
            barrier,
            speech,
            peers: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    fn ask_all(&mut self) {
        for peer in self.peers.values_mut() {
            match self.barrier {
                Barrier::Ping => {
                    // Who has been closed finds out by reading.
                    let _ = peer.socket.send(Message::Ping(Vec::new().into()));
                }
                Barrier::List => peer.send(r#"{"type":"list"}"#),
            }
        }
        for (name, peer) in &mut self.peers {
            peer.read_until_answered(name, self.barrier);
        }
    }
}

impl Peers for WebSocketPeers {
    fn connect(&mut self, name: &str) {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        let (socket, _) =
            tungstenite::client(self.url.as_str(), stream).expect("the server upgrades");
        let mut peer = Peer {
            socket,
            speech: self.speech,
            received: Vec::new(),
            closed: None,
            lists_due: 0,
        };
        while self.speech == Speech::Json && peer.received.is_empty() {
            peer.read(name);
        }
        self.peers.insert(name.to_owned(), peer);
    }

    fn send(&mut self, name: &str, text: &str) {
        self.peers.get_mut(name).expect("is connected").send(text);
    }

    fn close(&mut self, name: &str) {
        let mut peer = self.peers.remove(name).expect("is connected");
        peer.socket.close(None).expect("the server is there");
        // The server answers once it has told the others.
        while peer.socket.read().is_ok() {}
    }

    fn receive_all(&mut self) -> Vec<(String, Value)> {
        self.ask_all();
        self.ask_all();
        let mut received = Vec::new();
        for (name, peer) in &mut self.peers {
            received.extend(
                peer.received
                    .drain(..)
                    .map(|message| (name.clone(), message)),
            );
            self.closed
                .extend(peer.closed.map(|code| (name.clone(), code)));
        }
        self.peers.retain(|_, peer| peer.closed.is_none());
        received
    }

    fn closed(&mut self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.closed)
    }
}

impl Peer {
    fn send(&mut self, text: &str) {
        if let Ok(Value::Object(message)) = serde_json::from_str(text)
            && message.get("type") == Some(&Value::from("list"))
        {
            self.lists_due += 1;
        }
        self.socket
            .send(Message::text(text))
            .expect("the server is there");
    }

    fn read_until_answered(&mut self, name: &str, barrier: Barrier) {
        while self.closed.is_none() {
            let pong = self.read(name);
            match barrier {
                Barrier::Ping if pong => return,
                // The last list that is due is the barrier's own; its reply is nobody's business.
                Barrier::List if self.lists_due == 0 => {
                    self.received.pop();
                    return;
                }
                _ => {}
            }
        }
    }

    /// Reads one frame; true if it was a pong.
    fn read(&mut self, name: &str) -> bool {
        match self.socket.read() {
            Ok(Message::Text(text)) if self.speech == Speech::Text => {
                self.received.push(Value::from(text.as_str()));
                false
            }
            Ok(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).expect("servers write JSON");
                if message["type"] == "list" {
                    self.lists_due = self.lists_due.saturating_sub(1);
                }
                self.received.push(message);
                false
            }
            Ok(Message::Pong(_)) => true,
            Ok(Message::Close(frame)) if self.speech == Speech::Text => {
                self.closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                false
            }
            Ok(_) => false,
            Err(error) => panic!("{name} waited for the server: {error}"),
        }
    }
}
