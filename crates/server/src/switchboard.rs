//! The hub of the JSON protocol and the outbound queues of its peers, behind one lock.
//!
//! The lock is held while the hub decides and while its messages go into the queues, so that every
//! peer hears things in the order in which they happened. Nothing under the lock waits.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use wigwag_hub::{Hub, Outbox, Policy};
use wigwag_protocol::json::{ClientMessage, PassedOn, PeerId, ServerMessage, SessionId};

use crate::close_reason::CloseReason;
use crate::metrics::JsonSnapshot;
use crate::outbound::Outbound;
use crate::participant::{Participant, Received};

#[derive(Debug)]
pub(crate) struct Switchboard {
    inner: Mutex<Inner>,
    /// Why nobody is taken any more; written under the lock.
    closing: OnceLock<CloseReason>,
}

#[derive(Debug)]
struct Inner {
    hub: Hub,
    queues: Queues,
}

#[derive(Debug, Default)]
pub(crate) struct Queues {
    of_peers: HashMap<PeerId, Arc<Outbound>>,
    lists: Lists,
}

/// The answers to `list` and `listConsumers`, from when somebody asks until somebody comes, changes or goes: they may be
/// long, and are the same for all who ask.
#[derive(Debug, Default)]
struct Lists {
    producers: Option<Utf8Bytes>,
    consumers: Option<Utf8Bytes>,
}

impl Switchboard {
    pub(crate) fn new(policy: Policy) -> Self {
        let inner = Inner {
            hub: Hub::new(policy, rand::random()),
            queues: Queues::default(),
        };
        Self {
            inner: Mutex::new(inner),
            closing: OnceLock::new(),
        }
    }

    /// Takes a new connection with an empty queue, which then holds the welcome.
    pub(crate) fn connect(
        self: Arc<Self>,
        outbound: Outbound,
    ) -> Result<(Peer, Arc<Outbound>), CloseReason> {
        let outbound = Arc::new(outbound);
        let mut inner = self.lock();
        if let Some(reason) = self.closing.get() {
            return Err(reason.clone());
        }
        let id = inner.hub.connect()?;
        inner
            .queues
            .of_peers
            .insert(id.clone(), Arc::clone(&outbound));
        let welcome = ServerMessage::Welcome {
            peer_id: id.clone(),
        };
        inner.queues.send(&id, welcome);
        drop(inner);
        let switchboard = self;
        Ok((Peer { switchboard, id }, outbound))
    }

    fn handle(&self, from: &PeerId, message: ClientMessage) -> Result<(), CloseReason> {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        Ok(hub.handle(from, message, queues)?)
    }

    fn disconnect(&self, peer: &PeerId) {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        queues.of_peers.remove(peer);
        hub.disconnect(peer, queues);
    }

