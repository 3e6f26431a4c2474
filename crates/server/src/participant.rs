//! The protocol's side of a connection.

use std::fmt;

use tokio_tungstenite::tungstenite::Message;

use crate::close_reason::CloseReason;

/// A connected peer, as the connection that it is behind sees it. Displayed as its name in logs.
///
/// The peer leaves its protocol when this is dropped, whatever happens: a panic must not make a ghost of it.
pub(crate) trait Participant: fmt::Display + Send {
    /// Takes a text or binary message. Never waits.
    fn receive(&mut self, message: Message) -> Result<Received, CloseReason>;

    /// Whether the peer has yet to say who it is.
    fn owes_hello(&self) -> bool {
        false
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Understood,
    /// It was dropped, or answered with an error that says so.
    Malformed,
}
