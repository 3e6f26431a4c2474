//! The reason that an operator gives for an end.

use std::error::Error;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use tower_http::timeout::{RequestBodyDeadlineLayer, TimeoutError};

use super::problem::Problem;

/// Bytes of a body; the longest reason takes a quarter of it, however it is written.
const MAX_BODY_BYTES: usize = 4096;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Characters of a reason: in a close frame there is room for 123 bytes (RFC 6455, 5.5).
const MAX_CHARACTERS: usize = 120;

/// The reason in the body of a request, if it has one: an extractor, for routes that are [`limited`].
pub(super) struct Reason(pub(super) Option<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "text")]
    reason: Option<String>,
}

/// A text; null is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Limits the bodies of requests in their length and in the time that they take.
pub(super) fn limited<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyDeadlineLayer::new(BODY_TIMEOUT))
}

impl<S: Send + Sync> FromRequest<S> for Reason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let is_json = content_type.is_some_and(|value| is_json(value.as_bytes()));
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| incomplete(&error))?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            let detail = "a reason is sent as application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let document = Json::<Document>::from_bytes(&body);
        let Json(Document { reason }) = document.map_err(|error| unreadable(&error))?;
        // An array would be read, too, as the members in their order.
        if !body.trim_ascii_start().starts_with(b"{") {
            let detail = "the body must be an object";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        if reason.as_deref().is_some_and(|reason| !is_valid(reason)) {
            let detail =
                format!("a reason has 1 to {MAX_CHARACTERS} characters, and no control characters");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        Ok(Self(reason))
    }
}

fn incomplete(error: &BytesRejection) -> Problem {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "the body timed out");
        }
        cause = error.source();
    }
    match error.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            status,
            format!("the body exceeds the limit of {MAX_BODY_BYTES} bytes"),
        ),
        status => Problem::new(status, "the body was not sent to its end"),
    }
}

fn unreadable(error: &JsonRejection) -> Problem {
    let detail = format!(
        "the body must be like {{\"reason\": \"too loud\"}}: {}",
        error.body_text()
    );
    Problem::new(error.status(), detail)
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next();
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

fn is_valid(reason: &str) -> bool {
    (1..=MAX_CHARACTERS).contains(&reason.chars().count()) && !reason.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::Method;
    use axum::routing::delete;
    use futures_util::stream;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn body_that_does_not_end_timed_out() {
        let answer = delete(async |reason: Reason| reason.0.unwrap_or_default());
        let routes: Router = limited(Router::new().route("/", answer));
        let first = stream::once(async { Ok::<_, Infallible>("{") });
        let endless = Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()));
        let request = Request::builder().method(Method::DELETE).uri("/");
        let request = request.body(endless).expect("a request");
        let answer = routes.oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
