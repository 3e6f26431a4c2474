//! One connection, from the open WebSocket to its end.
//!
//! Reading goes on while writing waits: a server that does not read until it has been read from must
//! not lock us up.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::connect::{Deadline, Socket};
use super::context::Context as Signalling;
use super::conversation::{Conversation, Output, REGISTRATION_PING};
use super::event_reporter::EventReporter;
use super::liveness::{Due, Liveness};
use super::outgoing::Next;
use crate::error::SignallerError;
use crate::signaller::SignallerEvent;

/// How a connection ended.
pub(crate) enum Ended {
    /// The signaller was stopped.
    Stopped,
    /// For a reason that another attempt may not meet.
    Lost(SignallerError),
}

struct Connection<'a> {
    socket: &'a mut Socket,
    signalling: &'a Signalling,
    conversation: Conversation,
    /// What the conversation itself wants to say; as long as what waits in `outgoing` at the most.
    replies: VecDeque<Message>,
    unflushed: bool,
    registered_at: &'a mut Option<Instant>,
}

/// How an output of the conversation was followed.
enum Followed {
    AtOnce,
    /// The owner had no room for it first.
    Later,
}

enum Event {
    Received(Message),
    Deadline,
    Ended(Ended),
}

/// Talks until the connection ends, and closes it. `registered_at` says from when on we were
/// registered, if ever.
pub(crate) async fn talk(
    mut socket: Socket,
    signalling: &Signalling,
    reporter: &EventReporter<'_>,
    deadline: Deadline,
    registered_at: &mut Option<Instant>,
) -> Ended {
    let limits = &signalling.limits;
    signalling.outgoing.open();
    let conversation = Conversation::new(signalling.status.clone(), limits.max_sessions);
    let connection = Connection {
        socket: &mut socket,
        signalling,
        conversation,
        replies: VecDeque::new(),
        unflushed: false,
        registered_at,
    };
    let ended = connection.run(reporter, deadline).await;
    signalling.outgoing.shut();
    if let Some(frame) = farewell(&ended) {
        let _ = timeout(limits.stop_timeout, close(&mut socket, frame)).await;
    }
    ended
}

