//! Recorded conversations with a signalling server, and how to replay them against another one.
//!
//! The recordings in `tests/vectors/` were made with the real servers: one JSON object a line with
//! `name`, `about` and `steps`. A step is `{"connect": "A"}`, `{"send": "A", "msg": …}`,
//! `{"close": "A"}`, `{"recv": "A", "msg": …}` or `{"closed": "A", "code": …}`. `$A` stands for the id that
//! the server gave peer A, `$S1` for the first session id. What a peer receives between two actions must
//! be exactly what is recorded, in that order; between peers the order is free.
//!
//! Messages of the JSON protocol are objects, those of the text protocol strings.

mod placeholders;
mod replay;
mod websocket;

use serde_json::Value;

pub use placeholders::Placeholders;
pub use replay::{Replayed, replay};
pub use websocket::{Barrier, Speech, WebSocketPeers};

/// One recorded conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its name, unique in its file.
    pub name: String,
    /// What happens and then what must follow.
    pub steps: Vec<Step>,
}

/// One step of a [`Conversation`]; peers are named.
#[derive(Clone, Debug)]
pub enum Step {
    /// The peer connects.
    Connect(String),
    /// The peer sends a message: an object, or as a string any text.
    Send(String, Value),
    /// The peer closes its connection.
    Close(String),
    /// The peer receives a message.
    Receive(String, Value),
    /// The server closes the peer's connection with this code (RFC 6455, 7.4).
    Closed(String, u16),
}

/// A server with peers that a conversation is replayed against.
pub trait Peers {
    /// Connects a peer under a name.
    fn connect(&mut self, peer: &str);
    /// Lets the peer send a text.
    fn send(&mut self, peer: &str, text: &str);
    /// Closes the peer's connection.
    fn close(&mut self, peer: &str);
    /// Waits until the server has nothing more to say, and takes what the peers received, each
    /// peer's messages in order.
    fn receive_all(&mut self) -> Vec<(String, Value)>;
    /// Takes whom the server has closed, with the code, up to when all was last received.
    fn closed(&mut self) -> Vec<(String, u16)> {
        Vec::new()
    }
}

/// The recorded conversations with the JSON signalling server.
pub fn json_protocol() -> Vec<Conversation> {
    include_str!("../../vectors/json-protocol.jsonl")
        .lines()
        .map(read_conversation)
        .collect()
}

/// The recorded conversations with the server of the text protocol.
pub fn text_protocol() -> Vec<Conversation> {
    include_str!("../../vectors/text-protocol.jsonl")
        .lines()
        .map(read_conversation)
        .collect()
}

fn read_conversation(line: &str) -> Conversation {
    let recorded: Value = serde_json::from_str(line).expect("a line is one JSON object");
    let steps = recorded["steps"].as_array().expect("steps is an array");
    Conversation {
        name: text(&recorded["name"]),
        steps: steps.iter().map(read_step).collect(),
    }
}

fn read_step(step: &Value) -> Step {
    let message = || step["msg"].clone();
    if let Some(peer) = step.get("connect") {
        Step::Connect(text(peer))
    } else if let Some(peer) = step.get("send") {
        Step::Send(text(peer), message())
    } else if let Some(peer) = step.get("close") {
        Step::Close(text(peer))
    } else if let Some(peer) = step.get("recv") {
        Step::Receive(text(peer), message())
    } else if let Some(peer) = step.get("closed") {
        let code = step["code"].as_u64().and_then(|code| code.try_into().ok());
        Step::Closed(text(peer), code.expect("a close code"))
    } else {
        panic!("unknown step {step}")
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