    /// Closes every connection, and all that come later, for the same reason. None hears of the end of another in
    /// between: who loses its server may keep its sessions, and who is told that they ended may not.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let inner = self.lock();
        let reason = self.closing.get_or_init(|| reason.clone());
        #[expect(clippy::iter_over_hash_type, reason = "nobody can tell the order")]
        for queue in inner.queues.of_peers.values() {
            queue.close(reason.clone());
        }
    }

    /// Shows the hub and the queues to somebody, who may copy as much as a page of a list holds: everyone waits.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Hub, &Queues) -> R) -> R {
        let inner = self.lock();
        look(&inner.hub, &inner.queues)
    }

    /// Closes the connection of a peer. For all others it has left already when this returns. Returns whether it was
    /// there.
    pub(crate) fn remove(&self, id: &str, reason: CloseReason) -> bool {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        let Some((id, queue)) = queues.of_peers.remove_entry(id) else {
            return false;
        };
        hub.disconnect(&id, queues);
        queue.close(reason);
        true
    }

    /// Ends a session, and tells both. Returns whether there was one.
    pub(crate) fn end_session(&self, id: &str, reason: String) -> bool {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        hub.terminate_session(&SessionId::from(id), Some(reason), queues)
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
    pub(crate) fn snapshot(&self) -> JsonSnapshot {
        let hub = &self.lock().hub;
        JsonSnapshot {
            peers: hub.peer_count(),
            producers: hub.producer_count(),
            consumers: hub.consumer_count(),
            listeners: hub.listener_count(),
            sessions: hub.session_count(),
            meta_bytes: hub.meta_bytes(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the hub is a bug, but must not take down those who are connected.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A peer in the switchboard. It leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    switchboard: Arc<Switchboard>,
    id: PeerId,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.switchboard.disconnect(&self.id);
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl Participant for Peer {
    fn receive(&mut self, message: Message) -> Result<Received, CloseReason> {
        let Message::Text(text) = message else {
            tracing::debug!(peer = %self, "ignored a binary message");
            return Ok(Received::Malformed);
        };
        if let Some(message) = PassedOn::from_json(&text) {
            if !message.is_verbatim() {
                let message = ClientMessage::Peer(message.into_message());
                self.switchboard.handle(&self.id, message)?;
                return Ok(Received::Understood);
            }
            let mut inner = self.switchboard.lock();
            let Inner { hub, queues } = &mut *inner;
            let (session_id, is_offer) = (message.session_id(), message.is_offer());
            let to = hub.relay(&self.id, session_id, is_offer, queues);
            if let Some(queue) = to.and_then(|to| queues.of_peers.get(to)) {
                queue.push(Message::Text(text));
            }
            return Ok(Received::Understood);
        }
        match ClientMessage::from_json(&text) {
            Ok(message) => {
                self.switchboard.handle(&self.id, message)?;
                Ok(Received::Understood)
            }
            Err(malformed) => {
                // Dropped without an answer, as ever: GStreamer clients stop at an error.
                // It is counted; a line for each would let a flood fill the log.
                tracing::debug!(peer = %self, %malformed, "dropped a text");
                Ok(Received::Malformed)
            }
        }
    }
}

impl Queues {
    /// What waits for a peer.
    pub(crate) fn get(&self, peer: &PeerId) -> Option<Arc<Outbound>> {
        self.of_peers.get(peer).cloned()
    }
}

impl Outbox for Queues {
    fn send(&mut self, to: &PeerId, message: ServerMessage) {
        let Some(queue) = self.of_peers.get(to) else {
            return;
        };
        let kept = match &message {
            ServerMessage::List { .. } => Some(&mut self.lists.producers),
            ServerMessage::ListConsumers { .. } => Some(&mut self.lists.consumers),
            _ => None,
        };
        let written = || Utf8Bytes::from(message.to_json());
        let text = match kept {
            Some(kept) => kept.get_or_insert_with(written).clone(),
            None => written(),
        };
        queue.push(Message::Text(text));
    }

    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage) {
        if let ServerMessage::PeerStatusChanged(_) = message {
            // The hub says so of every change, even if nobody listens.
            self.lists = Lists::default();
        }
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_json());
        for queue in to.filter_map(|to| self.of_peers.get(to)) {
            match &message {
                ServerMessage::PeerStatusChanged(change) => {
                    queue.push_status(&change.peer_id, Message::Text(text.clone()));
                }
                _ => queue.push(Message::Text(text.clone())),
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
#[expect(clippy::iter_over_hash_type, reason = "nobody can tell the order")]
impl Switchboard {
    /// What waits for each peer.
    pub(crate) fn queues(&self) -> Vec<crate::backlog::Waiting> {
        let mut waiting = Vec::new();
        for queue in self.lock().queues.of_peers.values() {
            waiting.push(queue.waiting());
        }
        waiting
    }

    /// How many things it keeps: nothing, when nobody is connected.
    pub(crate) fn remembered(&self) -> usize {
        let Inner { hub, queues } = &*self.lock();
        hub.peer_count() + hub.producer_count() + hub.session_count() + queues.of_peers.len()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::limits::Limits;
    use crate::metrics::Metrics;
    use crate::outbound::Next;

    fn connect(switchboard: &Arc<Switchboard>) -> (Peer, Arc<Outbound>) {
        let outbound = Outbound::new(&Limits::default(), Arc::new(Metrics::new()));
        let (peer, outbound) = Arc::clone(switchboard).connect(outbound).expect("room");
        next(&outbound);
        (peer, outbound)
    }

    fn next(outbound: &Outbound) -> Utf8Bytes {
        match outbound.poll_next(&mut Context::from_waker(Waker::noop()), true) {
            Poll::Ready(Next::Message(Message::Text(text))) => text,
            other => panic!("no text but {other:?}"),
        }
    }

    fn say(peer: &mut Peer, text: &str) {
        let received = peer.receive(Message::text(text)).expect("taken");
        assert_eq!(received, Received::Understood);
    }

    #[test]
    fn a_list_is_written_once_and_never_out_of_date() {
        let switchboard = Arc::new(Switchboard::new(Policy::default()));
        let (mut asker, queue) = connect(&switchboard);
        let (mut other, other_queue) = connect(&switchboard);
        let mut list = || {
            say(&mut asker, r#"{"type":"list"}"#);
            next(&queue)
        };
        let (mut camera, _camera_queue) = connect(&switchboard);
        assert_eq!(list(), r#"{"type":"list","producers":[]}"#);
        let mut seen = vec![list()];
        for status in [
            r#"{"type":"setPeerStatus","roles":["producer"]}"#,
            r#"{"type":"setPeerStatus","roles":["producer"],"meta":"changed"}"#,
            r#"{"type":"setPeerStatus","roles":[],"meta":"changed"}"#,
            r#"{"type":"setPeerStatus","roles":["producer","listener"],"meta":"back"}"#,
        ] {
            say(&mut camera, status);
            let now = list();
            assert_ne!(Some(&now), seen.last(), "{status}");
            assert_eq!(now.contains("back"), status.contains("back"));
            seen.push(now);
        }
        say(&mut other, r#"{"type":"list"}"#);
        let same = next(&other_queue);
        assert_eq!(Some(&same), seen.last());
        assert_eq!(Some(same.as_ptr()), seen.last().map(|text| text.as_ptr()));
        drop(camera);
        assert_eq!(list(), r#"{"type":"list","producers":[]}"#);
    }

    #[test]
    fn a_list_of_consumers_is_another_and_no_more_out_of_date() {
        let switchboard = Arc::new(Switchboard::new(Policy::default()));
        let (mut asker, queue) = connect(&switchboard);
        let mut ask = |list: &str| {
            say(&mut asker, &format!(r#"{{"type":"{list}"}}"#));
            next(&queue)
        };
        let none = r#"{"type":"listConsumers","consumers":[]}"#;
        assert_eq!(ask("list"), r#"{"type":"list","producers":[]}"#);
        assert_eq!(ask("listConsumers"), none);
        let (mut viewer, _viewer_queue) = connect(&switchboard);
        say(
            &mut viewer,
            r#"{"type":"setPeerStatus","roles":["consumer"]}"#,
        );
        assert!(ask("listConsumers").contains(viewer.id.as_str()));
        assert!(!ask("list").contains(viewer.id.as_str()));
        drop(viewer);
        assert_eq!(ask("listConsumers"), none);
    }
}
