//! What a registered client says.

use std::fmt;

use super::refusal::{Command, Refusal};
use super::white_space::split_word;

/// What a peer says that is in no session and in no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdleCommand<'a> {
    /// `SESSION <id>`: calls a peer.
    Session {
        /// The peer that is called: all up to the end of the text.
        callee: &'a str,
    },
    /// `ROOM <name>`: enters a room, which begins to exist with its first member.
    Room {
        /// The room, as it stands there: whether it can be one,
        /// [`RoomName::new`](super::RoomName::new) says.
        name: &'a str,
    },
    /// Anything else. Servers pass over it without an answer.
    Unknown,
}

/// What a peer says in a room. There is no word for leaving: a peer disconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomCommand<'a> {
    /// `ROOM_PEER_MSG <id> <text>`: says something to another member.
    PeerMessage {
        /// The other member.
        to: &'a str,
        /// What is said: all up to the end, white space included. Not empty.
        text: &'a str,
    },
    /// `ROOM_PEER_LIST`: asks who else is in the room.
    PeerList,
    /// Anything else, which servers answer with an error.
    Unknown,
}

impl<'a> IdleCommand<'a> {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// An argument is missing, or the command is one for peers in a room.
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        let argument = split_word(text).1;
        if text.starts_with("SESSION") {
            let callee = argument.ok_or(Refusal::MissingArgument(Command::Session))?;
            Ok(Self::Session { callee })
        } else if text.starts_with("ROOM_PEER_") {
            Err(Refusal::OutsideRoom)
        } else if text.starts_with("ROOM") {
            let name = argument.ok_or(Refusal::MissingArgument(Command::Room))?;
            Ok(Self::Room { name })
        } else {
            Ok(Self::Unknown)
        }
    }
}

impl<'a> RoomCommand<'a> {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// An argument is missing.
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.starts_with("ROOM_PEER_MSG") {
            let missing = Refusal::MissingArgument(Command::RoomPeerMessage);
            let Some((to, Some(text))) = split_word(text).1.map(split_word) else {
                return Err(missing);
            };
            Ok(Self::PeerMessage { to, text })
        } else if text.starts_with("ROOM_PEER_LIST") {
            Ok(Self::PeerList)
        } else {
            Ok(Self::Unknown)
        }
    }
}

/// As it is sent; empty for [`IdleCommand::Unknown`].
impl fmt::Display for IdleCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { callee } => write!(f, "SESSION {callee}"),
            Self::Room { name } => write!(f, "ROOM {name}"),
            Self::Unknown => Ok(()),
        }
    }
}

/// As it is sent; empty for [`RoomCommand::Unknown`].
impl fmt::Display for RoomCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerMessage { to, text } => write!(f, "ROOM_PEER_MSG {to} {text}"),
            Self::PeerList => f.write_str("ROOM_PEER_LIST"),
            Self::Unknown => Ok(()),
        }
    }
}
