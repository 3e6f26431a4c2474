//! What peers may do at the most, and what is said when they do more.

/// Limits and choices of a [`Hub`](crate::Hub).
#[derive(Clone, Debug)]
pub struct Policy {
    /// Peers connected at once.
    pub max_peers: usize,
    /// Of these, those of one address while there are few others: less as the hub fills, see [`Shares`](crate::Shares).
    pub max_peers_per_address: usize,
    /// Sessions at once that one peer started. Sessions that others started with it do not count: a
    /// producer is not at fault for its viewers.
    pub max_sessions_per_caller: usize,
    /// Sessions at once in all.
    pub max_sessions: usize,
    /// Of these, those that one address started, while there are few others.
    pub max_sessions_per_address: usize,
    /// Bytes of one peer's meta as compact JSON. Every listener hears it on every change.
    pub max_meta_bytes: usize,
    /// Bytes of all metas together. A list of all producers is that long.
    pub max_meta_bytes_in_all: usize,
    /// Of these, those of one address, while there are few others.
    pub max_meta_bytes_per_address: usize,
    /// Whether only a producer may call a passive consumer. The reference lets anyone.
    pub only_producers_call_consumers: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_peers: 65_536,
            max_peers_per_address: 1_024,
            max_sessions_per_caller: 4_096,
            max_sessions: 262_144,
            max_sessions_per_address: 4_096,
            max_meta_bytes: 256 * 1024,
            max_meta_bytes_in_all: 8 * 1024 * 1024,
            max_meta_bytes_per_address: 1024 * 1024,
            only_producers_call_consumers: false,
        }
    }
}

/// A peer exceeded a limit of its own, and is to be disconnected with this as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// More sessions at once than [`Policy::max_sessions_per_caller`].
    #[error("more than {limit} sessions at once; end some before starting more")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// A meta larger than [`Policy::max_meta_bytes`].
    #[error("meta of {bytes} bytes; {limit} at the most")]
    MetaTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl Violation {
    /// The field of [`Policy`] that was passed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooManySessions { .. } => "max_sessions_per_caller",
            Self::MetaTooLarge { .. } => "max_meta_bytes",
        }
    }
}

/// A limit that all peers share, or all of an address, is reached; the same may succeed later.
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
    /// The same of [`Policy::max_sessions`].
    #[error("{limit} sessions of this address or network at once; end some, or try again later")]
    SessionsOfAddress {
        /// Its share now.
        limit: usize,
    },
    /// The same of [`Policy::max_meta_bytes_in_all`].
    #[error("{limit} bytes of meta of this address or network; say less, or try again later")]
    MetaOfAddress {
        /// Its share now.
        limit: usize,
    },
    /// [`Policy::max_sessions`] are running.
    #[error("the server is full ({limit} sessions); try again later")]
    Sessions {
        /// The limit.
        limit: usize,
    },
    /// [`Policy::max_meta_bytes_in_all`] are stored.
    #[error("the server is full ({limit} bytes of meta); try again later")]
    Meta {
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
            Self::Sessions { .. } => "max_sessions",
            Self::SessionsOfAddress { .. } => "max_sessions_per_address",
            Self::Meta { .. } => "max_meta_bytes_in_all",
            Self::MetaOfAddress { .. } => "max_meta_bytes_per_address",
        }
    }
}
