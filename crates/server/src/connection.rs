//! One WebSocket connection, from its upgrade to its close, whatever protocol it speaks.
//!
//! Reading goes on while writing waits: a client may send a lot before it reads, and must not be
//! locked out for it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncWriteExt};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::admission::Client;
use crate::close_reason::CloseReason;
use crate::frame_stream::FrameStream;
use crate::held_bytes::Hold;
use crate::limits::Limits;
use crate::liveness::{Due, Liveness};
use crate::log_limiter::LogLimiter;
use crate::message_limiter::MessageLimiter;
use crate::metrics::{BY_PEER, Metrics, Protocol, ProtocolMetrics};
use crate::outbound::{Next, Outbound};
use crate::registry::{Peer, Received, SignallingHub};

/// What is read at once. A candidate fits; longer messages get their room when they come. A connection holds
/// this much as long as it lives.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// The most that is written at once, if many short messages wait. A connection that had as much to write keeps up to
/// twice the room, for the WebSocket gives nothing of it back; long messages do not go through it.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// The most messages that are read before what waits is sent: answers to messages that came together share a send, and
/// a peer that never stops sending still gets its own.
const MAX_READ_BEFORE_FLUSH: usize = 16;

/// The most messages that are read before other connections have their turn.
const MAX_READ_AT_ONCE: usize = 8 * MAX_READ_BEFORE_FLUSH;

type WebSocket = WebSocketStream<FrameStream<TokioIo<Upgraded>>>;

/// The client of a connection, and its limits and counters.
pub(crate) struct ConnectionContext {
    pub(crate) client: Client,
    /// Of what came of a message that is not whole.
    pub(crate) unfinished: Hold,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Arc<LogLimiter>,
    pub(crate) protocol: Protocol,
}

