//! Where the metrics are served.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::exposition;
use crate::http::Shared;

/// `/metrics` for whoever can reach it. Who that is, is up to where it is put.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .with_state(shared)
}

async fn answer(State(shared): State<Shared>) -> Response {
    let text = exposition(&shared);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text).into_response()
}