impl Connection<'_> {
    async fn run(mut self, reporter: &EventReporter<'_>, registration: Deadline) -> Ended {
        let limits = &self.signalling.limits;
        let mut liveness = Liveness::new(limits.ping_interval, limits.pong_timeout, Instant::now());
        let mut timer = pin!(sleep_until(registration.at.min(liveness.deadline().into())));
        let mut outputs = Vec::new();
        loop {
            match poll_fn(|cx| self.poll_event(cx, timer.as_mut())).await {
                Event::Received(message) => {
                    liveness.on_received(Instant::now());
                    // Earlier, if the answer to a ping is given more time than there is between two.
                    if timer.deadline() > liveness.deadline().into() {
                        timer.as_mut().reset(liveness.deadline().into());
                    }
                    match message {
                        Message::Text(text) => self.conversation.on_text(&text, &mut outputs),
                        Message::Pong(payload) => {
                            self.conversation.on_pong(&payload, &mut outputs);
                        }
                        Message::Close(frame) => return Ended::Lost(closed(frame)),
                        Message::Binary(_) | Message::Ping(_) | Message::Frame(_) => {}
                    }
                    for output in outputs.drain(..) {
                        match self.follow(output, reporter).await {
                            Ok(Followed::AtOnce) => {}
                            // It was not read from meanwhile.
                            Ok(Followed::Later) => liveness.on_received(Instant::now()),
                            Err(error) => return Ended::Lost(error),
                        }
                    }
                }
                Event::Deadline => {
                    let now = Instant::now();
                    let awaited = self.conversation.awaits();
                    if let Some(awaited) = awaited
                        && registration.at <= now.into()
                    {
                        let error = registration.missed(&self.signalling.target, awaited);
                        return Ended::Lost(error);
                    }
                    match liveness.on_deadline(now) {
                        Due::Nothing => {}
                        Due::Ping => self.replies.push_back(Message::Ping(Bytes::new())),
                        Due::GiveUp => {
                            return Ended::Lost(SignallerError::Silent(limits.pong_timeout));
                        }
                    }
                    let mut next = liveness.deadline().into();
                    if awaited.is_some() {
                        next = registration.at.min(next);
                    }
                    timer.as_mut().reset(next);
                }
                Event::Ended(ended) => return ended,
            }
        }
    }

    async fn follow(
        &mut self,
        output: Output,
        reporter: &EventReporter<'_>,
    ) -> Result<Followed, SignallerError> {
        match output {
            Output::Send(message) => self.reply(Message::Text(message.to_json().into()))?,
            Output::AskWhetherRegistered => {
                self.reply(Message::Ping(Bytes::from_static(REGISTRATION_PING)))?;
            }
            Output::GiveUp(error) => return Err(error),
            Output::Tell(event) => {
                if let SignallerEvent::Connected { peer_id } = &event {
                    tracing::info!(server = %self.signalling.target, %peer_id, "registered");
                    *self.registered_at = Some(Instant::now());
                }
                if reporter.report(event).await {
                    return Ok(Followed::Later);
                }
            }
        }
        Ok(Followed::AtOnce)
    }

    fn reply(&mut self, message: Message) -> Result<(), SignallerError> {
        let queued = self.replies.len();
        if queued >= self.signalling.limits.max_queued_messages {
            return Err(SignallerError::QueueFull { queued });
        }
        self.replies.push_back(message);
        Ok(())
    }

    /// Writes what waits and reads what came.
    fn poll_event(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<Event> {
        if let Poll::Ready(ended) = self.poll_write(cx) {
            return Poll::Ready(Event::Ended(ended));
        }
        match self.socket.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => return Poll::Ready(Event::Received(message)),
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Event::Ended(Ended::Lost(self.broken(&error))));
            }
            Poll::Ready(None) => {
                return Poll::Ready(Event::Ended(Ended::Lost(closed(None))));
            }
            Poll::Pending => {}
        }
        timer.poll(cx).map(|()| Event::Deadline)
    }

    /// Moves messages to the socket as far as it takes them. Ready only at an end.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut finished = false;
        loop {
            let writable = match self.socket.poll_ready_unpin(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(Ended::Lost(self.broken(&error))),
                Poll::Pending => false,
            };
            if writable && let Some(reply) = self.replies.pop_front() {
                if let Err(error) = self.write(reply) {
                    return Poll::Ready(Ended::Lost(error));
                }
                continue;
            }
            match self.signalling.outgoing.poll_next(cx, writable) {
                Poll::Ready(Next::Command(command)) => {
                    let said = self.conversation.say(command).into_iter().flatten();
                    self.replies
                        .extend(said.map(|message| Message::Text(message.to_json().into())));
                }
                Poll::Ready(Next::Overflowed) => {
                    let queued = self.signalling.limits.max_queued_messages;
                    return Poll::Ready(Ended::Lost(SignallerError::QueueFull { queued }));
                }
                Poll::Ready(Next::Finished) => {
                    finished = self.replies.is_empty();
                    break;
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed {
            match self.socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Ended::Lost(self.broken(&error))),
                Poll::Pending => {}
            }
        }
        if finished && !self.unflushed {
            return Poll::Ready(Ended::Stopped);
        }
        Poll::Pending
    }

    fn write(&mut self, message: Message) -> Result<(), SignallerError> {
        self.unflushed = true;
        let written = self.socket.start_send_unpin(message);
        written.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &Error) -> SignallerError {
        match error {
            Error::Capacity(_) => SignallerError::MessageTooLarge {
                limit: self.signalling.limits.max_message_bytes,
            },
            error => SignallerError::Lost {
                reason: error.to_string(),
            },
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> SignallerError {
    let code = frame.as_ref().map(|frame| u16::from(frame.code));
    let reason = match frame {
        Some(frame) if !frame.reason.is_empty() => format!("{} ({})", frame.reason, frame.code),
        Some(frame) => format!("it gives no reason but the code {}", frame.code),
        None => "it gives no reason".to_owned(),
    };
    SignallerError::Closed { code, reason }
}

/// What to close with; nothing if the server would not hear it.
fn farewell(ended: &Ended) -> Option<CloseFrame> {
    let (code, reason) = match ended {
        Ended::Stopped => (CloseCode::Normal, String::new()),
        Ended::Lost(error) => match error {
            // Answers the server's close; the library keeps to the server's code.
            SignallerError::Closed { .. } | SignallerError::Refused { .. } => {
                (CloseCode::Normal, String::new())
            }
            SignallerError::MessageTooLarge { .. } => (CloseCode::Size, error.to_string()),
            SignallerError::QueueFull { .. } | SignallerError::TimedOut { .. } => {
                (CloseCode::Policy, String::new())
            }
            _ => return None,
        },
    };
    Some(CloseFrame {
        code,
        reason: reason.into(),
    })
}

/// Says goodbye, and waits until the server has said it too: it has forgotten us by then.
async fn close(socket: &mut Socket, frame: CloseFrame) {
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}
