//! What a native signaller is told at its start.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::meta::MetaValue;

/// How to run a [`NativeSignaller`](crate::NativeSignaller).
#[derive(Clone)]
pub struct NativeConfig {
    /// The server: `ws://` or `wss://`, host, port if it is not 80 or 443, and any path and query. `user:password@` before the
    /// host, with escapes, becomes an `Authorization` header (RFC 7617) unless there is one.
    pub uri: String,
    /// Headers of the request for the WebSocket, by name and value, such as `Authorization`. `Host`
    /// takes the place of the one from the URI.
    pub headers: Vec<(String, String)>,
    /// PEM file with the authorities that a `wss` server is verified against, in place of the system's.
    /// It may hold the server's own certificate.
    pub cafile: Option<PathBuf>,
    /// Does not verify a `wss` server at all: whoever stands in between can read and change everything.
    pub insecure_tls: bool,
    /// What we are to the other peers.
    pub role: Role,
    /// What the signaller may cost, and how long it waits.
    pub limits: NativeLimits,
}

impl NativeConfig {
    /// No headers, the system's authorities, the limits as they are by default.
    pub fn new(uri: impl Into<String>, role: Role) -> Self {
        Self {
            uri: uri.into(),
            headers: Vec::new(),
            cafile: None,
            insecure_tls: false,
            role,
            limits: NativeLimits::default(),
        }
    }
}

/// Without what may be secret: the URI and the values of headers.
impl fmt::Debug for NativeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("NativeConfig")
            .field("headers", &names)
            .field("cafile", &self.cafile)
            .field("insecure_tls", &self.insecure_tls)
            .field("role", &self.role)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What we are to the other peers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// Has media to send; is listed, and may be called.
    Producer {
        /// What it says of itself. GStreamer peers read only a map.
        meta: MetaValue,
    },
}

/// What a native signaller may cost, and how long it waits.
#[derive(Clone, Debug)]
pub struct NativeLimits {
    /// From the beginning of an attempt to connect until the server has registered us. The reference
    /// waits as long.
    pub connect_timeout: Duration,
    /// From [`stop`](crate::Signaller::stop) until the connection is dropped, whatever still waits.
    pub stop_timeout: Duration,
    /// The first wait before another attempt to connect; each further one is twice as long.
    pub back_off_min: Duration,
    /// The longest wait before another attempt. A connection that lasted as long was a good one, after
    /// which waits are short again.
    pub back_off_max: Duration,
    /// A server that was silent for this long is pinged. Servers ping after 30 s themselves.
    pub ping_interval: Duration,
    /// A server that stays silent for this long after a ping is given up.
    pub pong_timeout: Duration,
    /// Messages that may wait for a server that does not read; more end the connection.
    pub max_queued_messages: usize,
    /// Bytes of one message from the server; a larger one ends the connection. Our server passes on
    /// messages of 1 MiB, to which it adds a little: no peer must be able to send one that is too large.
    pub max_message_bytes: usize,
    /// Sessions alive at once; requests for more are turned down.
    pub max_sessions: usize,
}

/// Longer waits are as good as this one, and could not be added to the time of today.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl NativeLimits {
    /// With waits that can be reckoned with.
    pub(crate) fn reckonable(self) -> Self {
        Self {
            connect_timeout: self.connect_timeout.min(LONGEST_WAIT),
            stop_timeout: self.stop_timeout.min(LONGEST_WAIT),
            back_off_min: self.back_off_min.min(LONGEST_WAIT),
            back_off_max: self.back_off_max.min(LONGEST_WAIT),
            ping_interval: self.ping_interval.min(LONGEST_WAIT),
            pong_timeout: self.pong_timeout.min(LONGEST_WAIT),
            ..self
        }
    }
}

impl Default for NativeLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(1),
            back_off_min: Duration::from_millis(500),
            back_off_max: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(15),
            max_queued_messages: 1_000,
            max_message_bytes: 2 * 1024 * 1024,
            max_sessions: 10_000,
        }
    }
}
