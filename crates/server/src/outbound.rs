//! What waits to be written to one peer: text messages, and binary ones that a partner sent.
//!
//! Any task may push, at any time, and never waits. One task, the peer's own, takes; it is woken when
//! something comes. A queue that is closed drops what it holds and takes nothing more, so that a peer
//! that does not read costs no memory from the moment it is given up.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use tokio_tungstenite::tungstenite::Message;
use wigwag_protocol::json::PeerId;

use crate::close_reason::CloseReason;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// From this many waiting messages on, a newer status of a peer takes the place of an older one.
const COALESCE_FROM: usize = 32;

#[derive(Debug)]
pub(crate) struct Outbound {
    max_bytes: usize,
    max_messages: usize,
    metrics: Arc<Metrics>,
    address: Option<IpAddr>,
    since: SystemTime,
    state: Mutex<State>,
}

/// What the peer's task is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this.
    Message(Message),
    /// Close the connection.
    Close(CloseReason),
}

#[derive(Debug, Default)]
struct State {
    /// A `None` is a status that a newer one replaced.
    waiting: VecDeque<Option<Message>>,
    bytes: usize,
    /// How many messages ever left `waiting`: the number of its first.
    taken: u64,
    /// The number of the latest waiting status of a peer; only kept while many messages wait.
    statuses: HashMap<PeerId, u64>,
    /// Takes nothing more, and is closed once all is written.
    finishing: Option<CloseReason>,
    closed: Option<CloseReason>,
    waker: Option<Waker>,
}

impl Outbound {
    pub(crate) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            max_bytes: limits.max_queued_bytes,
            max_messages: limits.max_queued_messages,
            metrics,
            address: None,
            since: SystemTime::now(),
            state: Mutex::default(),
        }
    }

    /// The same for a peer at an address.
    pub(crate) fn to(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Where the peer is, as far as that is known.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// When the peer connected.
    pub(crate) fn since(&self) -> SystemTime {
        self.since
    }

    /// How many messages wait, and how many bytes they are.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.iter().flatten().count(), state.bytes)
    }

    /// Lets a message wait. If there is no room for it, the queue is closed.
    pub(crate) fn push(&self, message: Message) {
        self.change(|state| self.insert(state, message));
    }

    /// Lets the status of `subject` wait. Where many messages wait already, an older status of the
    /// same peer is dropped: it is out of date, and this peer is slow.
    pub(crate) fn push_status(&self, subject: &PeerId, message: Message) {
        self.change(|state| {
            if state.waiting.len() >= COALESCE_FROM {
                let number = state.taken + state.waiting.len() as u64;
                if state.statuses.len() >= self.max_messages {
                    let taken = state.taken;
                    state.statuses.retain(|_, waiting| *waiting >= taken);
                }
                if let Some(older) = state.statuses.insert(subject.clone(), number) {
                    state.drop_waiting(older);
                }
            }
            self.insert(state, message);
        });
    }

    /// Closes the queue for a reason; the first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.change(|state| state.close(reason));
    }

    /// Closes the queue for a reason as soon as what waits in it is written; nothing more is taken.
    pub(crate) fn finish(&self, reason: CloseReason) {
        self.change(|state| {
            state.finishing.get_or_insert(reason);
        });
    }

    /// What to do next; `cx` is woken when there is something. While the peer's socket takes
    /// nothing (`writable` is false), only the end of the queue is something.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>, writable: bool) -> Poll<Next> {
        let mut state = self.lock();
        if let Some(reason) = &state.closed {
            return Poll::Ready(Next::Close(reason.clone()));
        }
        if writable && let Some(message) = state.take() {
            return Poll::Ready(Next::Message(message));
        }
        if state.waiting.is_empty()
            && let Some(reason) = &state.finishing
        {
            return Poll::Ready(Next::Close(reason.clone()));
        }
        match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => state.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn insert(&self, state: &mut State, message: Message) {
        if state.finishing.is_some() {
            return;
        }
        let bytes = state.bytes + message.len();
        // However long a message is, it may wait alone: its reader may be as quick as can be.
        let too_many_bytes = bytes > self.max_bytes && state.bytes > 0;
        let limit = if too_many_bytes {
            Some("max_queued_bytes")
        } else {
            (state.waiting.len() >= self.max_messages).then_some("max_queued_messages")
        };
        if let Some(limit) = limit {
            state.close(CloseReason::DoesNotRead {
                queued: state.waiting.len(),
                limit,
            });
            return;
        }
        state.bytes = bytes;
        state.waiting.push_back(Some(message));
        self.metrics.queue_messages.rise_to(state.waiting.len());
        self.metrics.queue_bytes.rise_to(bytes);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Message> {
        while let Some(message) = self.waiting.pop_front() {
            self.taken += 1;
            if let Some(message) = message {
                self.bytes -= message.len();
                return Some(message);
            }
        }
        if !self.statuses.is_empty() || self.waiting.capacity() > COALESCE_FROM {
            // All is written: an idle connection keeps no memory of a busy hour.
            self.statuses = HashMap::new();
            self.waiting = VecDeque::new();
        }
        None
    }

    fn drop_waiting(&mut self, number: u64) {
        let place = number.checked_sub(self.taken).map(|place| place as usize);
        if let Some(dropped) = place.and_then(|place| self.waiting.get_mut(place)?.take()) {
            self.bytes -= dropped.len();
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed = Some(reason);
        self.waiting = VecDeque::new();
        self.statuses = HashMap::new();
        self.bytes = 0;
    }
}

/// What waits in a queue.
#[cfg(any(test, fuzzing))]
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How many messages.
    pub messages: usize,
    /// Their bytes together.
    pub bytes: usize,
}

