//! The names that clients give to themselves and to rooms.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::white_space::is_word;

/// The id that a client chose for itself: one word of any Unicode text. A clone shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(Arc<str>);

/// The name of a room: one word of any Unicode text but `session`. A clone shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl PeerId {
    /// The id, if the text can be one: it is not empty and holds no white space.
    pub fn new(text: &str) -> Option<Self> {
        is_word(text).then(|| Self(text.into()))
    }
}

impl RoomName {
    /// What cannot be a room's name; the original keeps it to mark peers in a session.
    const RESERVED: &str = "session";

    /// The name, if the text can be one: it is not empty, holds no white space and is not `session`.
    pub fn new(text: &str) -> Option<Self> {
        (is_word(text) && text != Self::RESERVED).then(|| Self(text.into()))
    }
}

macro_rules! word {
    ($name:ident) => {
        impl $name {
            /// The word as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // A map keyed by names can be asked with a plain text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Quoted and escaped, fit for a log: a client may choose any character but white space.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

word!(PeerId);
word!(RoomName);
