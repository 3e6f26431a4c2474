//! The routes of the admin API.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;

use super::access::{self, Access, Checked};
use super::answer::json_text;
use super::problem::Problem;
#[cfg(feature = "text")]
use super::rooms;
use super::{peers, reason, sessions, status};
use crate::state::ServerState;

/// All routes, for requests that have `access`.
pub(super) fn router(state: ServerState, access: Access) -> Router {
    let routes = Router::new()
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/peers", get(peers::list))
        .route("/api/v1/peers/{id}", get(peers::one).delete(peers::remove))
        .route("/api/v1/sessions", get(sessions::list))
        .route(
            "/api/v1/sessions/{id}",
            get(sessions::one).delete(sessions::end),
        )
        .route("/api/v1/openapi.json", get(description));
    #[cfg(feature = "text")]
    let routes = routes
        .route("/api/v1/rooms", get(rooms::list))
        .route("/api/v1/rooms/{name}", get(rooms::one));
    #[cfg(feature = "metrics")]
    let routes = routes.merge(crate::http::metrics_router());
    let checked = Checked {
        access: Arc::new(access),
        metrics: Arc::clone(&state.metrics),
    };
    reason::limited(routes)
        .with_state(state)
        // What comes after this answers other methods by itself.
        .fallback(async || {
            Problem::new(
                StatusCode::NOT_FOUND,
                "nothing is here; see /api/v1/openapi.json",
            )
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "not with this method; see Allow",
            )
        })
        .layer(from_fn_with_state(checked, access::check))
}

async fn description() -> Response {
    json_text(include_str!("openapi.json"))
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::http::header::HOST;
    use tower::ServiceExt;

    use super::*;
    use crate::admin::paging;
    use crate::config::Config;
    use crate::outbound::Outbound;
    use crate::settings::Settings;

    /// Peers of each protocol; nobody has a socket.
    const PEERS: usize = 10_000;

    async fn get(router: &Router, path: &str) -> serde_json::Value {
        let request = Request::get(path).header(HOST, "localhost");
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let body = to_bytes(answer.into_body(), usize::MAX)
            .await
            .expect("whole");
        serde_json::from_slice(&body).expect("JSON")
    }

    #[tokio::test]
    async fn ten_thousand_peers_are_seen_in_bounded_pages() {
        let config = Config::default();
        let settings = Settings::of(&config).expect("good ones");
        let state = ServerState::new(&config, settings, None);
        let queue = || Outbound::new(&config.limits, Arc::clone(&state.metrics));
        let json_peers: Vec<_> = (0..PEERS)
            .map(|_| Arc::clone(&state.json).connect(queue()).expect("room"))
            .collect();
        let text_peers: Vec<_> = (0..PEERS)
            .map(|_| Arc::clone(&state.text).connect(queue()).expect("room"))
            .collect();
        let router = router(state, Access::Host);
        let mut seen = std::collections::HashSet::new();
        let mut path = format!("/api/v1/peers?limit={}", paging::MAX_LIMIT);
        let mut pages = 0;
        loop {
            let page = get(&router, &path).await;
            let peers = page["peers"].as_array().expect("a list");
            assert!(peers.len() <= paging::MAX_LIMIT);
            seen.extend(peers.iter().map(|peer| peer["id"].to_string()));
            pages += 1;
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/api/v1/peers?limit={}&after={next}", paging::MAX_LIMIT);
        }
        assert_eq!(seen.len(), 2 * PEERS);
        assert_eq!(pages, 2 * PEERS / paging::MAX_LIMIT);
        // A walk for sessions that finds none ends somewhere, too, and goes on from there.
        let page = get(&router, "/api/v1/sessions").await;
        assert_eq!(page["sessions"], serde_json::json!([]));
        let next = page["next"].as_str().expect("not all were looked at");
        let page = get(&router, &format!("/api/v1/sessions?after={next}")).await;
        assert_eq!(page["next"], serde_json::Value::Null);
        drop((json_peers, text_peers));
    }
}
