//! Accepting connections, and the HTTP part of each.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::admission::{AdmissionControl, ConnectionInfo};
use crate::back_off::BackOff;
use crate::client_address::ClientAddress;
use crate::health_paths::is_health_check;
use crate::metrics::{HANDSHAKE_TIMEOUT, Metrics};
use crate::permits::{ConnectionPermit, ConnectionPermits};
use crate::refusal::Refusal;
use crate::stall::Stallable;
use crate::tls::LiveTls;

/// The waits after an accept that failed.
const BACK_OFF: BackOff = BackOff::new(Duration::from_millis(5), Duration::from_secs(1));

/// The head of a request may be as long; for a longer one the answer is 431 (RFC 6585, 5). That is twice what other
/// servers take of a browser's cookies, and bounds what an unknown client costs.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Connections above the limit at once that are answered: health checks with the state of the server, all else with the
/// reason that it is full.
const MAX_ABOVE_LIMIT: usize = 32;

/// For the TLS handshake of a connection above the limit, and again for the head of each request: short, because others
/// wait for its permit.
const ABOVE_LIMIT_TIMEOUT: Duration = Duration::from_secs(3);

/// What the server serves every connection of a port with.
#[derive(Clone)]
pub(crate) struct AcceptContext {
    pub(crate) tls: Option<Arc<LiveTls>>,
    /// Decides which clients are served; none if all are.
    pub(crate) admission: Option<Arc<AdmissionControl>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether a few connections above the limit are answered; others wait until there is room for them.
    pub(crate) answers_above_limit: bool,
    /// For the TLS handshake, and again for the head of each HTTP request.
    pub(crate) handshake_timeout: Duration,
    /// How long a client may take none of what is sent to it.
    pub(crate) stall_timeout: Duration,
    /// Connections are to end when the request that they are about is answered.
    pub(crate) stopping: CancellationToken,
    /// HTTP connections end at once.
    pub(crate) abandoned: CancellationToken,
}

/// A port, and what it answers.
pub(crate) struct Listener {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
}

/// Accepts until it is dropped, as long as there are permits. An error never ends it: when descriptors run
/// out, it waits for some to come back. Each connection gets the context of its moment.
pub(crate) async fn accept_all(
    listeners: &[Listener],
    permits: &Arc<ConnectionPermits>,
    metrics: &Metrics,
    context: impl Fn() -> AcceptContext,
) {
    let mut first = 0;
    let mut back_off = BACK_OFF;
    let above_limit = context().answers_above_limit;
    let above_limit = if above_limit { MAX_ABOVE_LIMIT } else { 0 };
    let above_limit = Arc::new(ConnectionPermits::new(above_limit));
    loop {
        if permits.are_taken() {
            metrics.accept_waits.add(1);
        }
        tokio::select! {
            biased;
            () = permits.available() => {}
            () = above_limit.available() => {}
        }
        // Each is asked first in turn, so that none can keep the others waiting.
        first += 1;
        match poll_fn(|cx| poll_accept(listeners, first, cx)).await {
            Ok((stream, address, router)) => {
                back_off.reset();
                metrics.accepted.add(1);
                let (router, mut context) = (router.clone(), context());
                let connection = match &context.admission {
                    Some(admission) => match admission.admit_connection(address.ip()) {
                        Some(connection) => Some(connection),
                        None => continue,
                    },
                    None => None,
                };
                let regular = permits.try_take().map(|permit| (permit, false));
                let permit =
                    regular.or_else(|| above_limit.try_take().map(|permit| (permit, true)));
                let (permit, is_above_limit) = match permit {
                    Some(permit) => permit,
                    // The limit was lowered meanwhile.
                    None => (permits.take().await, false),
                };
                if is_above_limit {
                    context.handshake_timeout = context.handshake_timeout.min(ABOVE_LIMIT_TIMEOUT);
                }
                let request_context = RequestContext {
                    permit,
                    connection,
                    is_above_limit,
                };
                tokio::spawn(async move {
                    let abandoned = context.abandoned.clone();
                    tokio::select! {
                        () = serve(stream, address, request_context, router, context) => {}
                        () = abandoned.cancelled() => {}
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                metrics.count_accept_error(&error);
                let wait = back_off.next_wait();
                tracing::warn!(%error, ?wait, "cannot accept connections; waiting");
                sleep(wait).await;
            }
        }
    }
}

fn poll_accept<'a>(
    listeners: &'a [Listener],
    first: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(TcpStream, SocketAddr, &'a Router)>> {
    for index in first..first + listeners.len() {
        let Listener { listener, router } = &listeners[index % listeners.len()];
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(stream, address)| (stream, address, router)));
        }
    }
    Poll::Pending
}

/// Whether only the connection that was about to be accepted is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// What each request of a connection carries along.
pub(crate) struct RequestContext {
    pub(crate) permit: ConnectionPermit,
    /// None on ports that serve all clients.
    pub(crate) connection: Option<ConnectionInfo>,
    /// Whether it gets no more than the state of the server.
    pub(crate) is_above_limit: bool,
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    request_context: RequestContext,
    router: Router,
    context: AcceptContext,
) {
    // Messages are short and people wait for them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    serve_stream(stream, Some(client), request_context, router, context).await;
}

/// Serves a connection over any stream: those of simulations are in memory.
pub(crate) async fn serve_stream<S>(
    stream: S,
    client: Option<SocketAddr>,
    request_context: RequestContext,
    router: Router,
    mut context: AcceptContext,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Some(connection) = &request_context.connection {
        context.handshake_timeout = connection.handshake_timeout(context.handshake_timeout);
    }
    let stream = Stallable::new(stream, context.stall_timeout);
    let Some(tls) = context.tls.clone() else {
        return serve_http(stream, request_context, router, context).await;
    };
    let handshake = tls.accept(stream, client, context.handshake_timeout);
    if let Some(stream) = handshake.await {
        serve_http(stream, request_context, router, context).await;
    }
}

impl RequestContext {
    /// Admits a request, and notes the client that makes it.
    fn admit(&self, request: &mut Request<Incoming>) -> Result<(), Refusal> {
        let is_refused = self.is_above_limit && !is_health_check(request.uri().path());
        if let Some(connection) = &self.connection {
            let client = connection.admit_request(request.headers())?;
            if is_refused {
                return Err(client.refuse(Refusal::Connections, request.headers()));
            }
            request
                .extensions_mut()
                .insert(ClientAddress(client.address));
            request.extensions_mut().insert(client);
        }
        request.extensions_mut().insert(self.permit.clone());
        Ok(())
    }
}

async fn serve_http<S>(
    stream: S,
    request_context: RequestContext,
    router: Router,
    context: AcceptContext,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = request_context.connection.as_ref();
    // A connection that is refused was counted when it came.
    let counted = connection.is_some_and(ConnectionInfo::is_refused);
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let answered = match request_context.admit(&mut request) {
            Ok(()) => Ok(router.clone().oneshot(request.map(Body::new))),
            Err(refusal) => Err(refusal.into_response()),
        };
        async move {
            match answered {
                Ok(answer) => answer.await,
                Err(refused) => Ok(refused),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(context.handshake_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = context.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Browsers keep connections for later, and it is no fault if there is nothing more to ask.
        if error.is_timeout() && !has_asked.load(Ordering::Relaxed) && !counted {
            context.metrics.refused.count(HANDSHAKE_TIMEOUT);
        }
        tracing::debug!(%error, "HTTP connection failed");
    }
}
