//! Where the hub's messages go.

use wigwag_protocol::text::ServerMessage;

use super::connection_id::ConnectionId;

/// Takes what a [`Hub`](super::Hub) has for its connections; the module's page says in which order it must
/// arrive.
pub trait Outbox {
    /// A message for one connection.
    fn send(&mut self, to: ConnectionId, message: ServerMessage<'_>);

    /// One message for many connections, to be written once.
    fn broadcast(&mut self, to: impl Iterator<Item = ConnectionId>, message: ServerMessage<'_>);

    /// The message that is being handled, as it came, text or binary.
    fn relay(&mut self, to: ConnectionId);

    /// The end of a connection that did nothing wrong, after all that was sent to it before (RFC 6455, 7.4.1:
    /// code 1000). The hub does not know it any more.
    fn close(&mut self, connection: ConnectionId);
}
