//! The right to use the admin API.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::secret::Secret;
use crate::admission::Client;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::reloadable::Reloadable;

/// What a request needs.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// A host that is this machine. Without a token only programs here can ask; but a page in a browser here
    /// could too, if the name of its site led to this machine for a moment (DNS rebinding).
    Host,
    /// The token, which can be replaced; the host may be any.
    Token(Arc<Reloadable<Option<Secret>>>),
    /// None: who reaches the socket may use it.
    Socket,
}

/// The access that requests need, and the counters of those that lack it.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) access: Arc<Access>,
    /// Those of the server: what happens on the port of the admin API is in no others.
    pub(super) metrics: Arc<Metrics>,
}

/// Refuses requests without access, counts and logs them.
pub(super) async fn check(
    State(checked): State<Checked>,
    request: Request,
    next: Next,
) -> Response {
    match checked.access.allow(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let refusal = Refusal::AdminAccess;
            checked.metrics.refused.count(refusal.name());
            if let Some(client) = request.extensions().get::<Client>() {
                client.refuse(refusal, request.headers());
            }
            problem.into_response()
        }
    }
}

impl Access {
    fn allow(&self, request: &Request) -> Result<(), Problem> {
        match self {
            Self::Host if names_this_machine(request) => Ok(()),
            Self::Host => Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "without a token only localhost and addresses of the loopback interface may be asked",
            )),
            Self::Socket => Ok(()),
            Self::Token(secret) => match token(request) {
                Some(token)
                    if secret
                        .now()
                        .as_ref()
                        .as_ref()
                        .is_some_and(|secret| secret.is(token)) =>
                {
                    Ok(())
                }
                Some(_) => Err(Problem::unauthorized(
                    "this is not the token",
                    r#"Bearer realm="admin", error="invalid_token""#,
                )),
                None => Err(Problem::unauthorized(
                    "show the token (Authorization: Bearer …)",
                    r#"Bearer realm="admin""#,
                )),
            },
        }
    }
}

/// The token that a request shows; its scheme may be written in any case (RFC 9110, 11.1).
fn token(request: &Request) -> Option<&[u8]> {
    let mut shown = request.headers().get_all(AUTHORIZATION).iter();
    let value = shown.next().filter(|_| shown.next().is_none())?;
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

fn names_this_machine(request: &Request) -> bool {
    let mut named = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return false;
    };
    let header = host.to_str().ok().and_then(|host| host.parse().ok());
    // A request may hold the whole address in its first line; then both have to be right.
    header.as_ref().is_some_and(is_this_machine)
        && request.uri().authority().is_none_or(is_this_machine)
}

fn is_this_machine(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    };
    match address {
        Some(address) => address.to_canonical().is_loopback(),
        None => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asks(access: &Access, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let refused = access.allow(&request).err()?;
        Some(refused.into_response().status())
    }

    #[test]
    fn request_without_token_refused_for_other_hosts() {
        for host in [
            "localhost",
            "LOCALHOST:8445",
            "127.0.0.1:1",
            "127.1.2.3",
            "[::1]:8445",
        ] {
            assert_eq!(asks(&Access::Host, &[("host", host)]), None, "{host}");
        }
        let misdirected = Some(StatusCode::MISDIRECTED_REQUEST);
        for host in [
            "rebound.example",
            "localhost.example",
            "127.0.0.1.example:8445",
            "192.0.2.1",
            "[2001:db8::1]",
            "localhost@rebound.example",
            "",
        ] {
            assert_eq!(
                asks(&Access::Host, &[("host", host)]),
                misdirected,
                "{host}"
            );
        }
        assert_eq!(asks(&Access::Host, &[]), misdirected);
        let two = [("host", "localhost"), ("host", "rebound.example")];
        assert_eq!(asks(&Access::Host, &two), misdirected);
    }

    #[test]
    fn request_with_wrong_or_repeated_token_refused() {
        let secret = Secret::new("correct-horse-battery").expect("a good one");
        let access = Access::Token(Arc::new(Reloadable::new(Some(secret))));
        for shown in [
            "Bearer correct-horse-battery",
            "bearer  correct-horse-battery",
        ] {
            let headers = [("host", "any.example"), ("authorization", shown)];
            assert_eq!(asks(&access, &headers), None, "{shown}");
        }
        let unauthorized = Some(StatusCode::UNAUTHORIZED);
        for shown in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer correct-horse",
            "Basic correct-horse-battery",
        ] {
            assert_eq!(
                asks(&access, &[("authorization", shown)]),
                unauthorized,
                "{shown}"
            );
        }
        let right = ("authorization", "Bearer correct-horse-battery");
        assert_eq!(asks(&access, &[right, right]), unauthorized);
        assert_eq!(asks(&access, &[("host", "localhost")]), unauthorized);
    }
}
