//! The hub of the JSON protocol in a [`Registry`](crate::registry::Registry).

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use wigwag_hub::{Hub, List, Outbox, Policy};
use wigwag_protocol::json::{
    ClientMessage, MalformedMessage, PeerId, RelayedMessage, ServerMessage, SessionId,
};

use crate::backlog::Owner;
use crate::callee_budgets::CalleeBudgets;
use crate::caller_budget::CallerBudget;
use crate::close_reason::CloseReason;
use crate::metrics::JsonSnapshot;
use crate::outbound::Outbound;
use crate::outgoing::Outgoing;
use crate::registry::{Queues, Received, SignallingHub};

/// The hub, and the budgets of those who are called.
#[derive(Debug)]
pub(crate) struct JsonHub {
    hub: Hub,
    callees: CalleeBudgets,
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
            callees: CalleeBudgets::new(Instant::now()),
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
        self.deliver(None, queues, |hub, delivery| {
            hub.terminate_session(&id, Some(reason), delivery)
        })
    }

    /// Calls the hub for a peer, if it is for one, and ends the sessions of which messages had to be dropped.
    fn deliver<R>(
        &mut self,
        from: Option<&PeerId>,
        queues: &Queues<PeerId>,
        call: impl FnOnce(&mut Hub, &mut Delivery<'_>) -> R,
    ) -> R {
        let Self { hub, callees } = self;
        let mut delivery = Delivery {
            queues,
            from,
            callees,
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
        let id = self.hub.connect(queue.payer())?;
        if let Some(work) = queue.work() {
            // Every listener is notified when it leaves.
            work.charge(self.hub.listener_count(), 0, Instant::now());
        }
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
        self.deliver(Some(from), queues, |hub, delivery| {
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
                Incoming::Message(ClientMessage::StartSession { peer_id, .. })
                    if !delivery.may_call(from, &peer_id) =>
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
        self.deliver(None, queues, |hub, delivery| hub.disconnect(key, delivery));
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
    /// Who causes the messages, and pays for what they cost.
    from: Option<&'a PeerId>,
    callees: &'a mut CalleeBudgets,
    /// Sessions of which messages were dropped.
    dropped: Vec<u64>,
}

impl Delivery<'_> {
    /// Charges work that is done for others.
    fn charge(&self, peers: usize, bytes: usize) {
        let queue = self.from.and_then(|from| self.queues.get(from));
        if let Some(work) = queue.and_then(|queue| queue.work()) {
            work.charge(peers, bytes, Instant::now());
        }
    }

    /// Charges a call.
    fn may_call(&mut self, caller: &PeerId, callee: &PeerId) -> bool {
        let Some(queue) = self.queues.get(caller) else {
            return false;
        };
        let Some(budget) = queue.budget() else {
            return true;
        };
        let now = Instant::now();
        budget.charge_call(now) && self.callees.charge(queue.payer(), callee, now)
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

    fn send_list(&mut self, to: &PeerId, list: &mut List<'_>) {
        let list = Outgoing::Sliced(list.slices());
        self.charge(1, list.len());
        if let Some(queue) = self.queues.get(to) {
            self.dropped.extend(queue.push(list));
        }
    }

    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage) {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return;
        }
        let text = Utf8Bytes::from(message.to_json());
        let bytes = text.len();
        let mut peers = 0;
        for queue in to.filter_map(|to| self.queues.get(to)) {
            peers += 1;
            let text = Outgoing::Shared(text.clone());
            self.dropped.extend(match &message {
                ServerMessage::PeerStatusChanged(change) => {
                    queue.push_status(&change.peer_id, text)
                }
                _ => queue.push(text),
            });
        }
        self.charge(peers, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use tokio_tungstenite::tungstenite::Bytes;

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

    fn next(outbound: &Outbound) -> Outgoing {
        match outbound.poll_next(&mut Context::from_waker(Waker::noop()), true) {
            Poll::Ready(Next::Message(message)) => message,
            other => panic!("no message but {other:?}"),
        }
    }

    fn next_list(outbound: &Outbound) -> Vec<Bytes> {
        match next(outbound) {
            Outgoing::Sliced(slices) => slices,
            other => panic!("no list but {other:?}"),
        }
    }

    fn receive(peer: &mut Peer<JsonHub>, text: &str) {
        let received = peer.receive(&Message::text(text)).expect("taken");
        assert_eq!(received, Received::Understood);
    }

    fn text(list: &[Bytes]) -> String {
        String::from_utf8(list.concat()).expect("a text")
    }

    #[test]
    fn list_shares_what_did_not_change() {
        let registry = Arc::new(Registry::new(JsonHub::new(Policy::default())));
        let (mut asker, queue) = connect(&registry);
        let mut list = || {
            receive(&mut asker, r#"{"type":"list"}"#);
            next_list(&queue)
        };
        assert_eq!(text(&list()), r#"{"type":"list","producers":[]}"#);
        let mut cameras: Vec<_> = (0..200).map(|_| connect(&registry)).collect();
        for (camera, _) in &mut cameras {
            receive(camera, r#"{"type":"setPeerStatus","roles":["producer"]}"#);
        }
        let before = list();
        assert_eq!(before.len(), 2 * 4 + 1, "four slices, commas and ends");
        let status = r#"{"type":"setPeerStatus","roles":["producer"],"meta":"changed"}"#;
        receive(&mut cameras[70].0, status);
        let after = list();
        assert!(text(&after).contains("changed"));
        let same = |at: usize| before[at].as_ptr() == after[at].as_ptr();
        assert_eq!([1, 3, 5, 7].map(same), [true, false, true, true]);
        drop(cameras);
        assert_eq!(text(&list()), r#"{"type":"list","producers":[]}"#);
    }

    #[test]
    fn list_of_consumers_kept_apart_from_that_of_producers() {
        let registry = Arc::new(Registry::new(JsonHub::new(Policy::default())));
        let (mut asker, queue) = connect(&registry);
        let mut ask = |list: &str| {
            receive(&mut asker, &format!(r#"{{"type":"{list}"}}"#));
            text(&next_list(&queue))
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
