//! What is served on the one port: the page, the health check, the text protocol at `/text`, and the JSON
//! protocol at every path that nothing else takes; and on the port of the text protocol: that, at every path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CONNECTION, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, UPGRADE,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use crate::clients::Clients;
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::connection::{self, Visit};
use crate::gate::Client;
use crate::live::{Live, Settings};
use crate::metrics::{self, Metrics, Protocol, Snapshot, TlsSnapshot};
use crate::outbound::Outbound;
use crate::page::{self, PageFile};
use crate::participant::Participant;
use crate::places::{Place, Places};
use crate::readiness::{self, Stopping};
use crate::refusal::Refusal;
use crate::switchboard::Switchboard;
use crate::text_switchboard::TextSwitchboard;
use crate::tls::LiveTls;

/// Both protocols, for whoever comes.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) text_switchboard: Arc<TextSwitchboard>,
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) places: Arc<Places>,
    pub(crate) stopping: Arc<Stopping>,
    pub(crate) tls: Option<Arc<LiveTls>>,
}

impl Shared {
    /// All of a server that has no clients yet.
    pub(crate) fn new(config: &Config, settings: Settings, tls: Option<Arc<LiveTls>>) -> Self {
        Self {
            switchboard: Arc::new(Switchboard::new(config.policy.clone())),
            text_switchboard: Arc::new(TextSwitchboard::new(config.text_policy.clone())),
            places: Arc::new(Places::new(settings.limits.max_connections)),
            live: Arc::new(Live::new(settings)),
            metrics: Arc::new(Metrics::new()),
            clients: Arc::new(Clients::new(Instant::now())),
            stopping: Arc::new(Stopping::default()),
            tls,
        }
    }

    /// What there is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            connections: self.places.taken(),
            addresses: self.clients.len(),
            json: self.switchboard.snapshot(),
            text: self.text_switchboard.snapshot(),
            tls: self.tls.as_ref().map(|tls| TlsSnapshot {
                handshakes_failed: tls.handshakes_failed(),
                certificate_expires: tls.certificate_expires(),
            }),
        }
    }
}

/// What the main port answers.
pub(crate) fn router(shared: Shared) -> Router {
    let metrics = metrics::router(shared.clone()).route_layer(from_fn(only_who_may_see_metrics));
    health()
        .route("/text", get(text_protocol))
        .route("/text/", get(text_protocol))
        .fallback(page_or_protocol)
        .with_state(shared)
        .merge(metrics)
}

/// What the port of the text protocol answers.
pub(crate) fn text_router(shared: Shared) -> Router {
    health().fallback(text_protocol).with_state(shared)
}

/// The second path is that of the original server of the text protocol.
fn health() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/health", get(|| async { "OK\n" }))
        .route("/readyz", get(readiness::answer))
}

async fn text_protocol(State(shared): State<Shared>, request: Request) -> Response {
    if !asks_for_websocket(request.headers()) {
        let head = [(UPGRADE, "websocket"), (CONNECTION, "upgrade")];
        let hint = "the text protocol is spoken here, over a WebSocket\n";
        return (StatusCode::UPGRADE_REQUIRED, head, hint).into_response();
    }
    let switchboard = Arc::clone(&shared.text_switchboard);
    upgrade(request, &shared.metrics, Protocol::Text, |outbound| {
        switchboard.connect(outbound)
    })
}

async fn page_or_protocol(State(shared): State<Shared>, request: Request) -> Response {
    if asks_for_websocket(request.headers()) {
        let switchboard = Arc::clone(&shared.switchboard);
        return upgrade(request, &shared.metrics, Protocol::Json, |outbound| {
            switchboard.connect(outbound)
        });
    }
    let Some(file) = page::find(request.uri().path()) else {
        let hint = "nothing is here; WebSocket clients may connect at any path\n";
        return (StatusCode::NOT_FOUND, hint).into_response();
    };
    if !only_reads(request.method()) {
        return method_not_allowed();
    }
    let mut response = page_file(file, request.headers());
    if let Some(policy) = &shared.live.now().page_policy {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

/// Whether a request with this method wants to see something and nothing else.
pub(crate) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

pub(crate) fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response()
}

/// A file of the page as it is, unless the client has it.
pub(crate) fn page_file(file: &'static PageFile, request: &HeaderMap) -> Response {
    let head = (file.headers(), [(ETAG, file.etag())]);
    if has_it_already(request, file) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, file.content()).into_response()
}

/// Whether the client names the file as it is (RFC 9110, 13.1.2).
fn has_it_already(headers: &HeaderMap, file: &PageFile) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == file.etag())
}

/// Whether a request wants to become a WebSocket.
pub(crate) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn only_who_may_see_metrics(request: Request, next: Next) -> Response {
    match request.extensions().get::<Client>() {
        Some(client) if client.may_see_metrics(request.headers()) => next.run(request).await,
        Some(client) => client.refuse(Refusal::Metrics).into_response(),
        // Nobody knows who asks.
        None => Refusal::Metrics.into_response(),
    }
}

/// Answers a WebSocket handshake, and serves the connection afterwards. `connect` takes it into its protocol.
fn upgrade<P: Participant + 'static>(
    request: Request,
    metrics: &Arc<Metrics>,
    protocol: Protocol,
    connect: impl FnOnce(Outbound) -> Result<(P, Arc<Outbound>), CloseReason> + Send + 'static,
) -> Response {
    // Checks the headers (RFC 6455, 4.2.1). No sub-protocol is ever chosen, as in the reference.
    let (mut parts, _) = request.into_parts();
    let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let client = parts.extensions.remove::<Client>();
    // It goes along: the connection is counted until it is gone.
    let place = parts.extensions.remove::<Place>();
    let response = create_response(&Request::from_parts(parts, ()));
    let (Ok(response), Some(on_upgrade), Some(client)) = (response, on_upgrade, client) else {
        return (StatusCode::BAD_REQUEST, "not a WebSocket handshake\n").into_response();
    };
    let metrics = Arc::clone(metrics);
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(stream) => {
                let outbound = Outbound::new(&client.settings.limits, Arc::clone(&metrics));
                let outbound = outbound.to(client.address);
                let visit = Visit {
                    client,
                    metrics,
                    protocol,
                };
                connection::serve(stream, || connect(outbound), visit).await;
            }
            Err(error) => tracing::debug!(%error, "a client left during its upgrade"),
        }
        drop(place);
    });
    response.map(|()| axum::body::Body::empty())
}
