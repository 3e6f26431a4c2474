//! Limits of connections. Those of the protocols are in [`wigwag_hub::Policy`] and
//! [`wigwag_hub::text::Policy`].

use std::time::Duration;

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, of whatever kind; more wait in the system's backlog.
    pub max_connections: usize,
    /// Bytes of one message from a client; a larger one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// Bytes that may wait for one peer that does not read; more close it with 1008.
    pub max_queued_bytes: usize,
    /// Messages that may wait for one peer that does not read; more close it with 1008.
    pub max_queued_messages: usize,
    /// For the TLS handshake, and again for the head of the HTTP request.
    pub handshake_timeout: Duration,
    /// How long a client of the text protocol has to say HELLO; one that takes longer is closed with 1008.
    pub hello_timeout: Duration,
    /// A peer that was silent for this long is pinged.
    pub ping_interval: Duration,
    /// A peer that stays silent for this long after a ping is closed with 1008.
    pub pong_timeout: Duration,
    /// How long a peer has to read the reason why it is closed.
    pub close_timeout: Duration,
    /// How long a server that stops waits for its connections.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 70_000,
            max_message_bytes: 1024 * 1024,
            max_queued_bytes: 4 * 1024 * 1024,
            max_queued_messages: 4_096,
            handshake_timeout: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(30),
            // Both original servers ping after the same time.
            ping_interval: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}
