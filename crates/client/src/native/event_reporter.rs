//! How events reach the owner.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::signaller::SignallerEvent;

/// Takes an event, or returns it if there is no room for it now.
pub(super) type Events<'a> =
    dyn Fn(SignallerEvent) -> Result<(), SignallerEvent> + Send + Sync + 'a;

/// When an event that found no room is offered again.
const RETRY: Duration = Duration::from_millis(10);

/// How long the last event of a signaller is offered.
const LAST_EVENT_TIMEOUT: Duration = Duration::from_secs(1);

/// The way of events to the owner, closed once it has stopped the signaller.
pub(super) struct EventReporter<'a> {
    pub(super) events: &'a Events<'a>,
    pub(super) stopping: &'a CancellationToken,
}

impl EventReporter<'_> {
    /// Reports an event, and waits until there is room for it: nothing more is read from the server meanwhile. True if it
    /// waited.
    pub(super) async fn report(&self, event: SignallerEvent) -> bool {
        let mut event = event;
        let mut waited = false;
        while !self.stopping.is_cancelled() {
            let Err(refused) = (self.events)(event) else {
                break;
            };
            event = refused;
            waited = true;
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = sleep(RETRY) => {}
            }
        }
        waited
    }

    /// Reports the last event, also of a signaller that was stopped.
    pub(super) async fn report_last(&self, event: SignallerEvent) {
        let until = Instant::now() + LAST_EVENT_TIMEOUT;
        let mut event = event;
        while let Err(refused) = (self.events)(event) {
            if Instant::now() >= until {
                return tracing::warn!("nobody takes the last event of a signaller");
            }
            event = refused;
            sleep(RETRY).await;
        }
    }
}
