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

/// Peers of a server of the JSON protocol, each on a WebSocket of its own.
#[derive(Debug)]
pub struct WebSocketPeers {
    address: SocketAddr,
    barrier: Barrier,
    peers: BTreeMap<String, Peer>,
}

#[derive(Debug)]
struct Peer {
    socket: WebSocket<TcpStream>,
    received: Vec<Value>,
    /// Replies to `list` that are due.
    lists_due: usize,
}

impl WebSocketPeers {
    /// No peers yet, of the server at `address`.
    pub fn new(address: SocketAddr, barrier: Barrier) -> Self {
        Self {
            address,
            barrier,
            peers: BTreeMap::new(),
        }
    }

    fn ask_all(&mut self) {
        for peer in self.peers.values_mut() {
            match self.barrier {
                Barrier::Ping => {
                    let ping = Message::Ping(Vec::new().into());
                    peer.socket.send(ping).expect("the server is there");
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
        let (socket, _) = tungstenite::client(format!("ws://{}/", self.address), stream)
            .expect("the server upgrades");
        let mut peer = Peer {
            socket,
            received: Vec::new(),
            lists_due: 0,
        };
        // The server speaks first.
        while peer.received.is_empty() {
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

    fn settle(&mut self) -> Vec<(String, Value)> {
        self.ask_all();
        self.ask_all();
        let mut received = Vec::new();
        for (name, peer) in &mut self.peers {
            received.extend(
                peer.received
                    .drain(..)
                    .map(|message| (name.clone(), message)),
            );
        }
        received
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
        loop {
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
            Ok(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).expect("servers write JSON");
                if message["type"] == "list" {
                    self.lists_due = self.lists_due.saturating_sub(1);
                }
                self.received.push(message);
                false
            }
            Ok(Message::Pong(_)) => true,
            Ok(_) => false,
            Err(error) => panic!("{name} waited for the server: {error}"),
        }
    }
}
