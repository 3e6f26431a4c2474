//! The hub and the outbound queues of its peers, behind one lock.
//!
//! The lock is held while the hub decides and while its messages go into the queues, so that every
//! peer hears things in the order in which they happened. Nothing under the lock waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Utf8Bytes;
use wigwag_hub::{Full, Hub, Outbox, Policy, Violation};
use wigwag_protocol::json::{ClientMessage, PeerId, ServerMessage};

use crate::close_reason::CloseReason;
use crate::limits::Limits;
use crate::outbound::Outbound;

#[derive(Debug)]
pub(crate) struct Switchboard {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Hub,
    queues: Queues,
}

#[derive(Debug, Default)]
struct Queues(HashMap<PeerId, Arc<Outbound>>);

impl Switchboard {
    pub(crate) fn new(policy: Policy, limits: Limits) -> Self {
        let inner = Inner {
            hub: Hub::new(policy, rand::random()),
            queues: Queues::default(),
        };
        Self {
            limits,
            inner: Mutex::new(inner),
        }
    }

    /// Takes a new connection; its queue already holds the welcome.
    pub(crate) fn connect(&self) -> Result<(PeerId, Arc<Outbound>), Full> {
        let outbound = Arc::new(Outbound::new(&self.limits));
        let mut inner = self.lock();
        let id = inner.hub.connect()?;
        inner.queues.0.insert(id.clone(), Arc::clone(&outbound));
        let welcome = ServerMessage::Welcome {
            peer_id: id.clone(),
        };
        inner.queues.send(&id, welcome);
        Ok((id, outbound))
    }

    pub(crate) fn handle(&self, from: &PeerId, message: ClientMessage) -> Result<(), Violation> {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        hub.handle(from, message, queues)
    }

    pub(crate) fn disconnect(&self, peer: &PeerId) {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        queues.0.remove(peer);
        hub.disconnect(peer, queues);
    }

    /// Closes every connection for the same reason.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let queues: Vec<_> = self.lock().queues.0.values().cloned().collect();
        for queue in queues {
            queue.close(reason.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the hub is a bug, but must not take down those who are connected.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Queues {
    fn send(&mut self, to: &PeerId, message: ServerMessage) {
        if let Some(queue) = self.0.get(to) {
            queue.push(message.to_json().into());
        }
    }

    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage) {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_json());
        for queue in to.filter_map(|to| self.0.get(to)) {
            match &message {
                ServerMessage::PeerStatusChanged(change) => {
                    queue.push_status(&change.peer_id, text.clone());
                }
                _ => queue.push(text.clone()),
            }
        }
    }
}
