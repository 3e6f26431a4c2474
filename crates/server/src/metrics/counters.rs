//! The counters.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Why WebSocket connections end: the names of [`CloseReason`](crate::close_reason::CloseReason), and
/// [`BY_PEER`].
pub(crate) const CLOSE_REASONS: &[&str] = &[
    BY_PEER,
    "shutdown",
    "partner_left",
    "removed",
    "max_message_bytes",
    "max_queued_bytes",
    "max_queued_messages",
    "max_held_bytes",
    "exceeds_reader",
    "peer_messages_per_second",
    "address_messages_per_second",
    "pong_timeout",
    "hello_timeout",
    "max_peers",
    "max_peers_per_address",
    "max_sessions_per_caller",
    "max_meta_bytes",
    "max_id_bytes",
    "invalid_protocol",
    "invalid_peer_id",
    OTHER,
];

/// Why requests and connections are refused before there is a WebSocket: the names of
/// [`Refusal`](crate::refusal::Refusal), and what happens without an answer.
pub(crate) const REFUSAL_REASONS: &[&str] = &[
    "max_connections_per_address",
    "address_connections_per_second",
    "address_messages_per_second",
    "max_addresses",
    "max_connections",
    "allowed_origins",
    "allowed_hosts",
    "admin_access",
    "metrics_from",
    HANDSHAKE_TIMEOUT,
    OTHER,
];

/// Why accepting fails or waits.
pub(crate) const ACCEPT_REASONS: &[&str] = &[DESCRIPTORS, OTHER];

/// The client left, or its connection broke.
pub(crate) const BY_PEER: &str = "by_peer";
pub(crate) const HANDSHAKE_TIMEOUT: &str = "handshake_timeout";
const DESCRIPTORS: &str = "descriptors";
/// A name that is missing above.
const OTHER: &str = "other";

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One counter for each of some names.
#[derive(Debug)]
pub(crate) struct ByReason {
    names: &'static [&'static str],
    counters: Box<[Counter]>,
}

impl ByReason {
    fn new(names: &'static [&'static str]) -> Self {
        Self {
            names,
            counters: names.iter().map(|_| Counter::default()).collect(),
        }
    }

    pub(crate) fn count(&self, name: &str) {
        let place = self.names.iter().position(|known| *known == name);
        // The last is for those that were forgotten.
        let place = place.unwrap_or(self.names.len() - 1);
        self.counters[place].add(1);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counters.iter().map(Counter::get);
        self.names.iter().copied().zip(counts)
    }
}

/// The largest number so far.
#[derive(Debug, Default)]
pub(crate) struct HighWater(AtomicUsize);

impl HighWater {
    pub(crate) fn rise_to(&self, level: usize) {
        // Most are not the largest, and reading does not disturb the other processors.
        if level > self.0.load(Ordering::Relaxed) {
            self.0.fetch_max(level, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// All that a server counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: SystemTime,
    /// The same by a clock that nobody sets.
    runs_since: Instant,
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: ByReason,
    /// How often the next connection had to wait for a place.
    pub(crate) accept_waits: Counter,
    pub(crate) refused: ByReason,
    /// Of these, who was not even answered.
    pub(crate) unanswered: Counter,
    pub(crate) close_timeouts: Counter,
    pub(crate) queue_messages: HighWater,
    pub(crate) queue_bytes: HighWater,
    json: ProtocolMetrics,
    text: ProtocolMetrics,
}

/// What is counted for each protocol.
#[derive(Debug)]
pub(crate) struct ProtocolMetrics {
    pub(crate) connected: Counter,
    pub(crate) messages_received: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) messages_sent: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) malformed: Counter,
    pub(crate) closed: ByReason,
}

/// The two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Text,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Json, Self::Text];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            started: SystemTime::now(),
            runs_since: Instant::now(),
            accepted: Counter::default(),
            accept_errors: ByReason::new(ACCEPT_REASONS),
            accept_waits: Counter::default(),
            refused: ByReason::new(REFUSAL_REASONS),
            unanswered: Counter::default(),
            close_timeouts: Counter::default(),
            queue_messages: HighWater::default(),
            queue_bytes: HighWater::default(),
            json: ProtocolMetrics::new(),
            text: ProtocolMetrics::new(),
        }
    }

    pub(crate) fn of(&self, protocol: Protocol) -> &ProtocolMetrics {
        match protocol {
            Protocol::Json => &self.json,
            Protocol::Text => &self.text,
        }
    }

    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.runs_since.elapsed()
    }

    pub(crate) fn count_accept_error(&self, error: &io::Error) {
        // EMFILE and ENFILE have these numbers on every Unix.
        let reason = match error.raw_os_error() {
            Some(23 | 24) => DESCRIPTORS,
            _ => OTHER,
        };
        self.accept_errors.count(reason);
    }
}

impl ProtocolMetrics {
    fn new() -> Self {
        Self {
            connected: Counter::default(),
            messages_received: Counter::default(),
            bytes_received: Counter::default(),
            messages_sent: Counter::default(),
            bytes_sent: Counter::default(),
            malformed: Counter::default(),
            closed: ByReason::new(CLOSE_REASONS),
        }
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.messages_received.add(1);
        self.bytes_received.add(bytes);
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        self.messages_sent.add(1);
        self.bytes_sent.add(bytes);
    }
}
