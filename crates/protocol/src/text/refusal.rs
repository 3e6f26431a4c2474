//! Why a server does not do what a client asks.

use std::fmt;

use super::literal::Literal;

/// Why a server does not do what a client asks: what follows `ERROR` in its answer. The connection stays, but
/// all the clients there are give up.
///
/// The texts are the original server's where that has one. Names are quoted and escaped as it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such peer is connected.
    #[error("peer {} not found", Literal(.0))]
    PeerNotFound(String),
    /// The peer that is called is in a session or in a room.
    #[error("peer {} busy", Literal(.0))]
    PeerBusy(String),
    /// The peer that is spoken to is not in the sender's room.
    #[error("peer {} is not in the room", Literal(.0))]
    PeerNotInRoom(String),
    /// No room can have this name.
    #[error("invalid room id {}", Literal(.0))]
    InvalidRoom(String),
    /// In a room, everything but what is meant for rooms.
    #[error("invalid msg, already in room")]
    AlreadyInRoom,
    /// What is meant for rooms, outside of one. (The original disconnects, or enters a room of a
    /// surprising name.)
    #[error("not in a room")]
    OutsideRoom,
    /// A command without what belongs to it. (The original disconnects.)
    #[error("{0}")]
    MissingArgument(Command),
    /// The server, or a room, has no room for it; why. (The original has no limits.)
    #[error("{0}")]
    Full(String),
    /// A binary message where a command should be. (The original disconnects.)
    #[error("commands are text, not binary")]
    Binary,
}

/// A command that wants arguments. It is displayed as what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `HELLO`
    Hello,
    /// `SESSION`
    Session,
    /// `ROOM`
    Room,
    /// `ROOM_PEER_MSG`
    RoomPeerMessage,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "HELLO needs an id",
            Self::Session => "SESSION needs the id of a peer",
            Self::Room => "ROOM needs the name of a room",
            Self::RoomPeerMessage => "ROOM_PEER_MSG needs the id of a peer and a text",
        })
    }
}
