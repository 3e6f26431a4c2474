//! Why a request is refused before anything comes of it, as an HTTP response.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

/// Why the server does not do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("more than {limit} connections at once from this address")]
    ConnectionsPerAddress { limit: usize },
    #[error("too many new connections from this address")]
    ArrivalRate { retry_after: Duration },
    #[error("too many messages from this address")]
    MessageRate { retry_after: Duration },
    #[error("the server is full ({limit} addresses); try again later")]
    Addresses { limit: usize },
    #[error("the server is full; try again later")]
    Connections,
    #[error(
        "pages from this origin may not connect; if they shall: --allowed-origin ORIGIN (setting allowed_origins, \
         WIGWAG_ALLOWED_ORIGINS)"
    )]
    Origin,
    #[error(
        "this server is not known by the name that was asked for; if it shall be: --allowed-host NAME (setting \
         allowed_hosts, WIGWAG_ALLOWED_HOSTS), or ask for its address"
    )]
    Host,
    #[error("no access to the admin API")]
    AdminAccess,
    #[error("metrics are not for this address")]
    Metrics,
}

/// How long to wait, where that is not known.
const A_WHILE: Duration = Duration::from_secs(10);

impl Refusal {
    /// The setting that is the reason.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ConnectionsPerAddress { .. } => "max_connections_per_address",
            Self::ArrivalRate { .. } => "address_connections_per_second",
            Self::MessageRate { .. } => "address_messages_per_second",
            Self::Addresses { .. } => "max_addresses",
            Self::Connections => "max_connections",
            Self::Origin => "allowed_origins",
            Self::Host => "allowed_hosts",
            Self::AdminAccess => "admin_access",
            Self::Metrics => "metrics_from",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ArrivalRate { retry_after } | Self::MessageRate { retry_after } => {
                Some(*retry_after)
            }
            Self::ConnectionsPerAddress { .. } | Self::Addresses { .. } | Self::Connections => {
                Some(A_WHILE)
            }
            Self::Origin | Self::Host | Self::AdminAccess | Self::Metrics => None,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::ConnectionsPerAddress { .. }
            | Self::ArrivalRate { .. }
            | Self::MessageRate { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Addresses { .. } | Self::Connections => StatusCode::SERVICE_UNAVAILABLE,
            Self::Origin | Self::Host | Self::AdminAccess | Self::Metrics => StatusCode::FORBIDDEN,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(wait) = self.retry_after() {
            // In whole seconds (RFC 9110, 10.2.3); too early would be in vain.
            let seconds = wait.as_secs() + 1;
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, seconds.into());
            headers.insert(CONNECTION, axum::http::HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_try_again_is_told_when() {
        let retry_after = Duration::from_millis(1_500);
        for (refusal, status, wait) in [
            (Refusal::ConnectionsPerAddress { limit: 1 }, 429, Some("11")),
            (Refusal::ArrivalRate { retry_after }, 429, Some("2")),
            (Refusal::MessageRate { retry_after }, 429, Some("2")),
            (Refusal::Addresses { limit: 1 }, 503, Some("11")),
            (Refusal::Connections, 503, Some("11")),
            (Refusal::Origin, 403, None),
            (Refusal::Host, 403, None),
            (Refusal::Metrics, 403, None),
        ] {
            let response = refusal.into_response();
            assert_eq!(response.status(), status);
            let retry_after = response.headers().get(RETRY_AFTER);
            assert_eq!(retry_after.map(|value| value.to_str().expect("text")), wait);
        }
    }
}
