//! What is served on the one port: the page, the health check, the text protocol at `/text`, and the JSON
//! protocol at every path that nothing else takes; and on the port of the text protocol: that, at every path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONNECTION, ETAG, IF_NONE_MATCH, UPGRADE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::Upgraded;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use crate::connection;
use crate::live::Live;
use crate::outbound::Outbound;
use crate::page::{self, PageFile};
use crate::places::Place;
use crate::switchboard::Switchboard;
use crate::text_switchboard::TextSwitchboard;

/// Both protocols, for whoever comes.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) text_switchboard: Arc<TextSwitchboard>,
    pub(crate) live: Arc<Live>,
}

/// What the main port answers.
pub(crate) fn router(shared: Shared) -> Router {
    health()
        .route("/text", get(text_protocol))
        .route("/text/", get(text_protocol))
        .fallback(page_or_protocol)
        .with_state(shared)
}

/// What the port of the text protocol answers.
pub(crate) fn text_router(shared: Shared) -> Router {
    health().fallback(text_protocol).with_state(shared)
}

/// The second is the path and the answer of the original server of the text protocol.
fn health() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/health", get(|| async { "OK\n" }))
}

async fn text_protocol(State(shared): State<Shared>, request: Request) -> Response {
    if !asks_for_websocket(request.headers()) {
        let head = [(UPGRADE, "websocket"), (CONNECTION, "upgrade")];
        let hint = "the text protocol is spoken here, over a WebSocket\n";
        return (StatusCode::UPGRADE_REQUIRED, head, hint).into_response();
    }
    let limits = Arc::clone(&shared.live.now().limits);
    upgrade(request, |stream| {
        let outbound = Outbound::new(&limits);
        let connect = || shared.text_switchboard.connect(outbound);
        connection::serve(stream, connect, limits)
    })
}

async fn page_or_protocol(State(shared): State<Shared>, request: Request) -> Response {
    if asks_for_websocket(request.headers()) {
        let limits = Arc::clone(&shared.live.now().limits);
        return upgrade(request, |stream| {
            let outbound = Outbound::new(&limits);
            let connect = || shared.switchboard.connect(outbound);
            connection::serve(stream, connect, limits)
        });
    }
    let Some(file) = page::find(request.uri().path()) else {
        let hint = "nothing is here; WebSocket clients may connect at any path\n";
        return (StatusCode::NOT_FOUND, hint).into_response();
    };
    if !only_reads(request.method()) {
        return method_not_allowed();
    }
    page_file(file, request.headers())
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

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers a WebSocket handshake, and lets `serve` have the connection afterwards.
fn upgrade<F>(request: Request, serve: impl FnOnce(Upgraded) -> F + Send + 'static) -> Response
where
    F: Future<Output = ()> + Send,
{
    // Checks the headers (RFC 6455, 4.2.1). No sub-protocol is ever chosen, as in the reference.
    let (mut parts, _) = request.into_parts();
    let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    // It goes along: the connection is counted until it is gone.
    let place = parts.extensions.remove::<Place>();
    let response = create_response(&Request::from_parts(parts, ()));
    let (Ok(response), Some(on_upgrade)) = (response, on_upgrade) else {
        return (StatusCode::BAD_REQUEST, "not a WebSocket handshake\n").into_response();
    };
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(stream) => serve(stream).await,
            Err(error) => tracing::debug!(%error, "a client left during its upgrade"),
        }
        drop(place);
    });
    response.map(|()| axum::body::Body::empty())
}
