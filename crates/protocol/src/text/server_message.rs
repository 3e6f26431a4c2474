//! What a server says.

use std::fmt;

use super::id::PeerId;
use super::refusal::Refusal;

/// A message of the server's own; what it only passes on is not among them. Displayed as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerMessage<'a> {
    /// The client is registered.
    Hello,
    /// The session is there: from now on every message goes to the partner. The partner is told nothing.
    SessionOk,
    /// The client is in the room. By convention it now sends an offer to each of those who are there.
    RoomOk {
        /// Who else is there.
        others: Vec<PeerId>,
    },
    /// Somebody entered the client's room.
    RoomPeerJoined(PeerId),
    /// Somebody left the client's room.
    RoomPeerLeft(PeerId),
    /// A member of the room says something to the client.
    RoomPeerMessage {
        /// Who says it.
        from: &'a PeerId,
        /// What is said.
        text: &'a str,
    },
    /// Who else is in the room.
    RoomPeerList {
        /// All members but the one that asked.
        others: Vec<PeerId>,
    },
    /// The server does not do what the client asked.
    Error(Refusal),
}

impl fmt::Display for ServerMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => f.write_str("HELLO"),
            Self::SessionOk => f.write_str("SESSION_OK"),
            Self::RoomOk { others } => write_list(f, "ROOM_OK", others),
            Self::RoomPeerJoined(id) => write!(f, "ROOM_PEER_JOINED {id}"),
            Self::RoomPeerLeft(id) => write!(f, "ROOM_PEER_LEFT {id}"),
            Self::RoomPeerMessage { from, text } => write!(f, "ROOM_PEER_MSG {from} {text}"),
            Self::RoomPeerList { others } => write_list(f, "ROOM_PEER_LIST", others),
            Self::Error(refusal) => write!(f, "ERROR {refusal}"),
        }
    }
}

/// The space after the word stands there for an empty list too: the client in C wants it.
fn write_list(f: &mut fmt::Formatter<'_>, word: &str, ids: &[PeerId]) -> fmt::Result {
    write!(f, "{word} ")?;
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            f.write_str(" ")?;
        }
        f.write_str(id.as_str())?;
    }
    Ok(())
}
