//! A connection without ports, for the fuzzer: its stream is in memory.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::config::NativeConfig;
use super::connect::{ByteStream, Deadline, websocket_config};
use super::connection::{Ended, talk};
use super::context::Context;
use super::event_reporter::EventReporter;
use super::outgoing::Outgoing;
use super::registration;
use super::target::Target;
use crate::error::SignallerError;
use crate::signaller::SignallerEvent;

/// Talks over a connection whose upgrade is done, until it ends; returns why.
///
/// # Errors
///
/// The configuration cannot be used.
pub async fn talk_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    config: NativeConfig,
    events: impl Fn(SignallerEvent) -> Result<(), SignallerEvent> + Send + Sync,
) -> Result<Option<SignallerError>, SignallerError> {
    let target = Target::new(&config)?;
    let status = registration::status(&config.role)?;
    let limits = config.limits.reckonable();
    let websocket = websocket_config(&limits);
    let deadline = Deadline::after(limits.connect_timeout);
    let context = Arc::new(Context {
        target,
        status,
        outgoing: Outgoing::new(limits.max_queued_messages),
        limits,
        stopping: CancellationToken::new(),
    });
    let reporter = EventReporter {
        events: &events,
        stopping: &context.stopping,
    };
    let stream: Box<dyn ByteStream> = Box::new(stream);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(websocket)).await;
    let mut registered_at = None;
    let ended = talk(socket, &context, &reporter, deadline, &mut registered_at).await;
    Ok(match ended {
        Ended::Stopped => None,
        Ended::Lost(error) => Some(error),
    })
}
