//! What waits to be said to the server.
//!
//! Any thread may push, at any time, and never waits. The task of the connection takes; it is woken
//! when something comes. Nothing waits for a connection to come: sessions do not outlive one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::conversation::Command;

#[derive(Debug)]
pub(crate) struct Outgoing {
    max_messages: usize,
    state: Mutex<State>,
}

/// What the connection is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Say this.
    Command(Command),
    /// More was pushed than may wait: give up the connection.
    Overflowed,
    /// The signaller was stopped, and all that was pushed before has been taken.
    Finished,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    waiting: VecDeque<Command>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// There is no connection; what is pushed is dropped.
    Shut,
    Open,
    /// What is pushed is dropped until the connection is gone.
    Overflowed,
    /// For good.
    Stopped,
}

impl Outgoing {
    pub(crate) fn new(max_messages: usize) -> Self {
        Self {
            max_messages,
            state: Mutex::new(State {
                gate: Gate::Shut,
                waiting: VecDeque::new(),
                waker: None,
            }),
        }
    }

    /// There is a connection.
    pub(crate) fn open(&self) {
        let mut state = self.lock();
        if state.gate != Gate::Stopped {
            state.gate = Gate::Open;
        }
    }

    /// The connection is gone.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        if state.gate != Gate::Stopped {
            state.gate = Gate::Shut;
        }
    }

    /// Takes nothing more from now on; what waits can still be taken.
    pub(crate) fn stop(&self) {
        self.change(|state| state.gate = Gate::Stopped);
    }

    pub(crate) fn push(&self, command: Command) {
        self.change(|state| {
            if state.gate != Gate::Open {
                return;
            }
            if state.waiting.len() >= self.max_messages {
                state.gate = Gate::Overflowed;
                state.waiting.clear();
                return;
            }
            state.waiting.push_back(command);
        });
    }

    /// What to do next; `cx` is woken when there is something. While the socket takes nothing
    /// (`writable` is false), only the end of the connection is something.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>, writable: bool) -> Poll<Next> {
        let mut state = self.lock();
        if state.gate == Gate::Overflowed {
            return Poll::Ready(Next::Overflowed);
        }
        if writable && let Some(command) = state.waiting.pop_front() {
            return Poll::Ready(Next::Command(command));
        }
        if state.gate == Gate::Stopped && state.waiting.is_empty() {
            return Poll::Ready(Next::Finished);
        }
        match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => state.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signaller::SessionId;

    fn command(session: &str) -> Command {
        Command::End {
            session: SessionId::from(session),
            reason: None,
        }
    }

    fn next(outgoing: &Outgoing, writable: bool) -> Poll<Next> {
        outgoing.poll_next(&mut Context::from_waker(Waker::noop()), writable)
    }

    #[test]
    fn nothing_waits_without_a_connection() {
        let outgoing = Outgoing::new(10);
        outgoing.push(command("before"));
        outgoing.open();
        outgoing.push(command("during"));
        assert_eq!(
            next(&outgoing, true),
            Poll::Ready(Next::Command(command("during")))
        );
        outgoing.push(command("left over"));
        outgoing.shut();
        outgoing.push(command("after"));
        outgoing.open();
        assert_eq!(next(&outgoing, true), Poll::Pending);
    }

    #[test]
    fn one_too_many_ends_the_connection_even_if_the_socket_is_stuck() {
        let outgoing = Outgoing::new(2);
        outgoing.open();
        outgoing.push(command("1"));
        outgoing.push(command("2"));
        assert_eq!(next(&outgoing, false), Poll::Pending);
        outgoing.push(command("3"));
        assert_eq!(next(&outgoing, false), Poll::Ready(Next::Overflowed));
        outgoing.shut();
        outgoing.open();
        outgoing.push(command("4"));
        assert_eq!(
            next(&outgoing, true),
            Poll::Ready(Next::Command(command("4")))
        );
    }

    #[test]
    fn what_was_said_before_the_stop_is_still_sent() {
        let outgoing = Outgoing::new(10);
        outgoing.open();
        outgoing.push(command("before"));
        outgoing.stop();
        outgoing.push(command("after"));
        assert_eq!(next(&outgoing, false), Poll::Pending);
        assert_eq!(
            next(&outgoing, true),
            Poll::Ready(Next::Command(command("before")))
        );
        assert_eq!(next(&outgoing, true), Poll::Ready(Next::Finished));
        outgoing.open();
        assert_eq!(next(&outgoing, true), Poll::Ready(Next::Finished));
    }
}
