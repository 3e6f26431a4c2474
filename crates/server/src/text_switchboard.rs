//! The hub of the text protocol and the outbound queues of its connections, behind one lock, as with the
//! JSON protocol: see [`switchboard`](crate::switchboard).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use wigwag_hub::text::{
    Activity, ConnectionId, Hub, Incoming, Outbox, PeerId, Policy, ServerMessage,
};

use crate::close_reason::CloseReason;
use crate::metrics::TextSnapshot;
use crate::outbound::Outbound;
use crate::participant::{Participant, Received};

#[derive(Debug)]
pub(crate) struct TextSwitchboard {
    inner: Mutex<Inner>,
    /// Why nobody is taken any more; written under the lock.
    closing: OnceLock<CloseReason>,
}

#[derive(Debug)]
struct Inner {
    hub: Hub,
    queues: Queues,
}

type Queues = HashMap<ConnectionId, Arc<Outbound>>;

impl TextSwitchboard {
    pub(crate) fn new(policy: Policy) -> Self {
        let inner = Inner {
            hub: Hub::new(policy),
            queues: Queues::new(),
        };
        Self {
            inner: Mutex::new(inner),
            closing: OnceLock::new(),
        }
    }

    /// Takes a new connection with an empty queue.
    pub(crate) fn connect(
        self: Arc<Self>,
        outbound: Outbound,
    ) -> Result<(TextPeer, Arc<Outbound>), CloseReason> {
        let outbound = Arc::new(outbound);
        let mut inner = self.lock();
        if let Some(reason) = self.closing.get() {
            return Err(reason.clone());
        }
        let connection = inner.hub.connect()?;
        inner.queues.insert(connection, Arc::clone(&outbound));
        drop(inner);
        let peer = TextPeer {
            switchboard: self,
            connection,
            id: None,
        };
        Ok((peer, outbound))
    }

    /// Closes every connection, and all that come later, for the same reason; none is closed for the end of its
    /// partner in between.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let inner = self.lock();
        let reason = self.closing.get_or_init(|| reason.clone());
        #[expect(clippy::iter_over_hash_type, reason = "nobody can tell the order")]
        for queue in inner.queues.values() {
            queue.close(reason.clone());
        }
    }

    /// Shows the hub and the queues to somebody, who may copy as much as a page of a list holds: everyone waits.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Hub, &Queues) -> R) -> R {
        let inner = self.lock();
        look(&inner.hub, &inner.queues)
    }

    /// Closes a connection. For all others it has left already when this returns. Returns whether it was there.
    pub(crate) fn remove(&self, connection: ConnectionId, reason: CloseReason) -> bool {
        let mut inner = self.lock();
        let Some(queue) = inner.queues.remove(&connection) else {
            return false;
        };
        inner.forget(connection);
        queue.close(reason);
        true
    }

    /// Ends the session that a connection started, as if both partners had left. Returns whether there was one.
    pub(crate) fn end_session(&self, caller: ConnectionId) -> bool {
        let mut inner = self.lock();
        let view = inner.hub.connection(caller);
        let Some(Activity::Session { called: true, .. }) = view.map(|view| view.activity) else {
            return false;
        };
        inner.forget(caller);
        if let Some(queue) = inner.queues.get(&caller) {
            queue.finish(CloseReason::PartnerLeft);
        }
        true
    }

    /// Changes what is allowed from now on.
    pub(crate) fn set_policy(&self, policy: Policy) {
        self.lock().hub.set_policy(policy);
    }

    /// Whether a newcomer would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().hub.is_full()
    }

    /// What there is now.
    pub(crate) fn snapshot(&self) -> TextSnapshot {
        let hub = &self.lock().hub;
        TextSnapshot {
            peers: hub.peer_count(),
            sessions: hub.session_count(),
            rooms: hub.room_count(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the hub is a bug, but must not take down those who are connected.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Lets a connection leave the hub.
    fn forget(&mut self, connection: ConnectionId) {
        let mut delivery = Delivery {
            queues: &self.queues,
            in_hand: &Message::Binary(Vec::new().into()),
            received: Received::Understood,
        };
        self.hub.disconnect(connection, &mut delivery);
    }
}

/// A connection in the switchboard. It leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct TextPeer {
    switchboard: Arc<TextSwitchboard>,
    connection: ConnectionId,
    /// Once it is registered.
    id: Option<PeerId>,
}

impl Participant for TextPeer {
    fn receive(&mut self, message: Message) -> Result<Received, CloseReason> {
        let incoming = match &message {
            Message::Text(text) => Incoming::Text(text),
            _ => Incoming::Binary,
        };
        let mut inner = self.switchboard.lock();
        let Inner { hub, queues } = &mut *inner;
        let mut delivery = Delivery {
            queues,
            in_hand: &message,
            received: Received::Understood,
        };
        hub.handle(self.connection, incoming, &mut delivery)?;
        let received = delivery.received;
        if self.id.is_none()
            && let Some(id) = hub.peer_id(self.connection)
        {
            self.id = Some(id.clone());
            drop(inner);
            tracing::info!(connection = %self.connection, peer = %self, "registered");
        }
        Ok(received)
    }

    fn owes_hello(&self) -> bool {
        self.id.is_none()
    }
}

impl Drop for TextPeer {
    fn drop(&mut self) {
        let mut inner = self.switchboard.lock();
        inner.queues.remove(&self.connection);
        inner.forget(self.connection);
    }
}

/// Its id, quoted and escaped: clients choose it.
impl fmt::Display for TextPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id:?}"),
            None => self.connection.fmt(f),
        }
    }
}

/// Puts what the hub says into the queues.
struct Delivery<'a> {
    queues: &'a Queues,
    /// The message that is being handled.
    in_hand: &'a Message,
    received: Received,
}

impl Outbox for Delivery<'_> {
    fn send(&mut self, to: ConnectionId, message: ServerMessage<'_>) {
        if let ServerMessage::Error(_) = message {
            self.received = Received::Malformed;
        }
        if let Some(queue) = self.queues.get(&to) {
            queue.push(Message::text(message.to_string()));
        }
    }

    fn broadcast(&mut self, to: impl Iterator<Item = ConnectionId>, message: ServerMessage<'_>) {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_string());
        for queue in to.filter_map(|to| self.queues.get(&to)) {
            queue.push(Message::Text(text.clone()));
        }
    }

    fn relay(&mut self, to: ConnectionId) {
        if let Some(queue) = self.queues.get(&to) {
            queue.push(self.in_hand.clone());
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        if let Some(queue) = self.queues.get(&connection) {
            queue.finish(CloseReason::PartnerLeft);
        }
    }
}

#[cfg(any(test, fuzzing))]
#[expect(clippy::iter_over_hash_type, reason = "nobody can tell the order")]
impl TextSwitchboard {
    /// What waits for each connection.
    pub(crate) fn queues(&self) -> Vec<crate::backlog::Waiting> {
        let mut waiting = Vec::new();
        for queue in self.lock().queues.values() {
            waiting.push(queue.waiting());
        }
        waiting
    }

    /// How many things it keeps: nothing, when nobody is connected.
    pub(crate) fn remembered(&self) -> usize {
        let Inner { hub, queues } = &*self.lock();
        hub.peer_count() + hub.room_count() + queues.len()
    }
}
