//! The first message.

use std::fmt;

use super::white_space::split_word;

/// `HELLO <id>`: a client's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The id that the client wants, as it stands there: whether it can be one,
    /// [`PeerId::new`](super::PeerId::new) says.
    pub id: &'a str,
}

/// Why a first message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHello {
    /// It does not begin with the word `HELLO`: the client speaks something else.
    #[error("the first message is not HELLO")]
    OtherWord,
    /// Nothing follows the word.
    #[error("HELLO without an id")]
    NoId,
}

impl<'a> Hello<'a> {
    /// Reads a first message. White space before it is passed over.
    ///
    /// # Errors
    ///
    /// It is something else, or names no id.
    pub fn read(text: &'a str) -> Result<Self, InvalidHello> {
        match split_word(text) {
            ("HELLO", Some(id)) => Ok(Self { id }),
            ("HELLO", None) => Err(InvalidHello::NoId),
            _ => Err(InvalidHello::OtherWord),
        }
    }
}

/// As it is sent.
impl fmt::Display for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HELLO {}", self.id)
    }
}
