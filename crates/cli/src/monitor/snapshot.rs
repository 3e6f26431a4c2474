//! What the admin API tells. More members than these may come, and are passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::meta;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) peers: Vec<Peer>,
    pub(super) sessions: Vec<Session>,
    pub(super) rooms: Vec<Room>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) uptime_seconds: f64,
    pub(super) json: JsonCounts,
    pub(super) text: TextCounts,
    pub(super) messages_received: u64,
    pub(super) messages_sent: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct JsonCounts {
    pub(super) peers: usize,
    pub(super) producers: usize,
    pub(super) consumers: usize,
    pub(super) listeners: usize,
    pub(super) sessions: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct TextCounts {
    pub(super) peers: usize,
    pub(super) sessions: usize,
    pub(super) rooms: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) protocol: String,
    pub(super) name: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) meta: Option<Value>,
    pub(super) meta_bytes: usize,
    pub(super) address: Option<String>,
    pub(super) connected_at: String,
    pub(super) sessions: usize,
    pub(super) room: Option<String>,
    pub(super) queued_messages: usize,
    pub(super) queued_bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) protocol: String,
    pub(super) caller: String,
    pub(super) callee: String,
    pub(super) producer: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) member_count: usize,
    pub(super) members: Vec<String>,
}

impl Peer {
    /// What it is called: in the text protocol by its id, in the JSON protocol by custom.
    pub(super) fn called(&self) -> Cow<'_, str> {
        match &self.name {
            Some(name) => Cow::Borrowed(name),
            None => meta::name(self.meta.as_ref()),
        }
    }

    /// What else it says of itself, in short.
    pub(super) fn says(&self) -> String {
        match &self.meta {
            None if self.meta_bytes > 0 => format!("({} bytes)", self.meta_bytes),
            meta => meta::besides_name(meta.as_ref()),
        }
    }

    pub(super) fn does(&self) -> String {
        match &self.room {
            Some(room) => format!("in {room}"),
            None => self.roles.join(", "),
        }
    }
}
