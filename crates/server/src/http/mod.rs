//! What is served on the one port: the page, the health checks, the text protocol at `/text`, and the JSON
//! protocol at every path that nothing else takes; and on the port of the text protocol: that, at every path.

mod health;
mod host_check;
#[cfg(feature = "metrics")]
mod metrics;
pub(crate) mod page_answer;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
#[cfg(feature = "text")]
use axum::http::header::{CONNECTION, UPGRADE};
use axum::response::{IntoResponse, Response};

use crate::host::is_certified;
use crate::metrics::Protocol;
use crate::page;
use crate::state::ServerState;
use crate::websocket_request::asks_for_websocket;
pub(crate) use host_check::check_host;
use host_check::host_refused;
#[cfg(all(feature = "admin", feature = "metrics"))]
pub(crate) use metrics::router as metrics_router;
use page_answer::{method_not_allowed, only_reads, page_answer};
use websocket::upgrade;

/// The routes of the main port.
pub(crate) fn router(state: ServerState) -> Router {
    let routes = health::router(Protocol::Json);
    #[cfg(feature = "text")]
    let routes = routes
        .route("/text", axum::routing::get(text_protocol))
        .route("/text/", axum::routing::get(text_protocol));
    let routes = routes.fallback(page_or_protocol);
    #[cfg(feature = "metrics")]
    let routes = routes.merge(metrics::restricted_router());
    routes.with_state(state)
}

/// The routes of the port of the text protocol.
#[cfg(feature = "text")]
pub(crate) fn text_router(state: ServerState) -> Router {
    health::router(Protocol::Text)
        .fallback(text_protocol)
        .with_state(state)
}

#[cfg(feature = "text")]
async fn text_protocol(State(state): State<ServerState>, request: Request) -> Response {
    if !asks_for_websocket(request.headers()) {
        let head = [(UPGRADE, "websocket"), (CONNECTION, "upgrade")];
        let hint = "the text protocol is spoken here, over a WebSocket\n";
        return (StatusCode::UPGRADE_REQUIRED, head, hint).into_response();
    }
    upgrade(request, &state, Protocol::Text, Arc::clone(&state.text)).await
}

async fn page_or_protocol(State(state): State<ServerState>, request: Request) -> Response {
    if asks_for_websocket(request.headers()) {
        return upgrade(request, &state, Protocol::Json, Arc::clone(&state.json)).await;
    }
    let Some(file) = page::find(request.uri().path()) else {
        let hint = "nothing is here; WebSocket clients may connect at any path\n";
        return (StatusCode::NOT_FOUND, hint).into_response();
    };
    if !only_reads(request.method()) {
        return method_not_allowed();
    }
    if let Some(refused) = host_refused(&request) {
        return refused;
    }
    let settings = state.settings.now();
    let policy = settings
        .page_policy
        .header(request.uri(), request.headers());
    let index = settings.page_index.as_deref();
    let mut answer = page_answer(file, index, request.headers(), policy);
    if let (Some(hsts), Some(tls)) = (&settings.page_hsts, &state.tls)
        && is_certified(request.headers(), &tls.names())
    {
        let headers = answer.headers_mut();
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    answer
}
