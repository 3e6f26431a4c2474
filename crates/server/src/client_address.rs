//! The address of the client that makes a request, for routes of others.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

/// The address of the client behind a request: its own, also where a trusted proxy stands between. An extractor for the
/// routes of [`Server::with_routes`](crate::Server::with_routes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let address = parts.extensions.get::<Self>().copied();
        address.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
