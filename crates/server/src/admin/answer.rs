//! Answers of the admin API.

use std::time::SystemTime;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The headers of every answer: it is of this moment, and of no other type than it says.
pub(super) const HEADERS: [(HeaderName, &str); 2] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

pub(super) fn json(content: &impl Serialize) -> Response {
    let text = serde_json::to_string(content)
        .expect("numbers, texts and JSON that was read can always be written");
    json_text(text)
}

pub(super) fn json_text(text: impl IntoResponse) -> Response {
    (HEADERS, [(CONTENT_TYPE, "application/json")], text).into_response()
}

pub(super) fn no_content() -> Response {
    (StatusCode::NO_CONTENT, HEADERS).into_response()
}

/// A moment as texts of the Internet have it (RFC 3339), to the second.
pub(super) fn moment(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
