//! `/metrics`.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::admission::Client;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The route, open to every client that reaches it.
pub(crate) fn router() -> Router<ServerState> {
    Router::new().route("/metrics", get(answer))
}

/// The route, for the clients that may see it.
pub(super) fn restricted_router() -> Router<ServerState> {
    router().route_layer(from_fn(restrict))
}

async fn answer(State(state): State<ServerState>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], state.exposition()).into_response()
}

async fn restrict(request: Request, next: Next) -> Response {
    match request.extensions().get::<Client>() {
        Some(client) if client.may_see_metrics() => next.run(request).await,
        Some(client) => client
            .refuse(Refusal::Metrics, request.headers())
            .into_response(),
        // The client is not known.
        None => Refusal::Metrics.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Config;
    use crate::settings::Settings;

    #[tokio::test]
    async fn request_of_an_unknown_client_refused() {
        let config = Config::default();
        let settings = Settings::of(&config).expect("good ones");
        let router = restricted_router().with_state(ServerState::new(&config, settings, None));
        let request = Request::get("/metrics")
            .body(Body::empty())
            .expect("a request");
        let answer = router.oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
}
