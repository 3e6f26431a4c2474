//! Where the hub's messages go.

use wigwag_protocol::json::{PeerId, ServerMessage};

/// Takes the messages that a [`Hub`](crate::Hub) has for its peers; the crate's page says in which
/// order they must arrive.
pub trait Outbox {
    /// A message for one peer.
    fn send(&mut self, to: &PeerId, message: ServerMessage);

    /// One message for many peers, to be serialised once.
    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage);
}
