//! An outbox of the text protocol that keeps what it is given.
use wigwag_hub::Payer;
use wigwag_hub::text::{ConnectionId, Hub, Incoming, Outbox, ServerMessage, Violation};

/// What a connection was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A text of the server's.
    Text(String),
    /// What the other one sent, as it came.
    Relayed,
    /// The end.
    Closed,
}

#[derive(Default)]
pub(crate) struct Collected(pub Vec<(ConnectionId, Sent)>);

impl Outbox for Collected {
    fn send(&mut self, to: ConnectionId, message: ServerMessage<'_>) {
        self.0.push((to, Sent::Text(message.to_string())));
    }

    fn broadcast(&mut self, to: impl Iterator<Item = ConnectionId>, message: ServerMessage<'_>) {
        for to in to {
            self.send(to, message.clone());
        }
    }

    fn relay(&mut self, to: ConnectionId) {
        self.0.push((to, Sent::Relayed));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.0.push((connection, Sent::Closed));
    }
}

pub(crate) fn text(text: &str) -> Sent {
    Sent::Text(text.to_owned())
}

/// Lets a connection send a text, and returns what everyone was sent.
pub(crate) fn send(hub: &mut Hub, from: ConnectionId, text: &str) -> Vec<(ConnectionId, Sent)> {
    try_send(hub, from, text).expect("within the limits")
}

pub(crate) fn try_send(
    hub: &mut Hub,
    from: ConnectionId,
    text: &str,
) -> Result<Vec<(ConnectionId, Sent)>, Violation> {
    try_handle(hub, from, Incoming::Text(text))
}

pub(crate) fn try_handle(
    hub: &mut Hub,
    from: ConnectionId,
    incoming: Incoming<'_>,
) -> Result<Vec<(ConnectionId, Sent)>, Violation> {
    let mut out = Collected::default();
    hub.handle(from, incoming, &mut out)?;
    Ok(out.0)
}

pub(crate) fn disconnect(hub: &mut Hub, connection: ConnectionId) -> Vec<(ConnectionId, Sent)> {
    let mut out = Collected::default();
    hub.disconnect(connection, &mut out);
    out.0
}

/// Connects a peer and registers it.
pub(crate) fn peer(hub: &mut Hub, id: &str) -> ConnectionId {
    let connection = hub.connect(Payer::NOBODY).expect("there is room");
    let answer = send(hub, connection, &format!("HELLO {id}"));
    assert_eq!(answer, [(connection, text("HELLO"))]);
    connection
}
