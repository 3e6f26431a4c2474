//! What an operator gives as the reason of an end.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use super::problem::Problem;

/// Bytes of a body; the longest reason takes a quarter of it, however it is written.
const MAX_BODY_BYTES: usize = 4096;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Characters of a reason: in a close frame there is room for 123 bytes (RFC 6455, 5.5).
const MAX_CHARACTERS: usize = 120;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default, deserialize_with = "text")]
    reason: Option<String>,
}

/// A text; null is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The reason in the body of a request, if it has one.
pub(super) async fn read(request: Request) -> Result<Option<String>, Problem> {
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| is_json(value.as_bytes()));
    let body = bytes(request.into_body()).await?;
    if body.is_empty() {
        return Ok(None);
    }
    if !is_json {
        let detail = "a reason is sent as application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let told: Told = serde_json::from_slice(&body).map_err(|error| {
        let status = if error.is_data() {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::BAD_REQUEST
        };
        Problem::new(
            status,
            format!("the body is like {{\"reason\": \"too loud\"}}: {error}"),
        )
    })?;
    // An array would be read, too, as the members in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        let detail = "the body is an object";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    if told
        .reason
        .as_deref()
        .is_some_and(|reason| !may_be_told(reason))
    {
        let detail =
            format!("a reason has 1 to {MAX_CHARACTERS} characters, and no control characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(told.reason)
}

async fn bytes(body: Body) -> Result<Vec<u8>, Problem> {
    let whole = timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
    match whole.map_err(late)? {
        Ok(whole) => Ok(whole.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has {MAX_BODY_BYTES} bytes at the most"),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body was not sent to its end",
        )),
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next();
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

fn may_be_told(reason: &str) -> bool {
    (1..=MAX_CHARACTERS).contains(&reason.chars().count()) && !reason.contains(char::is_control)
}
