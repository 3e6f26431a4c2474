//! The hub of the JSON protocol in a [`Registry`](crate::registry::Registry).

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use wigwag_hub::{Hub, Outbox, Policy};
use wigwag_protocol::json::{
    ClientMessage, MalformedMessage, PeerId, RelayedMessage, Role, ServerMessage, SessionId,
};

use crate::backlog::Owner;
use crate::caller_budget::CallerBudget;
use crate::close_reason::CloseReason;
use crate::metrics::JsonSnapshot;
use crate::outbound::Outbound;
use crate::registry::{Queues, Received, SignallingHub};

/// The hub, and the lists that it made last.
#[derive(Debug)]
pub(crate) struct JsonHub {
    hub: Hub,
    lists: Lists,
}

/// The answers to `list` and `listConsumers`, kept until they change: they may be long, and are the same for all peers.
#[derive(Debug, Default)]
struct Lists {
    generation: u64,
    producers: Option<Utf8Bytes>,
    consumers: Option<Utf8Bytes>,
}

/// A message as it was read.
pub(crate) enum Incoming<'a> {
    /// Relayed as it came: the same text goes to the other member of the session.
    Relayed(RelayedMessage<'a>),
    Message(ClientMessage),
    Malformed,
}

impl JsonHub {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            hub: Hub::new(policy, rand::random()),
            lists: Lists::default(),
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Ends a session in nobody's name, and notifies both members. Returns whether there was one.
    pub(crate) fn end_session(
        &mut self,
        id: &str,
        reason: String,
        queues: &Queues<PeerId>,
    ) -> bool {
        let id = SessionId::from(id);
        self.deliver(queues, |hub, delivery| {
            hub.terminate_session(&id, Some(reason), delivery)
        })
    }

    /// Calls the hub, and ends the sessions of which messages had to be dropped.
    fn deliver<R>(
        &mut self,
        queues: &Queues<PeerId>,
        call: impl FnOnce(&mut Hub, &mut Delivery<'_>) -> R,
    ) -> R {
        let Self { hub, lists } = self;
        let mut delivery = Delivery {
            queues,
            lists,
            dropped: Vec::new(),
        };
        let result = call(hub, &mut delivery);
        // The ends are messages, too; each drops sessions that are fewer then.
        while let Some(session) = delivery.dropped.pop() {
            if let Some(id) = hub.session_id(session).cloned() {
                let reason = Some(MEMBER_DOES_NOT_READ.to_owned());
                hub.terminate_session(&id, reason, &mut delivery);
            }
        }
        lists.expire(hub.generation());
        result
    }
}

/// The error for a peer that calls more often than its budget has room for.
const TOO_MANY_CALLS: &str =
    "too many sessions are started by this peer, or from its address; try again later";

/// The reason for the members of a session of which more waits than one of them reads.
const MEMBER_DOES_NOT_READ: &str = "one member does not read what the other sends";

impl SignallingHub for JsonHub {
    type Key = PeerId;
    type Incoming<'a> = Incoming<'a>;
    type Policy = Policy;
    type Snapshot = JsonSnapshot;

    const NEEDS_REGISTRATION: bool = false;

    fn connect(&mut self, queue: &Outbound) -> Result<PeerId, CloseReason> {
        let id = self.hub.connect()?;
        let welcome = ServerMessage::Welcome {
            peer_id: id.clone(),
        };
        // It is empty.
        queue.push(Message::text(welcome.to_json()));
        Ok(id)
    }

