//! From an address to an open WebSocket.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::config::NativeLimits;
use super::target::{Target, Tls};
use crate::error::SignallerError;
use crate::trust::refusal;

/// What is read at once. Most messages fit; longer ones get their room when they come.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// What is written at once at the most, if many short messages wait.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// TCP, or TLS over it.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

pub(crate) type Socket = WebSocketStream<Box<dyn ByteStream>>;

/// When all must be done, and how long that was to take, for those who read of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) given: Duration,
}

impl Deadline {
    pub(crate) fn after(given: Duration) -> Self {
        Self {
            at: Instant::now() + given,
            given,
        }
    }

    pub(crate) fn missed(self, target: &Target, awaited: &'static str) -> SignallerError {
        SignallerError::TimedOut {
            address: target.to_string(),
            awaited,
            waited: self.given,
        }
    }
}

/// Opens a WebSocket.
pub(crate) async fn connect(
    target: &Target,
    limits: &NativeLimits,
    deadline: Deadline,
) -> Result<Socket, SignallerError> {
    let tcp = connect_tcp(target, deadline).await?;
    // Messages are short and people wait for them.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    let stream: Box<dyn ByteStream> = match &target.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let stream = timeout_at(deadline.at, connect_tls(tcp, tls, target)).await;
            Box::new(stream.map_err(|_| deadline.missed(target, "TLS handshake"))??)
        }
    };
    let config = websocket_config(limits);
    let upgrade = client_async_with_config(target.request()?, stream, Some(config));
    let (socket, _) = timeout_at(deadline.at, upgrade)
        .await
        .map_err(|_| deadline.missed(target, "WebSocket"))?
        .map_err(|error| upgrade_error(target, &error))?;
    Ok(socket)
}

/// What the WebSocket may hold.
pub(crate) fn websocket_config(limits: &NativeLimits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(Some(limits.max_message_bytes))
        .max_message_size(Some(limits.max_message_bytes))
}

/// Tries the addresses one after the other; each is given its share of the time that is left, so that
/// one that does not answer does not take that of the others.
async fn connect_tcp(target: &Target, deadline: Deadline) -> Result<TcpStream, SignallerError> {
    let resolve_error = |source| SignallerError::Resolve {
        host: target.host.clone(),
        source,
    };
    let lookup = lookup_host((target.host.as_str(), target.port));
    let addresses: Vec<_> = timeout_at(deadline.at, lookup)
        .await
        .map_err(|_| resolve_error(io::ErrorKind::TimedOut.into()))?
        .map_err(resolve_error)?
        .collect();
    let mut last_error = resolve_error(io::ErrorKind::NotFound.into());
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = deadline.at.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => {
                last_error = SignallerError::Connect {
                    address: target.to_string(),
                    source,
                };
            }
            Err(_) => last_error = deadline.missed(target, "connection"),
        }
    }
    Err(last_error)
}

async fn connect_tls(
    stream: TcpStream,
    tls: &Tls,
    target: &Target,
) -> Result<impl ByteStream + 'static, SignallerError> {
    TlsConnector::from(tls.config.clone())
        .connect(tls.name.clone(), stream)
        .await
        .map_err(|error| tls_error(target, &error))
}

fn tls_error(target: &Target, error: &io::Error) -> SignallerError {
    let address = target.to_string();
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(error)) => SignallerError::Certificate {
            address,
            reason: refusal(error),
        },
        Some(rustls::Error::InvalidMessage(_)) => SignallerError::Tls {
            address,
            reason: "what answers does not speak TLS; is it ws:// instead of wss://?".to_owned(),
        },
        Some(error) => SignallerError::Tls {
            address,
            reason: error.to_string(),
        },
        None => SignallerError::Tls {
            address,
            reason: format!("{error}; is it ws:// instead of wss://?"),
        },
    }
}

fn upgrade_error(target: &Target, error: &Error) -> SignallerError {
    let address = target.to_string();
    if let Error::Http(response) = error {
        let status = response.status().as_u16();
        return SignallerError::Http { address, status };
    }
    let hint = if target.tls.is_none() {
        "; is it wss:// instead of ws://?"
    } else {
        ""
    };
    SignallerError::NotWebSocket {
        address,
        reason: format!("{error}{hint}"),
    }
}
