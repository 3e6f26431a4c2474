//! What every signaller does, whichever protocol it speaks. The contract stands at the top of the crate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::SignallerError;

/// Carries descriptions and candidates of sessions to their peers.
pub trait Signaller: Send + Sync {
    /// Sends an offer or an answer to the peer of a session.
    fn send_description(&self, session: &SessionId, description: Description);

    /// Sends a candidate to the peer of a session.
    fn send_candidate(&self, session: &SessionId, candidate: Candidate);

    /// Ends a session, for a reason that is for people to read. No
    /// [`SessionEnded`](SignallerEvent::SessionEnded) follows.
    fn end_session(&self, session: &SessionId, reason: Option<String>);

    /// Ends the registration and closes the connection; calls after it have no effect.
    fn stop(&self);
}

/// What a signaller tells its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignallerEvent {
    /// The server knows us, and peers can find us. Told again after each reconnect.
    Connected {
        /// Our name at the server; another one after each reconnect.
        peer_id: PeerId,
    },
    /// There is no connection, or the latest attempt at one was in vain.
    Disconnected {
        /// Why, for people to read.
        reason: String,
        /// When the next attempt begins, from now.
        retry_in: Duration,
    },
    /// A peer wants a session: make an offer, or answer the one that comes along.
    SessionRequested {
        /// The new session.
        session: SessionId,
        /// The peer that asks.
        peer: PeerId,
        /// Its offer, if it makes it.
        offer: Option<Sdp>,
    },
    /// The peer of a session sent an offer or an answer.
    Description {
        /// The session.
        session: SessionId,
        /// What it sent.
        description: Description,
    },
    /// The peer of a session sent a candidate.
    Candidate {
        /// The session.
        session: SessionId,
        /// What it sent.
        candidate: Candidate,
    },
    /// The peer ended a session, or left.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// Why, for people to read, if the peer says so.
        reason: Option<String>,
    },
    /// The server refused something that we sent. The connection goes on.
    ServerError {
        /// What the server says, for people to read.
        details: String,
    },
    /// The signaller cannot work as it is configured. Nothing follows.
    Failed(SignallerError),
    /// The signaller was stopped, and its connection is gone. Nothing follows.
    Stopped,
}

/// A session description (SDP, RFC 8866). It holds addresses and secrets, so that its `Debug` shows
/// nothing but its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Sdp(String);

impl Sdp {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for Sdp {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Sdp {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// An offer or an answer (JSEP, RFC 9429).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// An offer.
    Offer(Sdp),
    /// The answer to an offer.
    Answer(Sdp),
}

/// A candidate (RFC 8840).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate attribute, without `a=`; the empty text is the end of candidates.
    pub candidate: String,
    /// Which media section of the description it belongs to, from 0. The native protocol knows only
    /// this; without it, the first section is meant, to which all candidates of a bundle belong.
    pub m_line: Option<u32>,
    /// The identification of that media section.
    pub mid: Option<String>,
}

/// The name of a session at the signaller: opaque text. A clone shares it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

/// The name of a peer at the signaller: opaque text. A clone shares it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(Arc<str>);

macro_rules! opaque_text {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

opaque_text!(PeerId);
opaque_text!(SessionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_can_be_logged_without_descriptions() {
        let session = SessionId::from("s");
        let events = [
            SignallerEvent::SessionRequested {
                session: session.clone(),
                peer: PeerId::from("p"),
                offer: Some("v=0 secret".into()),
            },
            SignallerEvent::Description {
                session,
                description: Description::Answer("v=0 secret".into()),
            },
        ];
        for event in events {
            let text = format!("{event:?}");
            assert!(!text.contains("secret"), "{text}");
            assert!(text.contains("10 bytes"), "{text}");
        }
    }
}
