//! What is served on the one port: the page, the health check, and the JSON protocol at every path
//! that nothing else takes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, ETAG, IF_NONE_MATCH, UPGRADE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use crate::connection;
use crate::limits::Limits;
use crate::page::{self, PageFile};
use crate::switchboard::Switchboard;

/// What keeps a connection counted; it goes along with an upgrade.
#[derive(Clone, Debug)]
pub(crate) struct Permit(
    #[allow(dead_code, reason = "held, not read")] pub(crate) Arc<tokio::sync::OwnedSemaphorePermit>,
);

#[derive(Clone, Debug)]
struct Shared {
    switchboard: Arc<Switchboard>,
    limits: Arc<Limits>,
}

pub(crate) fn router(switchboard: Arc<Switchboard>, limits: Arc<Limits>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        // Kept for the text protocol: a client of that must not meet this one.
        .route("/text", get(StatusCode::NOT_FOUND))
        .fallback(page_or_protocol)
        .with_state(Shared {
            switchboard,
            limits,
        })
}

async fn page_or_protocol(State(shared): State<Shared>, request: Request) -> Response {
    if asks_for_websocket(request.headers()) {
        return upgrade(shared, request);
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

fn upgrade(shared: Shared, request: Request) -> Response {
    // Checks the headers (RFC 6455, 4.2.1). No sub-protocol is ever chosen, as in the reference.
    let (mut parts, _) = request.into_parts();
    let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let permit = parts.extensions.remove::<Permit>();
    let response = create_response(&Request::from_parts(parts, ()));
    let (Ok(response), Some(on_upgrade)) = (response, on_upgrade) else {
        return (StatusCode::BAD_REQUEST, "not a WebSocket handshake\n").into_response();
    };
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(stream) => connection::serve(stream, shared.switchboard, shared.limits).await,
            Err(error) => tracing::debug!(%error, "a client left during its upgrade"),
        }
        drop(permit);
    });
    response.map(|()| axum::body::Body::empty())
}
