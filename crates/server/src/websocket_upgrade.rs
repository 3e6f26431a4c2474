//! Upgrades of HTTP requests to WebSockets.

use std::future::Future;
use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::admission::Client;
use crate::permits::ConnectionPermit;

/// A WebSocket of a route of [`Server::with_routes`](crate::Server::with_routes).
pub type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// A WebSocket handshake (RFC 6455, 4.2.1): an extractor for the routes of
/// [`Server::with_routes`](crate::Server::with_routes), which refuses what is none with 400. No sub-protocol is chosen.
pub struct WebSocketUpgrade {
    on_upgrade: OnUpgrade,
    response: axum::http::Response<()>,
    client: Client,
    permit: Option<ConnectionPermit>,
}

impl WebSocketUpgrade {
    /// The address of the client.
    pub fn address(&self) -> IpAddr {
        self.client.address
    }

    /// Answers the handshake, and calls `serve` with the WebSocket in a task of its own. The connection counts for its
    /// address, and as one of the server's, until `serve` has ended.
    pub fn on_upgrade<F>(
        self,
        config: WebSocketConfig,
        serve: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        self.accept(async move |stream, client| {
            let stream = TokioIo::new(stream);
            let socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config)).await;
            serve(socket).await;
            drop(client);
        })
    }

    /// The same with the stream and the client.
    pub(crate) fn accept<F>(
        self,
        serve: impl FnOnce(Upgraded, Client) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self {
            on_upgrade,
            response,
            client,
            permit,
        } = self;
        tokio::spawn(async move {
            match on_upgrade.await {
                Ok(stream) => serve(stream, client).await,
                Err(error) => tracing::debug!(%error, "a client left during its upgrade"),
            }
            drop(permit);
        });
        response.map(|()| Body::empty())
    }
}

impl<S: Sync> FromRequest<S> for WebSocketUpgrade {
    type Rejection = (StatusCode, &'static str);

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, _) = request.into_parts();
        let on_upgrade = parts.extensions.remove();
        let client = parts.extensions.remove();
        let permit = parts.extensions.remove();
        let response = create_response(&Request::from_parts(parts, ()));
        match (response, on_upgrade, client) {
            (Ok(response), Some(on_upgrade), Some(client)) => Ok(Self {
                on_upgrade,
                response,
                client,
                permit,
            }),
            _ => Err((StatusCode::BAD_REQUEST, "not a WebSocket handshake\n")),
        }
    }
}
