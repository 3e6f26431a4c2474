//! What makes an HTTP request a WebSocket handshake (RFC 6455, 4.2.1).

use axum::http::HeaderMap;
use axum::http::header::UPGRADE;

/// Whether a request asks to become a WebSocket.
pub(crate) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
