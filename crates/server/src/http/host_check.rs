//! Answers for browsers only by names that the server is known to have.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::admission::Client;
use crate::refusal::Refusal;
use crate::websocket_request::asks_for_websocket;

/// Refuses requests for other names; a WebSocket is admitted by its origin.
pub(crate) async fn check_host(request: Request, next: Next) -> Response {
    let refused = (!asks_for_websocket(request.headers())).then(|| host_refused(&request));
    match refused.flatten() {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

/// The answer to a request for a name that is not known, which it is counted as.
pub(super) fn host_refused(request: &Request) -> Option<Response> {
    let headers = request.headers();
    let Some(client) = request.extensions().get::<Client>() else {
        // The client is not known.
        return Some(Refusal::Host.into_response());
    };
    let refusal = client.check_host(headers).err()?;
    Some(client.refuse(refusal, headers).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn request_of_an_unknown_client_refused() {
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let refused = host_refused(&request).expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}