/// Serves a connection whose HTTP upgrade is done, until it is gone. `connect` takes it into its protocol.
///
/// This is a block, and so is [`Connection::run`]: an `async fn` keeps room for each of its arguments twice, for as long as
/// the connection lives.
#[expect(clippy::manual_async_fn, reason = "room")]
pub(crate) fn serve<H: SignallingHub>(
    stream: Upgraded,
    connect: impl FnOnce() -> Result<(Peer<H>, Arc<Outbound>), CloseReason> + Send,
    mut context: ConnectionContext,
) -> impl Future<Output = ()> + Send {
    async move {
        let limits = &context.limits;
        let address = context.client.address;
        let metrics = context.metrics.of(context.protocol);
        let log = &*context.log;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_frame_size(Some(limits.max_message_bytes))
            .max_message_size(Some(limits.max_message_bytes));
        let stream = FrameStream::new(TokioIo::new(stream), limits.max_message_bytes);
        // Its own place is needed for a moment only.
        let socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
        let mut socket = Box::pin(socket).await;
        let reason = match connect() {
            Ok((mut peer, outbound)) => {
                if log.allows() {
                    tracing::info!(%peer, %address, "connected");
                } else {
                    tracing::debug!(%peer, %address, "connected");
                }
                metrics.connected.add(1);
                let rate = limits.peer_message_rate();
                let limiter = context.client.message_limiter(rate, Instant::now());
                let connection = Connection {
                    socket: &mut socket,
                    outbound: &outbound,
                    unfinished: &mut context.unfinished,
                    limits,
                    metrics,
                    log,
                    unflushed: false,
                    blocked: false,
                    long: None,
                    pong_waits: false,
                    paused_until: None,
                    read_since_flush: 0,
                    read_at_once: 0,
                };
                // It bounds its work itself; a socket that only seems to take no more would let pongs overtake answers.
                let ended = unconstrained(connection.run(&mut peer, limiter)).await;
                let name = peer.to_string();
                // Before the close is answered: who sees the answer can rely on the others knowing.
                drop(peer);
                match ended {
                    Ended::ByPeer if log.allows() => {
                        tracing::info!(peer = %name, "disconnected");
                        None
                    }
                    Ended::ByPeer => {
                        tracing::debug!(peer = %name, "disconnected");
                        None
                    }
                    Ended::ByUs(reason) => {
                        let limit = reason.name();
                        if !log.allows() {
                            tracing::debug!(peer = %name, %address, limit, %reason, "closed");
                        } else if reason == CloseReason::PartnerLeft {
                            tracing::info!(peer = %name, %reason, "closed");
                        } else {
                            tracing::warn!(peer = %name, %address, limit, %reason, "closed");
                        }
                        Some(reason)
                    }
                }
            }
            Err(reason) => {
                let limit = reason.name();
                if log.allows() {
                    tracing::warn!(%address, limit, %reason, "refused a connection");
                } else {
                    tracing::debug!(%address, limit, %reason, "refused a connection");
                }
                Some(reason)
            }
        };
        let name = reason.as_ref().map_or(BY_PEER, CloseReason::name);
        metrics.closed.count(name);
        // A peer that does not read the reason does not hold the connection for long.
        let closed = timeout(limits.close_timeout, close(socket, reason)).await;
        if closed.is_err() {
            context.metrics.close_timeouts.add(1);
        }
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

/// A connection that is up.
struct Connection<'a> {
    socket: &'a mut WebSocket,
    outbound: &'a Outbound,
    unfinished: &'a mut Hold,
    limits: &'a Limits,
    metrics: &'a ProtocolMetrics,
    log: &'a LogLimiter,
    /// Whether the socket holds messages that were not sent yet.
    unflushed: bool,
    /// Whether the socket took no more the last time.
    blocked: bool,
    /// A long message, which is written once the socket holds nothing.
    long: Option<(Data, Vec<Bytes>)>,
    /// Whether a ping was read while it took no more. Nothing is read then until its pong is sent, so that pongs take no
    /// memory without a bound.
    pong_waits: bool,
    /// Until when it is not read from, for what it asked for is much work.
    paused_until: Option<Instant>,
    /// Messages that were read since the last flush, and since other connections had their turn.
    read_since_flush: usize,
    read_at_once: usize,
}

impl Connection<'_> {
    #[expect(clippy::manual_async_fn, reason = "room")]
    fn run<H: SignallingHub>(
        mut self,
        peer: &mut Peer<H>,
        mut limiter: MessageLimiter,
    ) -> impl Future<Output = Ended> + Send {
        async move {
            let start = Instant::now();
            let limits = self.limits;
            let mut liveness = Liveness::new(limits.ping_interval, limits.pong_timeout, start);
            let mut hello_due = peer.must_register().then(|| start + limits.hello_timeout);
            let mut timer = pin!(sleep_until(self.next_deadline(&liveness, hello_due)));
            loop {
                match poll_fn(|cx| self.poll_event(cx, timer.as_mut())).await {
                    Event::Received(Message::Close(_)) => return Ended::ByPeer,
                    Event::Received(message) => {
                        let now = Instant::now();
                        liveness.on_received(now);
                        let counted = limiter.count(now, message.len());
                        let work = self.outbound.work();
                        match counted.and_then(|()| self.receive(peer, &message)) {
                            Ok(Received::Answer) => limiter.refund(message.len()),
                            Ok(_) => {
                                if let Some(work) = work {
                                    work.charge_received(message.len(), now);
                                }
                            }
                            Err(reason) => return Ended::ByUs(reason),
                        }
                        self.paused_until = work.and_then(|it| it.paused_until(now));
                        // Nearly always it is later now: then the timer is left as it is until it fires.
                        let deadline = self.next_deadline(&liveness, hello_due);
                        if deadline < timer.deadline() {
                            timer.as_mut().reset(deadline);
                        }
                    }
                    Event::Deadline => {
                        let now = Instant::now();
                        hello_due = hello_due.filter(|_| peer.must_register());
                        if hello_due.is_some_and(|due| due <= now) {
                            return Ended::ByUs(CloseReason::NoHello(limits.hello_timeout));
                        }
                        if self.pong_waits || self.paused_until.is_some() {
                            // It is not read from meanwhile; one that takes nothing is cut off by the socket.
                            liveness.on_received(now);
                        }
                        self.paused_until = self.paused_until.filter(|until| *until > now);
                        match liveness.on_deadline(now) {
                            Due::Nothing => {}
                            Due::Ping => {
                                // If the socket takes no more, there is a ping's worth waiting already.
                                let ping = Message::Ping(Vec::new().into());
                                if let Err(error) = self.socket.start_send_unpin(ping) {
                                    return why_broken(&error, self.limits);
                                }
                                self.unflushed = true;
                            }
                            Due::GiveUp => {
                                return Ended::ByUs(CloseReason::NoPong(limits.pong_timeout));
                            }
                        }
                        let deadline = self.next_deadline(&liveness, hello_due);
                        timer.as_mut().reset(deadline);
                    }
                    Event::Ended(ended) => return ended,
                }
            }
        }
    }

    /// Hands a message to the protocol; the WebSocket's own are done with already.
    fn receive<H: SignallingHub>(
        &self,
        peer: &mut Peer<H>,
        message: &Message,
    ) -> Result<Received, CloseReason> {
        if !matches!(message, Message::Text(_) | Message::Binary(_)) {
            return Ok(Received::Understood);
        }
        self.metrics.count_received(message.len());
        let must_register = peer.must_register();
        let received = peer.receive(message)?;
        if received == Received::Malformed {
            self.metrics.malformed.add(1);
        }
        if must_register && !peer.must_register() && self.log.allows() {
            tracing::info!(connection = %peer.key(), %peer, "registered");
        }
        Ok(received)
    }

    /// Reads what has come, and sends what waits when there is nothing more to read. What waits is taken before each
    /// message is read, so that a peer is notified of all that happened before its ping is answered, as long as its
    /// socket takes it.
    fn poll_event(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Event> {
        if let Poll::Ready(ended) = self.poll_take(cx) {
            return Poll::Ready(Event::Ended(ended));
        }
        if self.read_since_flush >= MAX_READ_BEFORE_FLUSH
            && let Poll::Ready(ended) = self.poll_flush(cx)
        {
            return Poll::Ready(Event::Ended(ended));
        }
        self.pong_waits &= self.blocked;
        if self.read_at_once >= MAX_READ_AT_ONCE {
            cx.waker().wake_by_ref();
        } else if !self.pong_waits
            && self.paused_until.is_none()
            && let Poll::Ready(event) = self.poll_read(cx)
        {
            return Poll::Ready(event);
        }
        self.read_at_once = 0;
        // It is kept in a buffer that doubles its room whenever that is full.
        if !self.unfinished.set(2 * self.socket.get_ref().unfinished()) {
            return Poll::Ready(Event::Ended(Ended::ByUs(CloseReason::HoldsTooMuch)));
        }
        if let Poll::Ready(ended) = self.poll_flush(cx) {
            return Poll::Ready(Event::Ended(ended));
        }
        timer.as_mut().poll(cx).map(|()| Event::Deadline)
    }

    fn next_deadline(&self, liveness: &Liveness, hello_due: Option<Instant>) -> Instant {
        let mut deadline = liveness.deadline();
        if let Some(due) = hello_due {
            deadline = deadline.min(due);
        }
        if let Some(until) = self.paused_until {
            deadline = deadline.min(until);
        }
        deadline
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let message = match ready!(self.socket.poll_next_unpin(cx)) {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                return Poll::Ready(Event::Ended(why_broken(&error, self.limits)));
            }
            None => return Poll::Ready(Event::Ended(Ended::ByPeer)),
        };
        self.read_since_flush += 1;
        self.read_at_once += 1;
        if message.is_text() || message.is_binary() {
            self.socket.get_mut().message_came();
        } else {
            self.socket.get_mut().control_came(message.len());
        }
        if message.is_ping() {
            self.unflushed = true;
            self.pong_waits = self.blocked;
        }
        Poll::Ready(Event::Received(message))
    }

    /// Moves messages from the queue to the socket, as far as it takes them. Ready only at an end.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let writable = match self.poll_writable(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(why_broken(&error, self.limits));
                }
                Poll::Pending => {
                    self.blocked = true;
                    false
                }
            };
            match self.outbound.poll_next(cx, writable) {
                Poll::Ready(Next::Close(reason)) => return Poll::Ready(Ended::ByUs(reason)),
                Poll::Ready(Next::Message(message)) => {
                    self.metrics.count_sent(message.len());
                    match message.into_frame() {
                        Ok(message) => {
                            if let Err(error) = self.socket.start_send_unpin(message) {
                                return Poll::Ready(why_broken(&error, self.limits));
                            }
                        }
                        Err(long) => self.long = Some(long),
                    }
                    self.unflushed = true;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether the socket takes another message. A long one first waits until the socket holds nothing, and then goes
    /// before all that follows.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.socket.poll_ready_unpin(cx))?;
        if self.long.is_some() {
            ready!(self.socket.poll_flush_unpin(cx))?;
            if let Some((data, slices)) = self.long.take() {
                self.socket.get_mut().begin_frame(data, slices);
            }
        }
        if self.socket.get_ref().has_frame() {
            ready!(self.socket.poll_flush_unpin(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the socket holds. Ready only at an end.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.read_since_flush = 0;
        if self.unflushed || self.blocked {
            match self.socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = false;
                    self.blocked = false;
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(why_broken(&error, self.limits));
                }
                Poll::Pending => self.blocked = true,
            }
        }
        Poll::Pending
    }
}

/// A message that is too large is worth a reason, and so is a peer that takes nothing, though the reason cannot reach it;
/// anything else that cannot be read or written is an end.
fn why_broken(error: &Error, limits: &Limits) -> Ended {
    match error {
        Error::Capacity(_) => Ended::ByUs(CloseReason::MessageTooLarge {
            limit: limits.max_message_bytes,
        }),
        Error::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Ended::ByUs(CloseReason::MessageTooLarge {
                limit: limits.max_message_bytes,
            })
        }
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            Ended::ByUs(CloseReason::TakesNothing(limits.stall_timeout()))
        }
        _ => Ended::ByPeer,
    }
}

