//! Health checks: `/healthz`, whether the process lives, and `/readyz`, whether new clients should be sent here. A server
//! that is full or stopping must not be restarted for it.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health_paths::{HEALTH, HEALTHZ, READYZ};
use crate::metrics::Protocol;
use crate::state::ServerState;

/// The routes of a port for clients of a protocol.
pub(super) fn router(protocol: Protocol) -> Router<ServerState> {
    let readiness = async move |State(state): State<ServerState>| readiness(&state, protocol);
    Router::new()
        .route(HEALTHZ, get(|| async { "ok\n" }))
        .route(HEALTH, get(|| async { "OK\n" }))
        .route(READYZ, get(readiness))
}

fn readiness(state: &ServerState, protocol: Protocol) -> Response {
    let unavailable = |reason: String| (StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    if state.draining.is_cancelled() {
        return unavailable("stopping\n".to_owned());
    }
    match state.full(protocol) {
        Some(limit) => unavailable(format!("full: {limit} is reached\n")),
        None => "ready\n".into_response(),
    }
}
