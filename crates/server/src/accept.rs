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

use crate::gate::{Gate, Visitor};
use crate::metrics::{HANDSHAKE_TIMEOUT, Metrics};
use crate::places::{Place, Places};
use crate::refusal::Refusal;
use crate::stall::Stallable;
use crate::tls::LiveTls;

/// The first wait after an accept failed, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The head of a request may be as long; for a longer one the answer is 431 (RFC 6585, 5). That is twice what other
/// servers take of a browser's cookies, and a stranger costs no more.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) tls: Option<Arc<LiveTls>>,
    /// Who may come in; none if everyone may.
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) metrics: Arc<Metrics>,
    /// For the TLS handshake, and again for the head of each HTTP request.
    pub(crate) handshake_timeout: Duration,
    /// How long a client may take none of what is sent to it.
    pub(crate) stall_timeout: Duration,
    /// Connections are to end when what they are about is done.
    pub(crate) stopping: CancellationToken,
    /// HTTP connections end at once.
    pub(crate) abandoned: CancellationToken,
}

/// A port, and what it answers.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
}

/// Accepts until it is dropped, as long as there are places. An error never ends it: when descriptors run
/// out, it waits for some to come back. Each connection is given the front of its moment.
pub(crate) async fn accept_all(
    doors: &[Door],
    places: &Arc<Places>,
    metrics: &Metrics,
    front: impl Fn() -> Front,
) {
    let mut first = 0;
    let mut back_off = BACK_OFF.0;
    loop {
        if places.are_taken() {
            metrics.accept_waits.add(1);
        }
        places.one_free().await;
        // Each is asked first in turn, so that none can keep the others waiting.
        first += 1;
        match poll_fn(|cx| poll_accept(doors, first, cx)).await {
            Ok((stream, address, router)) => {
                back_off = BACK_OFF.0;
                metrics.accepted.add(1);
                let (router, front) = (router.clone(), front());
                let visitor = match &front.gate {
                    Some(gate) => match gate.arrive(address.ip()) {
                        Some(visitor) => Some(visitor),
                        None => continue,
                    },
                    None => None,
                };
                let place = places.take();
                let arrival = Arrival { place, visitor };
                tokio::spawn(async move {
                    let abandoned = front.abandoned.clone();
                    tokio::select! {
                        () = serve(stream, address, arrival, router, front) => {}
                        () = abandoned.cancelled() => {}
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                metrics.count_accept_error(&error);
                tracing::warn!(%error, ?back_off, "cannot accept connections; waiting");
                sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF.1);
            }
        }
    }
}

fn poll_accept<'a>(
    doors: &'a [Door],
    first: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(TcpStream, SocketAddr, &'a Router)>> {
    for place in first..first + doors.len() {
        let door = &doors[place % doors.len()];
        if let Poll::Ready(accepted) = door.listener.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(stream, address)| (stream, address, &door.router)));
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

/// Who came.
pub(crate) struct Arrival {
    pub(crate) place: Place,
    /// None where everyone may come in.
    pub(crate) visitor: Option<Visitor>,
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    arrival: Arrival,
    router: Router,
    front: Front,
) {
    // Messages are short and people wait for them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    serve_stream(stream, Some(client), arrival, router, front).await;
}

/// Serves a connection of whatever kind: those of simulations are none of the system's.
pub(crate) async fn serve_stream<S>(
    stream: S,
    client: Option<SocketAddr>,
    arrival: Arrival,
    router: Router,
    mut front: Front,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Some(visitor) = &arrival.visitor {
        front.handshake_timeout = visitor.patience(front.handshake_timeout);
    }
    let stream = Stallable::new(stream, front.stall_timeout);
    let Some(tls) = front.tls.clone() else {
        return serve_http(stream, arrival, router, front).await;
    };
    let handshake = tls.accept(stream, client, front.handshake_timeout);
    if let Some(stream) = handshake.await {
        serve_http(stream, arrival, router, front).await;
    }
}

impl Arrival {
    /// Lets a request in, and notes whose it is.
    fn admit(&self, request: &mut Request<Incoming>) -> Result<(), Refusal> {
        if let Some(visitor) = &self.visitor {
            let client = visitor.request(request.headers())?;
            request.extensions_mut().insert(client);
        }
        request.extensions_mut().insert(self.place.clone());
        Ok(())
    }
}

async fn serve_http<S>(stream: S, arrival: Arrival, router: Router, front: Front)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visitor = arrival.visitor.as_ref();
    // Who is refused was counted when it came.
    let counted = visitor.is_some_and(Visitor::is_refused);
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let answered = match arrival.admit(&mut request) {
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
        .header_read_timeout(front.handshake_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = front.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Browsers keep connections for later, and it is no fault if there is nothing more to ask.
        if error.is_timeout() && !has_asked.load(Ordering::Relaxed) && !counted {
            front.metrics.refused.count(HANDSHAKE_TIMEOUT);
        }
        tracing::debug!(%error, "HTTP connection failed");
    }
}
