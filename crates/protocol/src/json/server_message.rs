//! What the server says to a client.

use serde::{Deserialize, Serialize};

use super::id::{PeerId, SessionId};
use super::malformed::MalformedMessage;
use super::meta::Meta;
use super::peer_message::PeerMessage;
use super::roles::Roles;

/// A message from the server to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ServerMessage {
    /// The first message of a connection, once.
    Welcome {
        /// The id that the client has from now on.
        peer_id: PeerId,
    },
    /// A peer's roles or meta changed, or it left (no roles). To every listener, the changed peer
    /// included if it is one.
    PeerStatusChanged(PeerStatusChange),
    /// To the producer of a new session: make an offer, or answer the one that comes along.
    StartSession {
        /// The consumer.
        peer_id: PeerId,
        /// The new session.
        session_id: SessionId,
        /// The caller's offer (SDP).
        #[serde(default)]
        offer: Option<String>,
    },
    /// To the consumer of a new session, before anything else of that session.
    SessionStarted {
        /// The producer.
        peer_id: PeerId,
        /// The new session.
        session_id: SessionId,
    },
    /// The session is over. To peers of version 1.0.
    EndSession {
        /// The session that ended.
        session_id: SessionId,
    },
    /// The session is over, and why. Only to peers that chose version 1.1.
    #[serde(rename = "endSessionV1_1")]
    EndSessionV1_1 {
        /// The session that ended.
        session_id: SessionId,
        /// The reason, for people to read.
        #[serde(default)]
        error: Option<String>,
    },
    /// A description or a candidate from the other member of a session.
    Peer(PeerMessage),
    /// All producers, in the order in which they registered.
    List {
        /// The producers, the asking peer included if it is one.
        producers: Vec<ListedPeer>,
    },
    /// All passive consumers, in the order in which they registered.
    ListConsumers {
        /// The consumers, the asking peer included if it is one.
        consumers: Vec<ListedPeer>,
    },
    /// A message of the client was refused. GStreamer clients stop at any of these.
    Error {
        /// What is wrong, for people to read.
        details: String,
    },
}

/// The status that a peer has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerStatusChange {
    /// Its roles now; none if it left.
    pub roles: Roles,
    /// What it says of itself; the last it said, if it left.
    #[serde(default)]
    pub meta: Option<Meta>,
    /// The peer that changed.
    pub peer_id: PeerId,
}

/// A peer in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPeer {
    /// The peer. Named `id` here and `peerId` everywhere else.
    pub id: PeerId,
    /// What it says of itself.
    #[serde(default)]
    pub meta: Option<Meta>,
}

impl ListedPeer {
    /// Writes the entry as lists have it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and read JSON can always be written")
    }
}

impl ServerMessage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// The text is not JSON, or no message of the protocol.
    pub fn from_json(text: &str) -> Result<Self, MalformedMessage> {
        Ok(serde_json::from_str(text)?)
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and read JSON can always be written")
    }
}
