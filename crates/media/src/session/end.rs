//! Why a session ends.

use crate::error::{
    ConfigError, InternalError, LimitError, PeerError, SessionError, TransportError,
};

/// Why a session ended; for people to read, and fit to be sent to the viewer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
    /// We closed it.
    #[error("closed")]
    Closed,
    /// The viewer closed it.
    #[error("the viewer closed the session")]
    ClosedByViewer,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] SessionError),
}

macro_rules! ends_sessions {
    ($($error:ident),*) => {$(
        impl From<$error> for EndReason {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        }
    )*};
}

ends_sessions!(
    ConfigError,
    PeerError,
    LimitError,
    TransportError,
    InternalError
);
