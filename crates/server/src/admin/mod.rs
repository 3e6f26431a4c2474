//! What an operator sees of a running server and may do to it: JSON over HTTP, on a port of its own.
//!
//! # Contract
//!
//! * The port is apart from the one that everybody reaches: it has connections of its own, so that an operator gets in
//!   where the server is full, and it is on the loopback interface unless whoever asks has to show a token. Who is told
//!   that they may not ask loses the connection.
//! * What is asked is checked in this order: the host (where there is no token), the token, the path, the method, the
//!   query or the body. Every refusal is a problem document (RFC 9457).
//! * A list is answered in pages. The lock of a switchboard is held for one page, while ids and shared texts are
//!   copied, and released before anything is written: however many peers there are, a message waits no longer for it.
//! * `openapi.json` says what everything looks like; a test asks a server all that it promises.

mod access;
mod door;
mod paging;
mod peers;
mod problem;
mod reason;
mod rooms;
mod secret;
mod sessions;
mod status;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::http::Shared;
use crate::metrics;
use access::Access;
pub(crate) use door::AdminDoor;
use problem::Problem;
pub use secret::{InvalidSecret, Secret};

/// What every answer says of itself: it is of this moment, and of no other kind than it says.
const HEADERS: [(HeaderName, &str); 2] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Where the admin API is, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Address or name to listen on; an IPv6 address with or without brackets. Without a token it must be on the
    /// loopback interface. Elsewhere it is `https` with the server's certificate, if that has one.
    pub host: String,
    /// TCP port; 0 lets the system choose one.
    pub port: u16,
    /// What whoever asks has to show (`Authorization: Bearer …`, RFC 6750).
    pub token: Option<Secret>,
}

/// The port beside the server's usual one, on the loopback interface.
impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8445,
            token: None,
        }
    }
}

/// What the answers are made of.
pub(crate) struct Admin {
    shared: Shared,
    access: Access,
}

fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/peers", get(peers::list))
        .route("/api/v1/peers/{id}", get(peers::one).delete(peers::remove))
        .route("/api/v1/sessions", get(sessions::list))
        .route(
            "/api/v1/sessions/{id}",
            get(sessions::one).delete(sessions::end),
        )
        .route("/api/v1/rooms", get(rooms::list))
        .route("/api/v1/rooms/{name}", get(rooms::one))
        .route("/api/v1/openapi.json", get(description))
        .with_state(Arc::clone(&admin))
        .merge(metrics::router(admin.shared.clone()))
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
        .layer(from_fn_with_state(admin, access::check))
}

async fn description() -> Response {
    let content = include_str!("openapi.json");
    (HEADERS, [(CONTENT_TYPE, "application/json")], content).into_response()
}

fn json(content: &impl Serialize) -> Response {
    let text = serde_json::to_string(content)
        .expect("numbers, texts and JSON that was read can always be written");
    (HEADERS, [(CONTENT_TYPE, "application/json")], text).into_response()
}

fn done() -> Response {
    (StatusCode::NO_CONTENT, HEADERS).into_response()
}

/// A moment as texts of the Internet have it (RFC 3339), to the second.
fn moment(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::header::HOST;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Config;
    use crate::live::Settings;
    use crate::outbound::Outbound;

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
        let shared = Shared::new(&config, settings, None);
        let queue = || Outbound::new(&config.limits, Arc::clone(&shared.metrics));
        let json_peers: Vec<_> = (0..PEERS)
            .map(|_| {
                Arc::clone(&shared.switchboard)
                    .connect(queue())
                    .expect("room")
            })
            .collect();
        let text_peers: Vec<_> = (0..PEERS)
            .map(|_| {
                Arc::clone(&shared.text_switchboard)
                    .connect(queue())
                    .expect("room")
            })
            .collect();
        let router = router(Arc::new(Admin {
            shared: shared.clone(),
            access: Access::Host,
        }));
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
