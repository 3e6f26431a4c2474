//! What viewers say of themselves.

use std::net::SocketAddr;
use std::time::Duration;

use super::StreamReport;

/// What a viewer counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverReport {
    /// From the start until media could flow.
    pub connected_after: Option<Duration>,
    /// Whether the sender said that it is over.
    pub is_closed: bool,
    /// Why it cannot go on, if it cannot.
    pub failure: Option<ReceiverError>,
    /// The streams, in the order in which they began.
    pub streams: Vec<StreamReport>,
}

/// Why a viewer cannot go on, or was never made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// The sender's description cannot be used.
    #[error("the sender's description cannot be used: {0}")]
    Description(String),
    /// There is nothing to be offered, or nothing was.
    #[error("there is nothing to negotiate")]
    Nothing,
    /// An address cannot be used for media.
    #[error("{0} cannot be a candidate")]
    Address(SocketAddr),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// No socket on an address.
    #[error("no socket: {0}")]
    Socket(String),
    /// There is no such viewer any more.
    #[error("the viewer is gone")]
    Gone,
}
