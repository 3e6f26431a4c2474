//! Whether newcomers should be sent here: `/readyz`. That the process lives is another question, which
//! `/healthz` answers: a server that is full or stopping must not be restarted for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::http::Shared;

/// Whether a server is about to stop.
#[derive(Debug, Default)]
pub(crate) struct Stopping(AtomicBool);

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why newcomers should go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotReady {
    Stopping,
    /// By the limit that is reached.
    Full(&'static str),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("stopping"),
            Self::Full(limit) => write!(f, "full: {limit} is reached"),
        }
    }
}

/// The answer of `/readyz`.
pub(crate) async fn answer(State(shared): State<Shared>) -> Response {
    match why_not(&shared) {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

fn why_not(shared: &Shared) -> Option<NotReady> {
    if shared.stopping.has_begun() {
        Some(NotReady::Stopping)
    } else if shared.places.are_taken() {
        Some(NotReady::Full("limits.max_connections"))
    } else if shared.switchboard.is_full() {
        Some(NotReady::Full("limits.max_peers"))
    } else if shared.text_switchboard.is_full() {
        Some(NotReady::Full("text_limits.max_peers"))
    } else {
        None
    }
}
