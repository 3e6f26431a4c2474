//! The numbers of what there is at one moment.

use std::time::SystemTime;

/// What there is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) connections: usize,
    pub(crate) addresses: usize,
    pub(crate) held_bytes: usize,
    pub(crate) json: JsonSnapshot,
    pub(crate) text: TextSnapshot,
    /// None in plain text.
    pub(crate) tls: Option<TlsSnapshot>,
}

/// Of the JSON protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonSnapshot {
    pub(crate) peers: usize,
    pub(crate) producers: usize,
    pub(crate) consumers: usize,
    pub(crate) listeners: usize,
    pub(crate) sessions: usize,
    pub(crate) meta_bytes: usize,
}

/// Of the text protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextSnapshot {
    pub(crate) peers: usize,
    pub(crate) sessions: usize,
    pub(crate) rooms: usize,
}

/// Of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSnapshot {
    pub(crate) handshakes_failed: u64,
    /// None while there is no certificate yet.
    pub(crate) certificate_expires: Option<SystemTime>,
}
