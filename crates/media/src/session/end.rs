//! Why a session ends.

use std::net::SocketAddr;

use str0m::RtcError;

/// Why a session ended, or was never made; for people to read, and fit to be told to the viewer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
    /// We closed it.
    #[error("closed")]
    Closed,
    /// The viewer closed it.
    #[error("the viewer closed the session")]
    ClosedByViewer,
    /// No answer, or no connection, within [`SET_UP_TIMEOUT`](super::SET_UP_TIMEOUT).
    #[error("not connected in time: no answer came, or no candidate could be reached")]
    SetUpTimedOut,
    /// Nothing from the viewer for [`SILENCE_TIMEOUT`](super::SILENCE_TIMEOUT).
    #[error("nothing was heard of the viewer any more")]
    ConsentExpired,
    /// The viewer takes none of the codecs that were offered.
    #[error("no common codec")]
    NoCommonCodec,
    /// The viewer's description is no SDP. It is at fault.
    #[error("the description is no session description")]
    MalformedDescription,
    /// The viewer's description cannot be used. It is at fault.
    #[error("the description cannot be used")]
    UnusableDescription,
    /// The connection failed: DTLS, SRTP or the network.
    #[error("the connection failed")]
    ConnectionFailed,
    /// An address that no viewer can reach was given.
    #[error("{0} cannot be offered as a candidate")]
    UnusableAddress(SocketAddr),
    /// The configuration has no stream.
    #[error("there is nothing to offer")]
    NothingToOffer,
    /// The configuration has more codecs than there are payload types.
    #[error("there are more codecs than can be offered")]
    TooManyCodecs,
    /// What cannot fail failed, as when the system has no randomness.
    #[error("internal error: the session could not be made")]
    Internal,
    /// There are as many viewers as may be.
    #[error("there are as many viewers as may be; try again later")]
    TooManyViewers,
    /// More was asked of the threads that send than they could take in.
    #[error("the sender is overloaded")]
    Overloaded,
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

impl From<&RtcError> for EndReason {
    fn from(error: &RtcError) -> Self {
        // str0m's texts may quote descriptions, which have no place in a log.
        match error {
            RtcError::RemoteSdp(_) | RtcError::Sdp(_) => Self::UnusableDescription,
            _ => Self::ConnectionFailed,
        }
    }
}
