//! One WebSocket connection, from welcome to close.
//!
//! Reading goes on while writing waits: a client may send a lot before it reads, and must not be
//! locked out for it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncWriteExt};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use wigwag_protocol::json::{ClientMessage, PeerId};

use crate::close_reason::CloseReason;
use crate::limits::Limits;
use crate::liveness::{Due, Liveness};
use crate::outbound::{Next, Outbound};
use crate::switchboard::Switchboard;

/// What is read at once. A candidate fits; longer messages get their room when they come. An idle
/// connection holds this much.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// What is written at once at the most, if many short messages wait.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves a connection whose HTTP upgrade is done, until it is gone.
pub(crate) async fn serve(stream: Upgraded, switchboard: Arc<Switchboard>, limits: Arc<Limits>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(Some(limits.max_message_bytes))
        .max_message_size(Some(limits.max_message_bytes));
    let stream = TokioIo::new(stream);
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config)).await;
    let reason = match switchboard.connect() {
        Ok((id, outbound)) => {
            tracing::info!(peer = %id, "connected");
            let registered = Registered {
                switchboard: &switchboard,
                id: &id,
            };
            let ended = talk(&mut socket, &id, &outbound, &switchboard, &limits).await;
            // Before the close is answered: who sees the answer can rely on the others knowing.
            drop(registered);
            match ended {
                Ended::ByPeer => {
                    tracing::info!(peer = %id, "disconnected");
                    None
                }
                Ended::ByUs(reason) => {
                    tracing::warn!(peer = %id, %reason, "closed");
                    Some(reason)
                }
            }
        }
        Err(full) => {
            tracing::warn!(reason = %full, "refused a connection");
            Some(CloseReason::Full(full))
        }
    };
    // A peer that does not read the reason does not hold the connection for long.
    let _ = timeout(limits.close_timeout, close(&mut socket, reason)).await;
}

/// A peer in the switchboard. It leaves whatever happens: a panic must not make a ghost of it.
struct Registered<'a> {
    switchboard: &'a Switchboard,
    id: &'a PeerId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.switchboard.disconnect(self.id);
    }
}

enum Ended {
    ByPeer,
    ByUs(CloseReason),
}

enum Event {
    Received(Message),
    Deadline,
    Ended(Ended),
}

async fn talk(
    socket: &mut WebSocket,
    id: &PeerId,
    outbound: &Outbound,
    switchboard: &Switchboard,
    limits: &Limits,
) -> Ended {
    let mut liveness = Liveness::new(limits.ping_interval, limits.pong_timeout, Instant::now());
    let mut timer = pin!(sleep_until(liveness.deadline().into()));
    let mut unflushed = false;
    loop {
        let event =
            poll_fn(|cx| poll_event(cx, socket, outbound, timer.as_mut(), &mut unflushed, limits));
        match event.await {
            Event::Received(message) => {
                liveness.on_received(Instant::now());
                let text = match message {
                    Message::Text(text) => text,
                    Message::Close(_) => return Ended::ByPeer,
                    Message::Binary(_) => {
                        tracing::debug!(peer = %id, "ignored a binary message");
                        continue;
                    }
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                };
                if let Err(reason) = handle(&text, id, switchboard) {
                    return Ended::ByUs(reason);
                }
            }
            Event::Deadline => {
                let now = Instant::now();
                match liveness.on_deadline(now) {
                    Due::Nothing => {}
                    Due::Ping => {
                        // If the socket takes no more, there is a ping's worth waiting already.
                        if socket
                            .start_send_unpin(Message::Ping(Vec::new().into()))
                            .is_err()
                        {
                            return Ended::ByPeer;
                        }
                        unflushed = true;
                    }
                    Due::GiveUp => {
                        return Ended::ByUs(CloseReason::NoPong(limits.pong_timeout));
                    }
                }
                timer.as_mut().reset(liveness.deadline().into());
            }
            Event::Ended(ended) => return ended,
        }
    }
}

/// Writes what waits and reads what came. Writing goes first, so that a peer has heard what happened
/// before its ping is answered.
fn poll_event(
    cx: &mut Context<'_>,
    socket: &mut WebSocket,
    outbound: &Outbound,
    timer: Pin<&mut Sleep>,
    unflushed: &mut bool,
    limits: &Limits,
) -> Poll<Event> {
    if let Poll::Ready(ended) = poll_write(cx, socket, outbound, unflushed) {
        return Poll::Ready(Event::Ended(ended));
    }
    match socket.poll_next_unpin(cx) {
        Poll::Ready(Some(Ok(message))) => return Poll::Ready(Event::Received(message)),
        Poll::Ready(Some(Err(error))) => {
            return Poll::Ready(Event::Ended(why_unreadable(&error, limits)));
        }
        Poll::Ready(None) => return Poll::Ready(Event::Ended(Ended::ByPeer)),
        Poll::Pending => {}
    }
    timer.poll(cx).map(|()| Event::Deadline)
}

/// Moves messages from the queue to the socket as far as it takes them. Ready only at an end.
fn poll_write(
    cx: &mut Context<'_>,
    socket: &mut WebSocket,
    outbound: &Outbound,
    unflushed: &mut bool,
) -> Poll<Ended> {
    loop {
        let writable = match socket.poll_ready_unpin(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => return Poll::Ready(Ended::ByPeer),
            Poll::Pending => false,
        };
        match outbound.poll_next(cx, writable) {
            Poll::Ready(Next::Close(reason)) => return Poll::Ready(Ended::ByUs(reason)),
            Poll::Ready(Next::Message(text)) => {
                if socket.start_send_unpin(Message::Text(text)).is_err() {
                    return Poll::Ready(Ended::ByPeer);
                }
                *unflushed = true;
            }
            Poll::Pending => break,
        }
    }
    if *unflushed {
        match socket.poll_flush_unpin(cx) {
            Poll::Ready(Ok(())) => *unflushed = false,
            Poll::Ready(Err(_)) => return Poll::Ready(Ended::ByPeer),
            Poll::Pending => {}
        }
    }
    Poll::Pending
}

fn handle(text: &str, id: &PeerId, switchboard: &Switchboard) -> Result<(), CloseReason> {
    match ClientMessage::from_json(text) {
        Ok(message) => switchboard
            .handle(id, message)
            .map_err(CloseReason::Violation),
        Err(malformed) => {
            // Dropped without an answer, as ever: GStreamer clients stop at an error.
            tracing::warn!(peer = %id, %malformed, "dropped a text");
            Ok(())
        }
    }
}

/// A message that is too large is worth a reason; anything else that cannot be read is an end.
fn why_unreadable(error: &Error, limits: &Limits) -> Ended {
    match error {
        Error::Capacity(_) => Ended::ByUs(CloseReason::MessageTooLarge {
            limit: limits.max_message_bytes,
        }),
        _ => Ended::ByPeer,
    }
}

/// Says why, and reads on until the peer has closed too: unread data would reset the connection, and
/// the reason would be lost.
async fn close(socket: &mut WebSocket, reason: Option<CloseReason>) {
    let frame = reason.as_ref().map(CloseReason::frame);
    if socket.close(frame).await.is_err() {
        return;
    }
    while let Some(Ok(_)) = socket.next().await {}
    if let Some(CloseReason::MessageTooLarge { .. }) = reason {
        // What follows the head of such a message is not read as frames any more.
        let stream = socket.get_mut();
        if stream.shutdown().await.is_ok() {
            let _ = io::copy(stream, &mut io::sink()).await;
        }
    }
}
