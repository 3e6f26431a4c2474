//! The same random conversations with the reference's server and with ours: whatever a client can
//! observe must be the same, but for what is listed at the end.

use std::collections::BTreeMap;
use std::env;
use std::net::{SocketAddr, ToSocketAddrs};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use wigwag_conversations::{Barrier, Peers, WebSocketPeers};
use wigwag_end_to_end::SignallingServer;

const NAMES: [&str; 4] = ["A", "B", "C", "D"];
/// Listens all the time, and so knows when a server has noticed that a peer left.
const WATCHER: &str = "W";

/// One step of a conversation. A peer that is not connected connects instead.
#[derive(Clone, Debug)]
enum Action {
    Close(usize),
    Status(usize, Vec<&'static str>, Option<u8>, bool),
    Call(usize, usize, bool),
    CallNobody(usize),
    Describe(usize, Index, &'static str),
    Candidate(usize, Index, u32),
    End(usize, Index),
    ListConsumers(usize),
    Garbage(usize, &'static str),
}

fn action() -> impl Strategy<Value = Action> {
    let peer = || 0..NAMES.len();
    let roles = prop_oneof![
        Just(vec![]),
        Just(vec!["producer"]),
        Just(vec!["consumer"]),
        Just(vec!["listener"]),
        Just(vec!["listener", "producer"]),
        Just(vec!["consumer", "listener"]),
        Just(vec!["producer", "consumer"]),
    ];
    let garbage = prop_oneof![
        Just("{"),
        Just("[]"),
        Just(r#"{"type":"List"}"#),
        Just(r#"{"type":"startSession"}"#),
        Just(r#"{"type":"setPeerStatus","roles":["viewer"]}"#),
        Just(r#"{"type":"peer","sessionId":"none","ice":{"candidate":null,"sdpMLineIndex":0}}"#),
        Just(r#"{"type":"endSession","sessionId":"none"}"#),
        Just(r#"{"type":"peer","sessionId":"none","sdp":{"type":"offer","sdp":"v=0"}}"#),
    ];
    let description = prop_oneof![Just("offer"), Just("answer")];
    prop_oneof![
        1 => peer().prop_map(Action::Close),
        6 => (peer(), roles, proptest::option::of(0..3u8), any::<bool>())
            .prop_map(|(p, r, m, named)| Action::Status(p, r, m, named)),
        6 => (peer(), peer(), any::<bool>()).prop_map(|(f, t, o)| Action::Call(f, t, o)),
        1 => peer().prop_map(Action::CallNobody),
        3 => (peer(), any::<Index>(), description).prop_map(|(p, s, d)| Action::Describe(p, s, d)),
        3 => (peer(), any::<Index>(), 0..4u32).prop_map(|(p, s, m)| Action::Candidate(p, s, m)),
        3 => (peer(), any::<Index>()).prop_map(|(p, s)| Action::End(p, s)),
        1 => peer().prop_map(Action::ListConsumers),
        1 => (peer(), garbage).prop_map(|(p, g)| Action::Garbage(p, g)),
    ]
}

/// A server, and what its ids are called in this conversation.
struct Side {
    peers: WebSocketPeers,
    connected: [bool; NAMES.len()],
    statuses: [Status; NAMES.len()],
    ids: Ids,
}

/// What a peer says of itself: its roles, and a number in its meta.
type Status = (Vec<&'static str>, Option<u8>);

/// Ids by the names that they have on both sides: a peer's name, and `S0`, `S1`, … for the sessions.
#[derive(Default)]
struct Ids {
    by_name: BTreeMap<String, String>,
    /// For each session, in the order of their start, its members.
    sessions: Vec<[String; 2]>,
}

impl Side {
    fn new(address: SocketAddr) -> Self {
        let mut side = Self {
            peers: WebSocketPeers::new(address, Barrier::List),
            connected: [false; NAMES.len()],
            statuses: Default::default(),
            ids: Ids::default(),
        };
        side.peers.connect(WATCHER);
        let listen = r#"{"type":"setPeerStatus","roles":["listener"]}"#;
        side.peers.send(WATCHER, listen);
        side.peers.receive_all();
        side
    }

    /// Takes a step and returns what everyone received, ids replaced by names.
    fn take(&mut self, action: &Action) -> Vec<(String, Value)> {
        let peer = action.peer();
        let name = NAMES[peer];
        if !self.connected[peer] {
            self.peers.connect(name);
            self.connected[peer] = true;
        } else if let Action::Close(_) = action {
            return self.close(peer);
        } else if !self.changes_status(action) {
            // Meant to differ: the reference announces it again, unless the peer's id stands in it.
        } else if let Some(text) = action.text(&self.ids) {
            self.peers.send(name, &text);
        }
        let received = self.peers.receive_all();
        self.named(received)
    }

    /// Whether an action is anything but a status that its peer has already.
    fn changes_status(&mut self, action: &Action) -> bool {
        let Action::Status(peer, roles, meta, _) = action else {
            return true;
        };
        let status = (roles.clone(), *meta);
        if self.statuses[*peer] == status {
            return false;
        }
        // A peer of both roles is refused.
        if !["producer", "consumer"]
            .iter()
            .all(|role| roles.contains(role))
        {
            self.statuses[*peer] = status;
        }
        true
    }

    /// Closes a peer and waits until the server has told the watcher.
    fn close(&mut self, peer: usize) -> Vec<(String, Value)> {
        let name = NAMES[peer];
        self.peers.close(name);
        self.connected[peer] = false;
        self.statuses[peer] = Status::default();
        let id = Value::from(self.ids.by_name[name].as_str());
        let mut received = Vec::new();
        while !received.iter().any(|(to, message): &(String, Value)| {
            to == WATCHER && message["peerId"] == id && message["roles"] == Value::Array(vec![])
        }) {
            received.extend(self.peers.receive_all());
        }
        // What the peer was told before it closed is nobody's business any more.
        let received = self.named(received);
        self.ids.by_name.remove(name);
        received
    }

    fn close_all(&mut self) {
        for peer in 0..NAMES.len() {
            if self.connected[peer] {
                self.close(peer);
            }
        }
        self.ids = Ids::default();
    }

    fn named(&mut self, mut received: Vec<(String, Value)>) -> Vec<(String, Value)> {
        for (to, message) in &received {
            self.ids.learn(to, message);
        }
        for (_, message) in &mut received {
            self.ids.replace(message);
        }
        // The reference ends the sessions of a peer in random order.
        let both_end = |(to, a): &(String, Value), (other, b): &(String, Value)| {
            to == other && a["type"] == "endSession" && b["type"] == "endSession"
        };
        for ends in received.chunk_by_mut(both_end) {
            ends.sort_by_key(|(_, message)| message["sessionId"].to_string());
        }
        received
    }
}

impl Ids {
    fn learn(&mut self, to: &str, message: &Value) {
        let text = |member: &str| message[member].as_str().map(str::to_owned);
        match message["type"].as_str() {
            Some("welcome") => {
                self.by_name
                    .insert(to.to_owned(), text("peerId").expect("an id"));
            }
            Some("sessionStarted") => {
                let name = format!("S{}", self.sessions.len());
                self.by_name.insert(name, text("sessionId").expect("an id"));
                let producer = self.name_of(&text("peerId").expect("an id"));
                self.sessions.push([to.to_owned(), producer]);
            }
            _ => {}
        }
    }

    fn name_of(&self, id: &str) -> String {
        let known = self.by_name.iter().find(|(_, known)| *known == id);
        known.map_or_else(|| id.to_owned(), |(name, _)| name.clone())
    }

    fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (name, id) in &self.by_name {
                    *text = text.replace(id, name);
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.replace(item));
                // The reference lists in random order.
                items.sort_by_key(|item| item["id"].to_string());
            }
            Value::Object(members) => members.values_mut().for_each(|item| self.replace(item)),
            _ => {}
        }
    }

    fn session(&self, index: &Index) -> Option<(&str, &[String; 2])> {
        if self.sessions.is_empty() {
            return None;
        }
        let number = index.index(self.sessions.len());
        Some((&self.by_name[&format!("S{number}")], &self.sessions[number]))
    }
}

impl Action {
    fn peer(&self) -> usize {
        match self {
            Self::Close(peer)
            | Self::Status(peer, ..)
            | Self::Call(peer, ..)
            | Self::CallNobody(peer)
            | Self::Describe(peer, ..)
            | Self::Candidate(peer, ..)
            | Self::End(peer, _)
            | Self::ListConsumers(peer)
            | Self::Garbage(peer, _) => *peer,
        }
    }

    /// What the peer sends; nothing if there is no session for it yet.
    fn text(&self, ids: &Ids) -> Option<String> {
        let name = NAMES[self.peer()];
        let message = match self {
            Self::Close(_) => return None,
            Self::Status(_, roles, meta, named) => {
                let mut status = serde_json::json!({"type": "setPeerStatus", "roles": roles});
                if let Some(meta) = meta {
                    status["meta"] = serde_json::json!({"n": meta, "list": [1, null, 1.5]});
                }
                if *named {
                    status["peerId"] = ids.by_name[name].as_str().into();
                }
                status
            }
            Self::Call(_, to, offer) => {
                let to = ids.by_name.get(NAMES[*to])?;
                let offer = offer.then_some("v=0");
                serde_json::json!({"type": "startSession", "peerId": to, "offer": offer})
            }
            Self::CallNobody(_) => serde_json::json!({"type": "startSession", "peerId": "nobody"}),
            Self::Describe(_, session, kind) => {
                let (session, _) = ids.session(session)?;
                let sdp = serde_json::json!({"type": kind, "sdp": "v=0\r\n", "extra": 1});
                serde_json::json!({"type": "peer", "sessionId": session, "sdp": sdp})
            }
            Self::Candidate(_, session, m_line) => {
                let (session, _) = ids.session(session)?;
                let ice =
                    serde_json::json!({"candidate": "c", "sdpMLineIndex": m_line, "sdpMid": "0"});
                serde_json::json!({"type": "peer", "sessionId": session, "ice": ice})
            }
            Self::End(_, session) => {
                let (session, members) = ids.session(session)?;
                if !members.iter().any(|member| member == name) {
                    // Meant to differ: the reference lets a stranger end a session.
                    return None;
                }
                serde_json::json!({"type": "endSession", "sessionId": session})
            }
            Self::ListConsumers(_) => serde_json::json!({"type": "listConsumers"}),
            Self::Garbage(_, text) => return Some((*text).to_owned()),
        };
        Some(message.to_string())
    }
}

/// Runs the reference's server for this test.
fn reference_server() -> SignallingServer {
    let program = env::var("WIGWAG_REFERENCE_SERVER")
        .expect("WIGWAG_REFERENCE_SERVER is not set; run these tests with `cargo xtask test`");
    SignallingServer::start_program(&program).expect("the reference starts")
}

fn address(server: &SignallingServer) -> SocketAddr {
    let uri = server.uri();
    let (_, address) = uri.split_once("://").expect("a URI");
    let mut addresses = address.to_socket_addrs().expect("an address");
    addresses.next().expect("an address")
}

#[test]
fn clients_observe_the_same() {
    let (reference, ours) = (
        reference_server(),
        SignallingServer::start().expect("our server starts"),
    );
    let reference = std::cell::RefCell::new(Side::new(address(&reference)));
    let ours = std::cell::RefCell::new(Side::new(address(&ours)));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        // The reference's answers wait for delayed acknowledgements, some 40 ms each.
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&vec(action(), 1..40), |actions| {
        let (mut reference, mut ours) = (reference.borrow_mut(), ours.borrow_mut());
        let mut difference = None;
        for (number, action) in actions.iter().enumerate() {
            let (theirs, mine) = (reference.take(action), ours.take(action));
            if theirs != mine {
                difference = Some(format!(
                    "step {number}, {action:?}:\n  reference {theirs:?}\n  ours      {mine:?}"
                ));
                break;
            }
        }
        reference.close_all();
        ours.close_all();
        match difference {
            Some(difference) => Err(TestCaseError::fail(difference)),
            None => Ok(()),
        }
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// What differs, and is meant to. Each is a weakness of the reference; `crates/protocol` has a list of
/// its own for what is read differently.
#[test]
fn clients_observe_these_differences() {
    let reference = reference_server();
    let ours = SignallingServer::start().expect("our server starts");

    let ended_by_stranger = |server: &SignallingServer| {
        let mut peers = WebSocketPeers::new(address(server), Barrier::List);
        let mut ids = BTreeMap::new();
        for name in ["camera", "viewer", "stranger"] {
            peers.connect(name);
        }
        for (name, message) in peers.receive_all() {
            if let Some(id) = message["peerId"].as_str() {
                ids.insert(name, id.to_owned());
            }
        }
        peers.send("camera", r#"{"type":"setPeerStatus","roles":["producer"]}"#);
        peers.receive_all();
        let call = serde_json::json!({"type": "startSession", "peerId": ids["camera"]});
        peers.send("viewer", &call.to_string());
        let received = peers.receive_all();
        let session = received
            .iter()
            .find_map(|(_, message)| message["sessionId"].as_str())
            .expect("a session");
        let end = serde_json::json!({"type": "endSession", "sessionId": session});
        peers.send("stranger", &end.to_string());
        peers.receive_all();
        // Whether the session is still there: the camera is told only of an end that happened.
        peers.send("viewer", &end.to_string());
        let received = peers.receive_all();
        !received
            .iter()
            .any(|(_, message)| message["type"] == "endSession")
    };
    assert!(
        ended_by_stranger(&reference),
        "has the reference been mended?"
    );
    assert!(!ended_by_stranger(&ours));

    let announced_again = |server: &SignallingServer| {
        let mut peers = WebSocketPeers::new(address(server), Barrier::List);
        peers.connect("listener");
        peers.connect("camera");
        peers.send(
            "listener",
            r#"{"type":"setPeerStatus","roles":["listener"]}"#,
        );
        for _ in 0..2 {
            peers.receive_all();
            peers.send("camera", r#"{"type":"setPeerStatus","roles":["producer"]}"#);
        }
        !peers.receive_all().is_empty()
    };
    assert!(
        announced_again(&reference),
        "has the reference been mended?"
    );
    assert!(!announced_again(&ours));

    let lost_by_new_peer = |server: &SignallingServer| {
        let mut peers = WebSocketPeers::new(address(server), Barrier::List);
        peers.connect("camera");
        peers.connect("viewer");
        peers.send("camera", r#"{"type":"setPeerStatus","roles":["producer"]}"#);
        peers.send("camera", r#"{"type":"newPeer"}"#);
        peers.receive_all();
        peers.send("viewer", r#"{"type":"list"}"#);
        let received = peers.receive_all();
        let list = received
            .iter()
            .find(|(_, message)| message["type"] == "list");
        let (_, list) = list.expect("a list");
        list["producers"] == Value::Array(vec![])
    };
    assert!(
        lost_by_new_peer(&reference),
        "has the reference been mended?"
    );
    assert!(!lost_by_new_peer(&ours));
}
