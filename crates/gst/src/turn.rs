//! Starting and stopping pipelines from anywhere without waiting for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

/// The order of starting and stopping one pipeline, which is done by threads that may overtake each other: one that was
/// stopped is not started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    changing: Mutex<()>,
}

impl Turn {
    /// Starts the pipeline, and then says whether it could be.
    pub(crate) fn start(&self, pipeline: &gst::Pipeline, then: impl FnOnce(bool) + Send + 'static) {
        let state = Arc::clone(&self.0);
        // Opening a hardware encoder can take long, and must not hold up the sessions of others.
        pipeline.call_async(move |pipeline| {
            let _changing = state
                .changing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !state.stopped.load(Ordering::SeqCst) {
                then(pipeline.set_state(gst::State::Playing).is_ok());
            }
        });
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Stops the pipeline, and drops the sender when that is done.
    pub(crate) fn stop(&self, pipeline: &gst::Pipeline, stopped: Option<Sender<()>>) {
        self.0.stopped.store(true, Ordering::SeqCst);
        let state = Arc::clone(&self.0);
        pipeline.call_async(move |pipeline| {
            let _changing = state
                .changing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let _ = pipeline.set_state(gst::State::Null);
            drop(stopped);
        });
    }
}
