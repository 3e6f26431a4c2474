//! What waits to be written to one peer: text messages, and binary ones that a partner sent.
//!
//! Any task may push, at any time, and never waits. One task, the peer's own, takes; it is woken when
//! something comes. A queue that is closed drops what it holds and takes nothing more, so that a peer
//! that does not read costs no memory from the moment it is given up.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use wigwag_hub::Payer;
use wigwag_protocol::json::PeerId;

use crate::backlog::{Backlog, Owner, Waiting};
use crate::caller_budget::CallerBudget;
use crate::close_reason::CloseReason;
use crate::held_bytes::Hold;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::work_budget::WorkBudget;

#[derive(Debug)]
pub(crate) struct Outbound {
    max_bytes: usize,
    max_messages: usize,
    metrics: Arc<Metrics>,
    address: Option<IpAddr>,
    payer: Payer,
    budget: Option<CallerBudget>,
    work: Option<WorkBudget>,
    since: SystemTime,
    state: Mutex<State>,
}

/// What the peer's task is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this.
    Message(Outgoing),
    /// Close the connection.
    Close(CloseReason),
}

#[derive(Debug)]
struct State {
    backlog: Backlog,
    /// What the message holds that is being written; a short one is in the socket's buffer.
    writing: usize,
    /// What all of this holds, as it is counted for all peers together.
    hold: Hold,
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
            payer: Payer::NOBODY,
            budget: None,
            work: None,
            since: SystemTime::now(),
            state: Mutex::new(State::new(Hold::uncounted())),
        }
    }

    /// The same for a peer at an address, with its budgets as a caller and for work, unless it is exempt.
    pub(crate) fn to(
        self,
        address: IpAddr,
        budget: Option<CallerBudget>,
        work: Option<WorkBudget>,
    ) -> Self {
        Self {
            address: Some(address),
            work,
            payer: budget.as_ref().map_or(Payer::NOBODY, CallerBudget::payer),
            budget,
            ..self
        }
    }

    /// Who pays for what the peer holds.
    pub(crate) fn payer(&self) -> Payer {
        self.payer
    }

    /// The same with what it holds counted for all peers together.
    pub(crate) fn counted(self, hold: Hold) -> Self {
        Self {
            state: Mutex::new(State::new(hold)),
            ..self
        }
    }

    /// The budget of the peer for work for others; none if it is exempt.
    pub(crate) fn work(&self) -> Option<&WorkBudget> {
        self.work.as_ref()
    }

    /// The budget of the peer as a caller; none if it is exempt.
    pub(crate) fn budget(&self) -> Option<&CallerBudget> {
        self.budget.as_ref()
    }

    /// Where the peer is, as far as that is known.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// When the peer connected.
    pub(crate) fn since(&self) -> SystemTime {
        self.since
    }

    /// What waits in it now.
    pub(crate) fn waiting(&self) -> Waiting {
        self.lock().backlog.waiting()
    }

    /// Lets a message of the server wait. Where there is no room for it, messages of others are dropped; if there are
    /// none, the queue is closed. Returns the owners of those that were dropped.
    pub(crate) fn push(&self, message: impl Into<Outgoing>) -> Vec<u64> {
        self.push_of(Owner::Server, message)
    }

    /// The same for a message of an owner: it is dropped with all others of its owner, if that holds most.
    #[must_use]
    pub(crate) fn push_of(&self, owner: Owner, message: impl Into<Outgoing>) -> Vec<u64> {
        let mut dropped = Vec::new();
        let message = message.into();
        self.change(|state| self.insert(state, message, owner, &mut dropped));
        dropped
    }

    /// Lets the status of `subject` wait. Where many messages wait already, an older status of the
    /// same peer is dropped: it is out of date, and this peer is slow.
    pub(crate) fn push_status(&self, subject: &PeerId, message: impl Into<Outgoing>) -> Vec<u64> {
        let mut dropped = Vec::new();
        let message = message.into();
        self.change(|state| {
            if state.finishing.is_none() {
                state.backlog.replace_status(subject, self.max_messages);
                self.insert(state, message, Owner::Server, &mut dropped);
            }
        });
        dropped
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
        if writable {
            // The one before is written.
            state.writing = 0;
            if let Some(message) = state.backlog.take() {
                if message.is_long() {
                    state.writing = message.held();
                }
                state.count();
                return Poll::Ready(Next::Message(message));
            }
            state.count();
        }
        if state.backlog.waiting().messages == 0
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

    fn insert(&self, state: &mut State, message: Outgoing, owner: Owner, dropped: &mut Vec<u64>) {
        if state.finishing.is_some() {
            return;
        }
        while let Some(limit) = self.exceeded(state, &message) {
            let owners = state.backlog.drop_largest(owner, message.len());
            state.count();
            if owners.is_empty() {
                let queued = state.backlog.waiting().messages;
                state.close(CloseReason::DoesNotRead { queued, limit });
                return;
            }
            dropped.extend(&owners);
            if matches!(owner, Owner::Other(owner) if owners.contains(&owner)) {
                return;
            }
        }
        // It is counted already.
        state.backlog.push(message, owner);
        let Waiting { messages, bytes } = state.backlog.waiting();
        self.metrics.queue_messages.rise_to(messages);
        self.metrics.queue_bytes.rise_to(bytes);
    }

    /// The limit that one more message would exceed. If there is none, it is counted as held.
    fn exceeded(&self, state: &mut State, message: &Outgoing) -> Option<&'static str> {
        let Waiting { messages, bytes } = state.backlog.waiting();
        if !state.hold.set(state.held() + message.held()) {
            return Some("max_held_bytes");
        }
        // However long a message is, it may wait alone: its reader may be as quick as can be.
        if bytes > 0 && bytes + message.len() > self.max_bytes {
            return Some("max_queued_bytes");
        }
        (messages >= self.max_messages).then_some("max_queued_messages")
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
    fn new(hold: Hold) -> Self {
        Self {
            backlog: Backlog::default(),
            writing: 0,
            hold,
            finishing: None,
            closed: None,
            waker: None,
        }
    }

    fn held(&self) -> usize {
        self.backlog.held() + self.writing
    }

    /// Counts what it holds now; less than before is always taken.
    fn count(&mut self) {
        self.hold.set(self.held());
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed = Some(reason);
        self.backlog = Backlog::default();
        self.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backlog::COALESCE_FROM;

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
        outbound.push("a");
        outbound.push("b");
        assert_eq!(next(&outbound), message("a"));
        assert_eq!(next(&outbound), message("b"));
        assert_eq!(next(&outbound), None);
    }

    #[test]
    fn too_many_messages_close_it() {
        let outbound = outbound(100, 3);
        for _ in 0..4 {
            outbound.push("a");
        }
        let reason = CloseReason::DoesNotRead {
            queued: 3,
            limit: "max_queued_messages",
        };
        assert_eq!(next(&outbound), Some(Next::Close(reason)));
        assert_eq!(outbound.waiting().messages, 0, "the memory is given back");
    }

    #[test]
    fn too_many_bytes_close_it() {
        let outbound = outbound(10, 100);
        outbound.push("123456789");
        outbound.push("0");
        assert_eq!(next(&outbound), message("123456789"));
        outbound.push("123456789");
        outbound.push("0");
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
        outbound.push("a list of many producers");
        assert_eq!(next(&outbound), message("a list of many producers"));
    }

    #[test]
    fn the_first_reason_counts() {
        let outbound = outbound(10, 10);
        outbound.close(CloseReason::ShuttingDown);
        outbound.close(CloseReason::PartnerLeft);
        outbound.push("a");
        assert_eq!(
            next(&outbound),
            Some(Next::Close(CloseReason::ShuttingDown))
        );
    }

    #[test]
    fn a_queue_that_finishes_is_written_first() {
        let outbound = outbound(100, 100);
        outbound.push("a");
        outbound.finish(CloseReason::PartnerLeft);
        outbound.push("b");
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
            outbound.push("x");
        }
        for _ in 0..50 {
            outbound.push_status(&PeerId::from("busy"), "12345678");
        }
        for _ in 0..COALESCE_FROM {
            assert_eq!(next(&outbound), message("x"));
        }
        assert_eq!(next(&outbound), message("12345678"));
        assert_eq!(next(&outbound), None);
        assert_eq!(outbound.waiting().bytes, 0);
    }

    #[test]
    fn one_restless_peer_does_not_fill_the_queue_of_a_slow_one() {
        let outbound = outbound(100_000, 100);
        for _ in 0..COALESCE_FROM {
            outbound.push("x");
        }
        for change in 0..10_000 {
            let status = change.to_string();
            outbound.push_status(&PeerId::from("restless"), status);
        }
        assert_eq!(outbound.waiting().messages, COALESCE_FROM + 1);
        assert_eq!(outbound.metrics.queue_messages.get(), COALESCE_FROM + 1);
        for _ in 0..COALESCE_FROM {
            assert_eq!(next(&outbound), message("x"));
        }
        assert_eq!(next(&outbound), message("9999"));
    }

    #[test]
    fn what_was_dropped_is_not_counted_where_a_queue_is_full() {
        let outbound = outbound(100_000, COALESCE_FROM + 1);
        for _ in 0..COALESCE_FROM {
            outbound.push("x");
        }
        for _ in 0..20 {
            outbound.push_status(&PeerId::from("a"), "s");
        }
        outbound.push("y");
        let reason = CloseReason::DoesNotRead {
            queued: COALESCE_FROM + 1,
            limit: "max_queued_messages",
        };
        assert_eq!(next(&outbound), Some(Next::Close(reason)));
    }

    #[test]
    fn a_status_that_comes_too_late_drops_none() {
        let outbound = outbound(100_000, 100);
        for _ in 0..COALESCE_FROM {
            outbound.push("x");
        }
        outbound.push_status(&PeerId::from("a"), "first");
        outbound.finish(CloseReason::PartnerLeft);
        outbound.push_status(&PeerId::from("a"), "second");
        for _ in 0..COALESCE_FROM {
            assert_eq!(next(&outbound), message("x"));
        }
        assert_eq!(next(&outbound), message("first"));
        let end = Some(Next::Close(CloseReason::PartnerLeft));
        assert_eq!(next(&outbound), end);
    }

    #[test]
    fn statuses_of_others_and_other_messages_stay() {
        let outbound = outbound(100_000, 1_000);
        for _ in 0..COALESCE_FROM {
            outbound.push("x");
        }
        outbound.push_status(&PeerId::from("a"), "a1");
        outbound.push_status(&PeerId::from("b"), "b1");
        outbound.push("y");
        outbound.push_status(&PeerId::from("a"), "a2");
        let mut rest = Vec::new();
        while let Some(Next::Message(text)) = next(&outbound) {
            rest.push(text);
        }
        let expected = ["b1", "y", "a2"].map(Outgoing::from);
        assert_eq!(rest[COALESCE_FROM..], expected);
    }
}
