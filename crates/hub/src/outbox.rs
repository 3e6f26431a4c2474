//! The destination of the hub's messages.

use wigwag_protocol::json::{PeerId, ServerMessage};

use crate::list::List;

/// Takes the messages that a [`Hub`](crate::Hub) has for its peers; the crate's page says in which
/// order they must arrive.
pub trait Outbox {
    /// Takes a message for one peer.
    fn send(&mut self, to: &PeerId, message: ServerMessage);

    /// Takes a message for one peer that the other member of a session causes; `session` is its
    /// [number](crate::SessionView::number).
    fn send_in_session(&mut self, to: &PeerId, session: u64, message: ServerMessage) {
        let _ = session;
        self.send(to, message);
    }

    /// Takes the list of all producers or of all consumers for one peer. It may be long, and can be had in slices that
    /// others share.
    fn send_list(&mut self, to: &PeerId, list: &mut List<'_>) {
        self.send(to, list.message());
    }

    /// Takes one message for many peers, to be serialised once.
    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage);
}
