//! The hub of the text protocol in a [`Registry`](crate::registry::Registry).

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use wigwag_hub::text::{Activity, ConnectionId, Hub, Incoming, Outbox, Policy, ServerMessage};

use crate::backlog::Owner;
use crate::close_reason::CloseReason;
use crate::metrics::TextSnapshot;
use crate::outbound::Outbound;
use crate::outgoing::Outgoing;
use crate::registry::{Queues, Received, SignallingHub};

/// The hub of the text protocol.
#[derive(Debug)]
pub(crate) struct TextHub(Hub);

impl TextHub {
    pub(crate) fn new(policy: Policy) -> Self {
        Self(Hub::new(policy))
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0
    }

    /// Ends the session that a connection started, as if both members had left. Returns whether there was one.
    pub(crate) fn end_session(
        &mut self,
        caller: ConnectionId,
        queues: &Queues<ConnectionId>,
    ) -> bool {
        let view = self.0.connection(caller);
        let Some(Activity::Session { called: true, .. }) = view.map(|view| view.activity) else {
            return false;
        };
        self.disconnect(&caller, queues);
        if let Some(queue) = queues.get(&caller) {
            queue.finish(CloseReason::PartnerLeft);
        }
        true
    }
}

impl SignallingHub for TextHub {
    type Key = ConnectionId;
    type Incoming<'a> = Incoming<'a>;
    type Policy = Policy;
    type Snapshot = TextSnapshot;

    const NEEDS_REGISTRATION: bool = true;

    fn connect(&mut self, queue: &Outbound) -> Result<ConnectionId, CloseReason> {
        Ok(self.0.connect(queue.payer())?)
    }

    fn read<'a>(_: &ConnectionId, message: &'a Message) -> Incoming<'a> {
        match message {
            Message::Text(text) => Incoming::Text(text),
            _ => Incoming::Binary,
        }
    }

    fn handle(
        &mut self,
        from: &ConnectionId,
        message: &Message,
        incoming: Incoming<'_>,
        queues: &Queues<ConnectionId>,
    ) -> Result<Received, CloseReason> {
        let mut delivery = Delivery::new(queues, Some(*from), Some(message));
        self.0.handle(*from, incoming, &mut delivery)?;
        Ok(delivery.received)
    }

    fn registered_name(&self, connection: &ConnectionId) -> Option<String> {
        let id = self.0.peer_id(*connection)?;
        Some(format!("{id:?}"))
    }

    fn disconnect(&mut self, connection: &ConnectionId, queues: &Queues<ConnectionId>) {
        let mut delivery = Delivery::new(queues, None, None);
        self.0.disconnect(*connection, &mut delivery);
    }

    fn set_policy(&mut self, policy: Policy) {
        self.0.set_policy(policy);
    }

    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn snapshot(&self) -> TextSnapshot {
        TextSnapshot {
            peers: self.0.peer_count(),
            sessions: self.0.session_count(),
            rooms: self.0.room_count(),
        }
    }

    #[cfg(any(test, fuzzing))]
    fn remembered(&self) -> usize {
        self.0.peer_count() + self.0.room_count()
    }
}

/// Puts the hub's messages into the queues.
struct Delivery<'a> {
    queues: &'a Queues<ConnectionId>,
    /// The connection whose message is being handled, if there is one.
    from: Option<ConnectionId>,
    /// The message that is being handled, if there is one.
    relayed: Option<&'a Message>,
    received: Received,
}

impl<'a> Delivery<'a> {
    fn new(
        queues: &'a Queues<ConnectionId>,
        from: Option<ConnectionId>,
        relayed: Option<&'a Message>,
    ) -> Self {
        Self {
            queues,
            from,
            relayed,
            received: Received::Understood,
        }
    }
}

impl Delivery<'_> {
    /// Charges work that is done for others.
    fn charge(&self, peers: usize, bytes: usize) {
        let queue = self.from.and_then(|from| self.queues.get(&from));
        if let Some(work) = queue.and_then(|queue| queue.work()) {
            work.charge(peers, bytes, Instant::now());
        }
    }
}

impl Outbox for Delivery<'_> {
    fn send(&mut self, to: ConnectionId, message: ServerMessage<'_>) {
        if let ServerMessage::Error(_) = message {
            self.received = Received::Malformed;
        }
        let is_list = matches!(
            message,
            ServerMessage::RoomOk { .. } | ServerMessage::RoomPeerList { .. }
        );
        let text = message.to_string();
        if is_list {
            self.charge(1, text.len());
        }
        if let Some(queue) = self.queues.get(&to) {
            queue.push(Message::text(text));
        }
    }

    fn broadcast(&mut self, to: impl Iterator<Item = ConnectionId>, message: ServerMessage<'_>) {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_string());
        let mut peers = 0;
        for queue in to.filter_map(|to| self.queues.get(&to)) {
            peers += 1;
            queue.push(Outgoing::Shared(text.clone()));
        }
        self.charge(peers, text.len());
    }

    fn relay(&mut self, to: ConnectionId) {
        let (Some(queue), Some(message), Some(from)) =
            (self.queues.get(&to), self.relayed, self.from)
        else {
            return;
        };
        let owner = Owner::Other(from.number());
        for dropped in queue.push_of(owner, message.clone()) {
            if let Some(sender) = self.queues.get(&ConnectionId::from(dropped)) {
                sender.close(CloseReason::ExceedsReader);
            }
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        if let Some(queue) = self.queues.get(&connection) {
            queue.finish(CloseReason::PartnerLeft);
        }
    }
}
