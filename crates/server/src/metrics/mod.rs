//! What the server counts, and how it is told to Prometheus.
//!
//! Counters are atomic numbers that anyone may add to at any time; nothing per message takes a lock or
//! memory. What there is at the moment (peers, sessions, …) is asked for when somebody looks. Labels have
//! few values, all of them known in advance, so that no client can make the answer longer.

mod counters;
mod exposition;
mod routes;

use std::sync::Arc;

use crate::http::Shared;

#[cfg(test)]
pub(crate) use counters::CLOSE_REASONS;
pub(crate) use counters::{BY_PEER, HANDSHAKE_TIMEOUT, Metrics, Protocol, ProtocolMetrics};
pub(crate) use exposition::{JsonSnapshot, Snapshot, TextSnapshot, TlsSnapshot};
pub(crate) use routes::router;

/// All metrics as text, with what there is now.
pub(crate) fn exposition(shared: &Shared) -> String {
    exposition::exposition(Arc::clone(&shared.metrics), shared.snapshot())
}
