//! Who asks the admin API, for the log.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::client_address::ClientAddress;

/// The one who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// A client of the port.
    Address(IpAddr),
    /// A process that may use the socket, with its user if the system says which.
    Socket { user: Option<u32> },
    /// A request without either.
    Unknown,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket { user: Some(user) } => write!(f, "user {user} by the socket"),
            Self::Socket { user: None } => f.write_str("the socket"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if let Some(operator) = parts.extensions.get::<Self>() {
            return Ok(*operator);
        }
        let address = parts.extensions.get::<ClientAddress>();
        Ok(address.map_or(Self::Unknown, |address| Self::Address(address.0)))
    }
}