#[cfg(any(test, fuzzing))]
impl Outbound {
    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.lock();
        Waiting {
            messages: state.waiting.len(),
            bytes: state.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(max_queued_bytes: usize, max_queued_messages: usize) -> Outbound {
        let limits = Limits {
            max_queued_bytes,
            max_queued_messages,
            ..Limits::default()
        };
        Outbound::new(&limits, Arc::new(Metrics::new()))
    }

    fn next(outbound: &Outbound) -> Option<Next> {
        match outbound.poll_next(&mut Context::from_waker(Waker::noop()), true) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    fn message(text: &str) -> Option<Next> {
        Some(Next::Message(text.into()))
    }

    #[test]
    fn messages_come_out_in_order() {
        let outbound = outbound(100, 100);
        outbound.push("a".into());
        outbound.push("b".into());
        assert_eq!(next(&outbound), message("a"));
        assert_eq!(next(&outbound), message("b"));
        assert_eq!(next(&outbound), None);
    }

    #[test]
    fn too_many_messages_close_it() {
        let outbound = outbound(100, 3);
        for _ in 0..4 {
            outbound.push("a".into());
        }
        let reason = CloseReason::DoesNotRead {
            queued: 3,
            limit: "max_queued_messages",
        };
        assert_eq!(next(&outbound), Some(Next::Close(reason)));
        assert!(
            outbound.lock().waiting.is_empty(),
            "the memory is given back"
        );
    }

    #[test]
    fn too_many_bytes_close_it() {
        let outbound = outbound(10, 100);
        outbound.push("123456789".into());
        outbound.push("0".into());
        assert_eq!(next(&outbound), message("123456789"));
        outbound.push("123456789".into());
        outbound.push("0".into());
        let reason = CloseReason::DoesNotRead {
            queued: 2,
            limit: "max_queued_bytes",
        };
        assert_eq!(next(&outbound), Some(Next::Close(reason)));
        assert_eq!(outbound.metrics.queue_bytes.get(), 10);
    }

    #[test]
    fn a_long_message_may_wait_alone() {
        let outbound = outbound(10, 100);
        outbound.push("a list of many producers".into());
        assert_eq!(next(&outbound), message("a list of many producers"));
    }

    #[test]
    fn the_first_reason_counts() {
        let outbound = outbound(10, 10);
        outbound.close(CloseReason::ShuttingDown);
        outbound.close(CloseReason::PartnerLeft);
        outbound.push("a".into());
        assert_eq!(
            next(&outbound),
            Some(Next::Close(CloseReason::ShuttingDown))
        );
    }

    #[test]
    fn a_queue_that_finishes_is_written_first() {
        let outbound = outbound(100, 100);
        outbound.push("a".into());
        outbound.finish(CloseReason::PartnerLeft);
        outbound.push("b".into());
        assert_eq!(next(&outbound), message("a"));
        let end = Some(Next::Close(CloseReason::PartnerLeft));
        assert_eq!(next(&outbound), end);
        // A server that stops does not wait for it.
        outbound.close(CloseReason::ShuttingDown);
        let end = Some(Next::Close(CloseReason::ShuttingDown));
        assert_eq!(next(&outbound), end);
    }

    #[test]
    fn a_slow_peer_hears_only_the_newest_status() {
        let outbound = outbound(COALESCE_FROM + 8, 100);
        for _ in 0..COALESCE_FROM {
            outbound.push("x".into());
        }
        for _ in 0..50 {
            outbound.push_status(&PeerId::from("busy"), "12345678".into());
        }
        for _ in 0..COALESCE_FROM {
            assert_eq!(next(&outbound), message("x"));
        }
        assert_eq!(next(&outbound), message("12345678"));
        assert_eq!(next(&outbound), None);
        assert_eq!(outbound.lock().bytes, 0);
    }

    #[test]
    fn what_is_kept_of_statuses_is_bounded() {
        let outbound = outbound(10_000, 100);
        for _ in 0..COALESCE_FROM {
            outbound.push("x".into());
        }
        for peer in 0..1_000 {
            outbound.push_status(&PeerId::from(peer.to_string()), "s".into());
            assert!(next(&outbound).is_some());
            assert!(outbound.lock().statuses.len() <= 101);
        }
    }

    #[test]
    fn statuses_of_others_and_other_messages_stay() {
        let outbound = outbound(100_000, 1_000);
        for _ in 0..COALESCE_FROM {
            outbound.push("x".into());
        }
        outbound.push_status(&PeerId::from("a"), "a1".into());
        outbound.push_status(&PeerId::from("b"), "b1".into());
        outbound.push("y".into());
        outbound.push_status(&PeerId::from("a"), "a2".into());
        let mut rest = Vec::new();
        while let Some(Next::Message(text)) = next(&outbound) {
            rest.push(text);
        }
        let expected = ["b1", "y", "a2"].map(Message::from);
        assert_eq!(rest[COALESCE_FROM..], expected);
    }
}
