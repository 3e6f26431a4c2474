//! The state of the server in numbers.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::answer::{json, moment};
use crate::metrics::Protocol;
use crate::state::ServerState;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    started_at: String,
    uptime_seconds: f64,
    json: JsonCounts,
    text: TextCounts,
    messages_received: u64,
    messages_sent: u64,
}

#[derive(Serialize)]
struct JsonCounts {
    peers: usize,
    producers: usize,
    consumers: usize,
    listeners: usize,
    sessions: usize,
}

#[derive(Serialize)]
struct TextCounts {
    peers: usize,
    sessions: usize,
    rooms: usize,
}

pub(super) async fn status(State(state): State<ServerState>) -> Response {
    let now = state.snapshot();
    let metrics = &state.metrics;
    let protocols = Protocol::ALL.map(|protocol| metrics.of(protocol));
    json(&Status {
        version: env!("CARGO_PKG_VERSION"),
        started_at: moment(metrics.started()),
        uptime_seconds: metrics.uptime().as_secs_f64(),
        json: JsonCounts {
            peers: now.json.peers,
            producers: now.json.producers,
            consumers: now.json.consumers,
            listeners: now.json.listeners,
            sessions: now.json.sessions,
        },
        text: TextCounts {
            peers: now.text.peers,
            sessions: now.text.sessions,
            rooms: now.text.rooms,
        },
        messages_received: protocols.iter().map(|of| of.messages_received.get()).sum(),
        messages_sent: protocols.iter().map(|of| of.messages_sent.get()).sum(),
    })
}