    fn read<'a>(from: &PeerId, message: &'a Message) -> Incoming<'a> {
        let Message::Text(text) = message else {
            tracing::debug!(peer = %from, "ignored a binary message");
            return Incoming::Malformed;
        };
        if let Some(message) = RelayedMessage::from_json(text) {
            return if message.is_verbatim() {
                Incoming::Relayed(message)
            } else {
                Incoming::Message(ClientMessage::Peer(message.into_message()))
            };
        }
        ClientMessage::from_json(text).map_or_else(
            |malformed: MalformedMessage| {
                // Dropped without an answer, as in the reference: GStreamer clients stop at an error.
                // It is counted; a line for each would let a flood fill the log.
                tracing::debug!(peer = %from, %malformed, "dropped a text");
                Incoming::Malformed
            },
            Incoming::Message,
        )
    }

    fn handle(
        &mut self,
        from: &PeerId,
        message: &Message,
        incoming: Incoming<'_>,
        queues: &Queues<PeerId>,
    ) -> Result<Received, CloseReason> {
        self.deliver(queues, |hub, delivery| {
            match incoming {
                Incoming::Relayed(relayed) => {
                    let (session_id, is_offer) = (relayed.session_id(), relayed.is_offer());
                    let relay = hub.relay(from, session_id, is_offer, delivery);
                    if let Some(relay) = relay
                        && let Some(queue) = queues.get(relay.to)
                    {
                        let owner = Owner::Other(relay.session);
                        delivery
                            .dropped
                            .extend(queue.push_of(owner, message.clone()));
                        if relay.is_answer {
                            let length = message.len();
                            let exceeds =
                                |it: &CallerBudget| !it.charge_answer(length, Instant::now());
                            if queue.budget().is_some_and(exceeds) {
                                delivery.dropped.push(relay.session);
                            }
                            return Ok(Received::Answer);
                        }
                    }
                }
                Incoming::Message(ClientMessage::StartSession { .. })
                    if !delivery.may_call(from) =>
                {
                    let details = TOO_MANY_CALLS.to_owned();
                    delivery.send(from, ServerMessage::Error { details });
                }
                Incoming::Message(message) => {
                    let is_answer = hub.is_answer(from, &message);
                    hub.handle(from, message, delivery)?;
                    if is_answer {
                        return Ok(Received::Answer);
                    }
                }
                Incoming::Malformed => return Ok(Received::Malformed),
            }
            Ok(Received::Understood)
        })
    }

    fn disconnect(&mut self, key: &PeerId, queues: &Queues<PeerId>) {
        self.deliver(queues, |hub, delivery| hub.disconnect(key, delivery));
    }

    fn set_policy(&mut self, policy: Policy) {
        self.hub.set_policy(policy);
    }

    fn is_full(&self) -> bool {
        self.hub.is_full()
    }

    fn snapshot(&self) -> JsonSnapshot {
        let hub = &self.hub;
        JsonSnapshot {
            peers: hub.peer_count(),
            producers: hub.producer_count(),
            consumers: hub.consumer_count(),
            listeners: hub.listener_count(),
            sessions: hub.session_count(),
            meta_bytes: hub.meta_bytes(),
        }
    }

    #[cfg(any(test, fuzzing))]
    fn remembered(&self) -> usize {
        let hub = &self.hub;
        hub.peer_count() + hub.producer_count() + hub.session_count()
    }
}

/// Puts the hub's messages into the queues.
struct Delivery<'a> {
    queues: &'a Queues<PeerId>,
    lists: &'a mut Lists,
    /// Sessions of which messages were dropped.
    dropped: Vec<u64>,
}

impl Delivery<'_> {
    /// Charges a call.
    fn may_call(&self, caller: &PeerId) -> bool {
        let budget = self.queues.get(caller).and_then(|queue| queue.budget());
        budget.is_none_or(|budget| budget.charge_call(Instant::now()))
    }
}

impl Outbox for Delivery<'_> {
    fn send(&mut self, to: &PeerId, message: ServerMessage) {
        if let Some(queue) = self.queues.get(to) {
            self.dropped
                .extend(queue.push(Message::text(message.to_json())));
        }
    }

    fn send_in_session(&mut self, to: &PeerId, session: u64, message: ServerMessage) {
        if let Some(queue) = self.queues.get(to) {
            let message = Message::text(message.to_json());
            self.dropped
                .extend(queue.push_of(Owner::Other(session), message));
        }
    }

    fn send_list(
        &mut self,
        to: &PeerId,
        role: Role,
        generation: u64,
        message: impl FnOnce() -> ServerMessage,
    ) {
        let text = self.lists.get(role, generation, message);
        if let Some(queue) = self.queues.get(to) {
            self.dropped.extend(queue.push(Message::Text(text)));
        }
    }

    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage) {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_json());
        for queue in to.filter_map(|to| self.queues.get(to)) {
            let text = Message::Text(text.clone());
            self.dropped.extend(match &message {
                ServerMessage::PeerStatusChanged(change) => {
                    queue.push_status(&change.peer_id, text)
                }
                _ => queue.push(text),
            });
        }
    }
}

impl Lists {
    /// Drops lists that are out of date: they may be long.
    fn expire(&mut self, generation: u64) {
        if self.generation != generation {
            *self = Self {
                generation,
                ..Self::default()
            };
        }
    }

