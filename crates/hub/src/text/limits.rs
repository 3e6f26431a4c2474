//! What peers of the text protocol may do at the most, and what is said when they do more.

/// Limits of a [`Hub`](super::Hub) of the text protocol.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Connections at once, those included that have not registered yet.
    pub max_peers: usize,
    /// Of these, those of one address while there are few others: less as the hub fills, see [`Shares`](crate::Shares).
    pub max_peers_per_address: usize,
    /// Rooms at once that have members.
    pub max_rooms: usize,
    /// Of these, those that one address opened, while there are few others.
    pub max_rooms_per_address: usize,
    /// Members of one room. Each of them hears of everyone who enters and leaves.
    pub max_room_members: usize,
    /// Bytes of the id of a peer and of the name of a room.
    pub max_id_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_peers: 65_536,
            max_peers_per_address: 1_024,
            max_rooms: 16_384,
            max_rooms_per_address: 256,
            max_room_members: 1_024,
            max_id_bytes: 256,
        }
    }
}

/// A peer did what ends its connection; this is the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The first message is not HELLO.
    #[error("invalid protocol")]
    InvalidProtocol,
    /// The id that a peer wants for itself is taken, or cannot be one.
    #[error("invalid peer uid")]
    InvalidPeerId,
    /// An id or a name longer than [`Policy::max_id_bytes`].
    #[error("an id or a name of {bytes} bytes; {limit} at the most")]
    NameTooLong {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl Violation {
    /// Its name in logs and metrics: the field of [`Policy`] that was passed, or what else was wrong.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidProtocol => "invalid_protocol",
            Self::InvalidPeerId => "invalid_peer_id",
            Self::NameTooLong { .. } => "max_id_bytes",
        }
    }
}

/// No more fit in, or none of this address; the same may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// [`Policy::max_peers`] are connected.
    #[error("the server is full ({limit} peers); try again later")]
    Peers {
        /// The limit.
        limit: usize,
    },
    /// An address, or a network around it, holds its share of [`Policy::max_peers`].
    #[error(
        "{limit} connections of this address or network at once; close some, or try again later"
    )]
    PeersOfAddress {
        /// Its share now.
        limit: usize,
    },
    /// The same of [`Policy::max_rooms`].
    #[error("{limit} rooms of this address or network at once; leave some, or try again later")]
    RoomsOfAddress {
        /// Its share now.
        limit: usize,
    },
    /// There are [`Policy::max_rooms`].
    #[error("the server is full ({limit} rooms); try again later")]
    Rooms {
        /// The limit.
        limit: usize,
    },
    /// The room has [`Policy::max_room_members`].
    #[error("the room is full ({limit} members); try again later")]
    Room {
        /// The limit.
        limit: usize,
    },
}

impl Full {
    /// The field of [`Policy`] that was reached.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Peers { .. } => "max_peers",
            Self::PeersOfAddress { .. } => "max_peers_per_address",
            Self::Rooms { .. } => "max_rooms",
            Self::RoomsOfAddress { .. } => "max_rooms_per_address",
            Self::Room { .. } => "max_room_members",
        }
    }
}
