//! Settings that can be replaced while a server runs.

use std::sync::{Arc, PoisonError, RwLock};

/// The settings in force. A reader keeps what it got: a change costs messages nothing.
#[derive(Debug)]
pub(crate) struct Reloadable<T>(RwLock<Arc<T>>);

impl<T> Reloadable<T> {
    pub(crate) fn new(settings: T) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// The settings in force now.
    pub(crate) fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, settings: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