    fn get(
        &mut self,
        role: Role,
        generation: u64,
        message: impl FnOnce() -> ServerMessage,
    ) -> Utf8Bytes {
        self.expire(generation);
        let kept = match role {
            Role::Consumer => &mut self.consumers,
            Role::Producer | Role::Listener => &mut self.producers,
        };
        kept.get_or_insert_with(|| message().to_json().into())
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::limits::Limits;
    use crate::metrics::Metrics;
    use crate::outbound::Next;
    use crate::registry::{Peer, Registry};

    fn connect(registry: &Arc<Registry<JsonHub>>) -> (Peer<JsonHub>, Arc<Outbound>) {
        let outbound = Outbound::new(&Limits::default(), Arc::new(Metrics::new()));
        let (peer, outbound) = Arc::clone(registry).connect(outbound).expect("room");
        next(&outbound);
        (peer, outbound)
    }

    fn next(outbound: &Outbound) -> Utf8Bytes {
        match outbound.poll_next(&mut Context::from_waker(Waker::noop()), true) {
            Poll::Ready(Next::Message(Message::Text(text))) => text,
            other => panic!("no text but {other:?}"),
        }
    }

    fn receive(peer: &mut Peer<JsonHub>, text: &str) {
        let received = peer.receive(&Message::text(text)).expect("taken");
        assert_eq!(received, Received::Understood);
    }

    #[test]
    fn list_written_once_and_again_after_each_change() {
        let registry = Arc::new(Registry::new(JsonHub::new(Policy::default())));
        let (mut asker, queue) = connect(&registry);
        let (mut other, other_queue) = connect(&registry);
        let mut list = || {
            receive(&mut asker, r#"{"type":"list"}"#);
            next(&queue)
        };
        let (mut camera, _camera_queue) = connect(&registry);
        assert_eq!(list(), r#"{"type":"list","producers":[]}"#);
        let mut seen = vec![list()];
        for status in [
            r#"{"type":"setPeerStatus","roles":["producer"]}"#,
            r#"{"type":"setPeerStatus","roles":["producer"],"meta":"changed"}"#,
            r#"{"type":"setPeerStatus","roles":[],"meta":"changed"}"#,
            r#"{"type":"setPeerStatus","roles":["producer","listener"],"meta":"back"}"#,
        ] {
            receive(&mut camera, status);
            let now = list();
            assert_ne!(Some(&now), seen.last(), "{status}");
            assert_eq!(now.contains("back"), status.contains("back"));
            seen.push(now);
        }
        receive(&mut other, r#"{"type":"list"}"#);
        let same = next(&other_queue);
        assert_eq!(Some(&same), seen.last());
        assert_eq!(Some(same.as_ptr()), seen.last().map(|text| text.as_ptr()));
        drop(camera);
        registry.look(|hub, _| assert_eq!(hub.lists.producers, None, "out of date"));
        assert_eq!(list(), r#"{"type":"list","producers":[]}"#);
    }

    #[test]
    fn list_kept_while_only_listeners_come_and_go() {
        let registry = Arc::new(Registry::new(JsonHub::new(Policy::default())));
        let (mut asker, queue) = connect(&registry);
        let mut list = || {
            receive(&mut asker, r#"{"type":"list"}"#);
            next(&queue).as_ptr()
        };
        let before = list();
        let (mut page, _queue) = connect(&registry);
        receive(
            &mut page,
            r#"{"type":"setPeerStatus","roles":["listener"]}"#,
        );
        drop(page);
        assert_eq!(list(), before);
    }

    #[test]
    fn list_of_consumers_kept_apart_from_that_of_producers() {
        let registry = Arc::new(Registry::new(JsonHub::new(Policy::default())));
        let (mut asker, queue) = connect(&registry);
        let mut ask = |list: &str| {
            receive(&mut asker, &format!(r#"{{"type":"{list}"}}"#));
            next(&queue)
        };
        let none = r#"{"type":"listConsumers","consumers":[]}"#;
        assert_eq!(ask("list"), r#"{"type":"list","producers":[]}"#);
        assert_eq!(ask("listConsumers"), none);
        let (mut viewer, _viewer_queue) = connect(&registry);
        receive(
            &mut viewer,
            r#"{"type":"setPeerStatus","roles":["consumer"]}"#,
        );
        assert!(ask("listConsumers").contains(viewer.key().as_str()));
        assert!(!ask("list").contains(viewer.key().as_str()));
        drop(viewer);
        assert_eq!(ask("listConsumers"), none);
    }
}
