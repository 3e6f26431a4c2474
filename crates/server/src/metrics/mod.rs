//! All that the server counts, and its text for Prometheus.
//!
//! Counters are atomic numbers that any thread may add to at any time; nothing per message takes a lock or
//! memory. What there is at the moment (peers, sessions, …) is looked at when somebody asks. Labels have
//! few values, all of them known in advance, so that no client can make the answer longer.

mod counters;
#[cfg(feature = "metrics")]
mod exposition;
mod snapshot;

#[cfg(test)]
pub(crate) use counters::CLOSE_REASONS;
pub(crate) use counters::{BY_PEER, HANDSHAKE_TIMEOUT, Metrics, Protocol, ProtocolMetrics};
#[cfg(feature = "metrics")]
pub(crate) use exposition::exposition;
pub(crate) use snapshot::{JsonSnapshot, Snapshot, TextSnapshot, TlsSnapshot};