/// Says why, and reads on until the peer has closed too: unread data would reset the connection, and
/// the reason would be lost.
async fn close(mut socket: WebSocket, reason: Option<CloseReason>) {
    let written = match &reason {
        Some(reason) => socket.close(Some(reason.frame())).await,
        // The answer to the peer's own close is there, and only has to be written.
        None => SinkExt::close(&mut socket).await,
    };
    if written.is_err() {
        return;
    }
    // What it holds now is not counted, and is little.
    socket.get_mut().read_no_long_messages();
    let is_cut = matches!(reason, Some(CloseReason::MessageTooLarge { .. }));
    loop {
        match socket.next().await {
            Some(Ok(_)) => socket.get_mut().message_came(),
            // It reads no more after an error.
            None if !is_cut => return,
            _ => break,
        }
    }
    // What follows a message that is too long is not read as frames any more, and what came of it is not kept.
    let mut stream = socket.into_inner().into_stream();
    if stream.shutdown().await.is_ok() {
        let _ = io::copy(&mut stream, &mut io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::DuplexStream;
    use tokio_tungstenite::client_async;
    use tokio_util::io::InspectWriter;

    use super::*;
    use crate::config::Config;
    use crate::in_memory::InMemoryServer;

    #[tokio::test(start_paused = true)]
    async fn ping_interval_kept_when_pong_timeout_is_longer() {
        let ping_interval = Duration::from_secs(10);
        let server = InMemoryServer::new(&Config {
            limits: Limits {
                ping_interval,
                pong_timeout: ping_interval * 6,
                ..Limits::default()
            },
            ..Config::default()
        })
        .expect("a good configuration");
        let (client, stream) = io::duplex(64 * 1024);
        server.accept(stream).await;
        let (mut socket, _) = client_async("ws://simulated/", client)
            .await
            .expect("an upgrade");
        let mut last = Instant::now();
        for _ in 0..5 {
            // Reading answers.
            while !socket.next().await.expect("up").expect("read").is_ping() {}
            assert!(last.elapsed() <= ping_interval + Duration::from_secs(1));
            last = Instant::now();
        }
    }

    /// A client of a server that was welcomed, and the number of times that the server writes to it.
    async fn counted_client() -> (WebSocketStream<DuplexStream>, Arc<AtomicUsize>) {
        let server = InMemoryServer::new(&Config::default()).expect("a good configuration");
        let (client, stream) = io::duplex(64 * 1024);
        let writes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&writes);
        let count = move |_: &[u8]| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        server.accept(InspectWriter::new(stream, count)).await;
        let upgrade = client_async("ws://simulated/", client).await;
        let (mut client, _) = upgrade.expect("an upgrade");
        client.next().await.expect("up").expect("a welcome");
        writes.store(0, Ordering::Relaxed);
        (client, writes)
    }

    /// Sends so many requests in one write, and reads as many answers.
    async fn ask_at_once(client: &mut WebSocketStream<DuplexStream>, count: usize) {
        for _ in 0..count {
            let list = Message::text(r#"{"type":"list"}"#);
            client.feed(list).await.expect("taken");
        }
        client.flush().await.expect("sent");
        for _ in 0..count {
            client.next().await.expect("up").expect("an answer");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_to_messages_that_came_together_sent_at_once() {
        let (mut client, writes) = counted_client().await;
        ask_at_once(&mut client, MAX_READ_BEFORE_FLUSH - 1).await;
        assert_eq!(writes.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_sent_while_more_messages_wait_to_be_read() {
        let (mut client, writes) = counted_client().await;
        ask_at_once(&mut client, 4 * MAX_READ_BEFORE_FLUSH).await;
        assert!(writes.load(Ordering::Relaxed) >= 4);
    }

    #[tokio::test(start_paused = true)]
    async fn pong_comes_after_answers_to_what_was_sent_before_its_ping() {
        const PAIRS: usize = 2_000;
        let server = InMemoryServer::new(&Config::default()).expect("a good configuration");
        let (client, stream) = io::duplex(1024 * 1024);
        server.accept(stream).await;
        let upgrade = client_async("ws://simulated/", client).await;
        let (mut client, _) = upgrade.expect("an upgrade");
        client.next().await.expect("up").expect("a welcome");
        for number in 0..PAIRS {
            let list = Message::text(r#"{"type":"list"}"#);
            client.feed(list).await.expect("taken");
            let ping = Message::Ping(number.to_string().into());
            client.feed(ping).await.expect("taken");
        }
        client.flush().await.expect("sent");
        let mut answers = 0;
        loop {
            match client.next().await.expect("up").expect("an answer") {
                Message::Pong(number) => {
                    let number: usize = str::from_utf8(&number)
                        .expect("a text")
                        .parse()
                        .expect("a number");
                    assert!(answers > number, "{answers} answers before pong {number}");
                    if number + 1 == PAIRS {
                        return;
                    }
                }
                _ => answers += 1,
            }
        }
    }
}
