//! Health checks: `/healthz`, whether the process lives, and `/readyz`, whether new clients should be sent here. A server
//! that is full or stopping must not be restarted for it.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::state::ServerState;

/// The routes; `/health` is that of the original server of the text protocol.
pub(super) fn router() -> Router<ServerState> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/health", get(|| async { "OK\n" }))
        .route("/readyz", get(readiness))
}

async fn readiness(State(state): State<ServerState>) -> Response {
    let unavailable = |reason: String| (StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    if state.draining.is_cancelled() {
        return unavailable("stopping\n".to_owned());
    }
    match state.full() {
        Some(limit) => unavailable(format!("full: {limit} is reached\n")),
        None => "ready\n".into_response(),
    }
}
