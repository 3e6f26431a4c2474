//! What fails, by whose fault it is.

use std::net::SocketAddr;

use str0m::RtcError;

/// Why a session failed, or was never made, by whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Of who configures it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Of the peer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Of nobody: there is as much as may be.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Of the network, or of a peer that is not there any more.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Ours, or the system's.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// A configuration that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An address that no viewer can reach was given.
    #[error("{0} cannot be offered as a candidate")]
    UnusableAddress(SocketAddr),
    /// The configuration has no stream.
    #[error("there is nothing to offer")]
    NothingToOffer,
    /// The configuration has more codecs than there are payload types.
    #[error("there are more codecs than can be offered")]
    TooManyCodecs,
}

/// A peer with which there can be no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The viewer takes none of the codecs that were offered.
    #[error("no common codec")]
    NoCommonCodec,
    /// The viewer's description is no SDP.
    #[error("the description is no session description")]
    MalformedDescription,
    /// The viewer's description cannot be used.
    #[error("the description cannot be used")]
    UnusableDescription,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// There are as many viewers as may be.
    #[error("there are as many viewers as may be; try again later")]
    TooManyViewers,
    /// More was asked of the threads that send than they could take in.
    #[error("the sender is overloaded")]
    Overloaded,
}

/// A connection that was not made, or is there no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No answer, or no connection, within [`SET_UP_TIMEOUT`](crate::session::SET_UP_TIMEOUT).
    #[error("not connected in time: no answer came, or no candidate could be reached")]
    SetUpTimedOut,
    /// Nothing from the viewer for [`SILENCE_TIMEOUT`](crate::session::SILENCE_TIMEOUT).
    #[error("timed out: no connectivity check of the viewer came any more")]
    ConsentExpired,
    /// The connection failed: DTLS, SRTP or the network.
    #[error("the connection failed")]
    ConnectionFailed,
}

/// A fault inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InternalError {
    /// What cannot fail failed, as when the system has no randomness.
    #[error("internal error: the session could not be made")]
    NotMade,
    /// str0m never came to rest.
    #[error("the session never came to rest")]
    DidNotConverge,
    /// str0m panicked.
    #[error("the session failed inside")]
    Panicked,
    /// The thread that served the session panicked, and was replaced.
    #[error("internal error: a thread of the sender failed; call again")]
    ShardFailed,
}

impl From<&RtcError> for SessionError {
    fn from(error: &RtcError) -> Self {
        // str0m's texts may quote descriptions, which have no place in a log.
        match error {
            RtcError::RemoteSdp(_) | RtcError::Sdp(_) => PeerError::UnusableDescription.into(),
            _ => TransportError::ConnectionFailed.into(),
        }
    }
}
