//! Why a signaller does not work, or lost its connection.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a signaller does not work, or lost its connection: whose fault it is and what to do.
///
/// No text holds what may be secret: the query of a URI, the value of a header.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignallerError {
    /// The configured URI is none, or of the wrong kind.
    #[error("the signaller's URI cannot be used: {reason}; write it like ws://127.0.0.1:8443")]
    InvalidUri {
        /// What is wrong.
        reason: String,
    },
    /// A configured header cannot be sent.
    #[error("the HTTP header \"{name}\" cannot be sent: {reason}")]
    InvalidHeader {
        /// The header's name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The configured meta cannot be sent.
    #[error("the meta cannot be sent: {reason}")]
    InvalidMeta {
        /// What is wrong.
        reason: String,
    },
    /// The configured file of authorities cannot be used.
    #[error("no certificates of authorities can be read from {path}: {reason}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system has no authorities to verify a server with.
    #[error(
        "the system's certificate authorities cannot be used: {reason}; \
         install them, or name a file with yours (cafile)"
    )]
    SystemAuthorities {
        /// What the system says.
        reason: String,
    },
    /// The server's name has no address.
    #[error("cannot find an address for {host}: {source}; check the name")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {source}; check that a signalling server runs there")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server did not do its part in time.
    #[error("no {awaited} from {address} within {} s", .waited.as_secs_f32())]
    TimedOut {
        /// Host and port.
        address: String,
        /// What was awaited of it.
        awaited: &'static str,
        /// How long everything together was given.
        waited: Duration,
    },
    /// The server's certificate was refused.
    #[error("the certificate of {address} was refused: {reason}")]
    Certificate {
        /// Host and port.
        address: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// There is no TLS to be had with the server.
    #[error("no TLS with {address}: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The server answered the request for a WebSocket with an HTTP status.
    #[error("{address} answered HTTP {status}: {}", advice(*.status))]
    Http {
        /// Host and port.
        address: String,
        /// The status (RFC 9110, section 15).
        status: u16,
    },
    /// What answers is no WebSocket server.
    #[error("{address} does not answer like a WebSocket server: {reason}")]
    NotWebSocket {
        /// Host and port.
        address: String,
        /// In which way.
        reason: String,
    },
    /// The server does not take us as what we want to be.
    #[error("the server refused the registration: {details}")]
    Refused {
        /// What it says, for people to read.
        details: String,
    },
    /// The server closed the connection.
    #[error("the server closed the connection: {reason}")]
    Closed {
        /// The close code (RFC 6455, section 7.4.1), if it gave one.
        code: Option<u16>,
        /// The server's reason, for people to read.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection to the server broke: {reason}")]
    Lost {
        /// In which way.
        reason: String,
    },
    /// The server is not heard of any more.
    #[error("the server did not answer a ping for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// A message of the server was too large; the connection was given up.
    #[error("the server sent a message of more than {limit} bytes")]
    MessageTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The server reads slower than messages come; the connection was given up.
    #[error("the server does not read: {queued} messages were waiting")]
    QueueFull {
        /// How many waited.
        queued: usize,
    },
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "it wants credentials, or others; give them as a header",
        404 | 405 | 426 => "no signalling at this path; check the URI",
        300..=399 => "it is elsewhere, and redirects are not followed; check the URI",
        500..=599 => "the server or a proxy in front of it is in trouble",
        _ => "it gives no WebSocket; check the URI",
    }
}
