//! What a client says to the server.

use serde::{Deserialize, Serialize};

use super::id::{PeerId, SessionId};
use super::malformed::MalformedMessage;
use super::meta::Meta;
use super::peer_message::PeerMessage;
use super::roles::Roles;

/// A message from a client to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ClientMessage {
    /// Chooses the protocol version; only as the first message. Not answered. Since version 1.1.
    SetProtocolVersion {
        /// The version to speak from now on.
        version: ProtocolVersion,
    },
    /// Declares roles and meta, in place of those before.
    SetPeerStatus(PeerStatus),
    /// Calls a producer, or as a producer a passive consumer.
    StartSession {
        /// The peer that is called.
        peer_id: PeerId,
        /// The caller's offer, if it is to make it (SDP).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<String>,
    },
    /// Ends a session. Not answered.
    EndSession {
        /// The session to end.
        session_id: SessionId,
    },
    /// Ends a session and says why. Since version 1.1.
    #[serde(rename = "endSessionV1_1")]
    EndSessionV1_1 {
        /// The session to end.
        session_id: SessionId,
        /// The reason, for people to read.
        #[serde(default)]
        error: Option<String>,
    },
    /// Passes a description or a candidate on to the other member of a session.
    Peer(PeerMessage),
    /// Asks for all producers.
    List,
    /// Asks for all passive consumers.
    ListConsumers,
}

/// What a peer declares of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerStatus {
    /// Its roles, in place of those before.
    pub roles: Roles,
    /// What it says of itself.
    #[serde(default)]
    pub meta: Option<Meta>,
    /// Its own id. Servers take the id of the connection instead, but do compare this one when they
    /// decide whether anything changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
}

/// A version of the JSON protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ProtocolVersion {
    /// What every client speaks that chooses none.
    #[default]
    #[serde(rename = "v1_0")]
    V1_0,
    /// Adds a reason to the end of a session.
    #[serde(rename = "v1_1")]
    V1_1,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// The text is not JSON, or no message of the protocol. Servers drop such a text without an
    /// answer.
    pub fn from_json(text: &str) -> Result<Self, MalformedMessage> {
        Ok(serde_json::from_str(text)?)
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and read JSON can always be written")
    }
}
