//! The signaller for the protocol of `webrtcsink`, `webrtcsrc` and `gstwebrtc-api`: JSON over WebSocket.
//!
//! One task does everything: it connects, talks until the connection ends, waits, and connects again.
//! [`Outgoing`] is all that it shares with the threads of the owner. What is said and understood is
//! decided by [`conversation::Conversation`], which does no I/O.

mod back_off;
mod config;
mod connect;
mod connection;
mod context;
mod conversation;
mod credentials;
mod event_reporter;
#[cfg(fuzzing)]
pub mod in_memory;
mod liveness;
mod outgoing;
mod registration;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::SignallerError;
use crate::signaller::{Candidate, Description, SessionId, Signaller, SignallerEvent};
use back_off::BackOff;
pub use config::{NativeConfig, NativeLimits, Role};
use connect::{Deadline, connect};
use connection::{Ended, talk};
use context::Context;
use conversation::Command;
pub use credentials::{basic_authorization, without_credentials};
use event_reporter::{EventReporter, Events};
use outgoing::Outgoing;
use target::Target;

/// A [`Signaller`] for the protocol of `webrtcsink`, `webrtcsrc` and `gstwebrtc-api`. Dropping it
/// [stops](Signaller::stop) it.
pub struct NativeSignaller {
    context: Arc<Context>,
}

impl NativeSignaller {
    /// Starts to connect, on `runtime`, and tells `events` what happens. The contract stands at the top
    /// of the crate.
    ///
    /// # Errors
    ///
    /// The configuration cannot be used: its URI, a header, the meta, or whom to trust.
    pub fn start(
        config: NativeConfig,
        runtime: &Handle,
        events: impl Fn(SignallerEvent) -> Result<(), SignallerEvent> + Send + Sync + 'static,
    ) -> Result<Self, SignallerError> {
        let target = Target::new(&config)?;
        let status = registration::status(&config.role)?;
        let limits = config.limits.reckonable();
        let context = Arc::new(Context {
            target,
            status,
            outgoing: Outgoing::new(limits.max_queued_messages),
            limits,
            stopping: CancellationToken::new(),
        });
        let task_context = Arc::clone(&context);
        runtime.spawn(async move { run(&task_context, &events).await });
        Ok(Self { context })
    }
}

impl Signaller for NativeSignaller {
    fn send_description(&self, session: &SessionId, description: Description) {
        self.context.outgoing.push(Command::Describe {
            session: session.clone(),
            description,
        });
    }

    fn send_candidate(&self, session: &SessionId, candidate: Candidate) {
        self.context.outgoing.push(Command::Candidate {
            session: session.clone(),
            candidate,
        });
    }

    fn end_session(&self, session: &SessionId, reason: Option<String>) {
        self.context.outgoing.push(Command::End {
            session: session.clone(),
            reason,
        });
    }

    fn stop(&self) {
        // In this order: whoever hears of the stop must find nothing more coming.
        self.context.outgoing.stop();
        self.context.stopping.cancel();
    }
}

impl Drop for NativeSignaller {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for NativeSignaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeSignaller")
            .field("server", &format_args!("{}", self.context.target))
            .finish_non_exhaustive()
    }
}

async fn run(context: &Context, events: &Events<'_>) {
    let reporter = EventReporter {
        events,
        stopping: &context.stopping,
    };
    match connect_for_ever(context, &reporter).await {
        Ended::Stopped => {
            tracing::info!(server = %context.target, "stopped");
            reporter.report_last(SignallerEvent::Stopped).await;
        }
        Ended::Lost(error) => {
            tracing::error!(server = %context.target, %error, "cannot work");
            context.outgoing.stop();
            reporter.report_last(SignallerEvent::Failed(error)).await;
        }
    }
}

/// Until the signaller is stopped, or the first connection cannot be made.
async fn connect_for_ever(context: &Context, reporter: &EventReporter<'_>) -> Ended {
    let limits = &context.limits;
    let mut back_off = BackOff::new(limits.back_off_min, limits.back_off_max);
    let mut ever_registered = false;
    loop {
        let mut registered_at = None;
        let ended = connect_once(context, reporter, &mut registered_at).await;
        let Ended::Lost(error) = ended else {
            return ended;
        };
        // Whoever stops it need not hear what went wrong meanwhile.
        if context.stopping.is_cancelled() {
            return Ended::Stopped;
        }
        ever_registered |= registered_at.is_some();
        if !ever_registered {
            return Ended::Lost(error);
        }
        if let Some(since) = registered_at {
            back_off.on_connection_ended(since.elapsed());
        }
        let retry_in = back_off.wait(rand::random());
        tracing::warn!(server = %context.target, %error, ?retry_in, "not connected");
        let disconnected = SignallerEvent::Disconnected {
            reason: error.to_string(),
            retry_in,
        };
        reporter.report(disconnected).await;
        if timeout(retry_in, context.stopping.cancelled())
            .await
            .is_ok()
        {
            return Ended::Stopped;
        }
    }
}

/// One connection, from the attempt to its end. `registered_at` says from when on it was of use.
async fn connect_once(
    context: &Context,
    reporter: &EventReporter<'_>,
    registered_at: &mut Option<Instant>,
) -> Ended {
    let deadline = Deadline::after(context.limits.connect_timeout);
    let socket = tokio::select! {
        () = context.stopping.cancelled() => return Ended::Stopped,
        connected = connect(&context.target, &context.limits, deadline) => match connected {
            Ok(socket) => socket,
            Err(error) => return Ended::Lost(error),
        },
    };
    // A connection ends by itself soon after the stop, unless the server does not play along.
    let out_of_time = async {
        context.stopping.cancelled().await;
        sleep(context.limits.stop_timeout).await;
    };
    tokio::select! {
        ended = talk(socket, context, reporter, deadline, registered_at) => ended,
        () = out_of_time => {
            tracing::debug!(server = %context.target, "dropped the connection");
            Ended::Stopped
        }
    }
}
