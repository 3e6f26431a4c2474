//! How events reach the owner.

use tokio_util::sync::CancellationToken;

use crate::signaller::SignallerEvent;

/// The way of events to the owner, closed once it has stopped the signaller.
pub(super) struct EventReporter<'a> {
    pub(super) events: &'a (dyn Fn(SignallerEvent) + Send + Sync),
    pub(super) stopping: &'a CancellationToken,
}

impl EventReporter<'_> {
    pub(super) fn report(&self, event: SignallerEvent) {
        if !self.stopping.is_cancelled() {
            (self.events)(event);
        }
    }
}
