//! The API of operators: views of a running server, and control of it, by JSON over HTTP on a port of its own.
//!
//! # Contract
//!
//! * The port is apart from the one that all clients reach: it has connections of its own, so that an operator gets in
//!   where the server is full, and it is on the loopback interface unless requests need a token. A client that is refused
//!   for its host or its token loses the connection. At a Unix socket the rights to its file are the access.
//! * A request is checked in this order: the host (where there is no token), the token, the path, the method, the
//!   query or the body. Every refusal is a problem document (RFC 9457).
//! * A list is answered in pages. The lock of a registry is held for one page, while ids and shared texts are
//!   copied, and released before anything is written: however many peers there are, a message waits no longer for it.
//! * `openapi.json` describes it; a test asks a server for all of it.

pub(crate) mod config;
pub(crate) mod secret;

#[cfg(feature = "admin")]
mod access;
#[cfg(feature = "admin")]
mod answer;
#[cfg(feature = "admin")]
pub(crate) mod listener;
#[cfg(not(feature = "admin"))]
#[path = "absent.rs"]
pub(crate) mod listener;
#[cfg(feature = "admin")]
mod operator;
#[cfg(feature = "admin")]
mod paging;
#[cfg(feature = "admin")]
mod peer;
#[cfg(feature = "admin")]
mod peers;
#[cfg(feature = "admin")]
mod problem;
#[cfg(feature = "admin")]
mod reason;
#[cfg(all(feature = "admin", feature = "text"))]
mod rooms;
#[cfg(feature = "admin")]
mod routes;
#[cfg(feature = "admin")]
mod session;
#[cfg(feature = "admin")]
mod sessions;
#[cfg(feature = "admin")]
pub(crate) mod socket;
#[cfg(not(feature = "admin"))]
pub(crate) use listener as socket;
#[cfg(feature = "admin")]
mod socket_file;
#[cfg(feature = "admin")]
mod status;
#[cfg(all(feature = "admin", feature = "text"))]
mod text_peers;

/// The routes for requests that show a token, where there is no port.
#[cfg(all(feature = "admin", any(test, fuzzing)))]
pub(crate) fn router_for(state: crate::state::ServerState, token: secret::Secret) -> axum::Router {
    let token = crate::reloadable::Reloadable::new(Some(token));
    routes::router(state, access::Access::Token(std::sync::Arc::new(token)))
}
