//! The GLib main loop with an exit code, and the reasons to leave it that all subcommands share.

use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::thread;

use gst::glib;
use gst::prelude::*;
use serde_json::json;

use crate::events;

const SIGTERM: i32 = 15;

/// What an error in the pipeline means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    End,
    GoOn,
}

/// A main loop that any thread may end; the first exit code given is the one that counts.
#[derive(Clone)]
pub(crate) struct RunLoop {
    main_loop: glib::MainLoop,
    code: Arc<OnceLock<u8>>,
}

impl RunLoop {
    pub(crate) fn new() -> Self {
        let run_loop = Self {
            main_loop: glib::MainLoop::new(None, false),
            code: Arc::default(),
        };
        run_loop.end_on_sigterm();
        run_loop.end_when_input_closes();
        run_loop
    }

    pub(crate) fn end(&self, code: u8) {
        let _ = self.code.set(code);
        // From an idle source: a quit that arrives before the loop runs would otherwise be lost.
        let main_loop = self.main_loop.clone();
        glib::idle_add_once(move || main_loop.quit());
    }

    pub(crate) fn run(&self) -> u8 {
        self.main_loop.run();
        self.code.get().copied().unwrap_or(0)
    }

    /// Plays the pipeline until something ends the loop, then stops it, which also says goodbye to
    /// the signalling server.
    pub(crate) fn play(&self, pipeline: &gst::Pipeline, on_error: OnError) -> anyhow::Result<u8> {
        let _watch = self.watch_bus(pipeline, on_error)?;
        let started = pipeline.set_state(gst::State::Playing);
        let code = started.map(|_| self.run());
        pipeline.set_state(gst::State::Null)?;
        Ok(code?)
    }

    fn watch_bus(
        &self,
        pipeline: &gst::Pipeline,
        on_error: OnError,
    ) -> anyhow::Result<gst::bus::BusWatchGuard> {
        let bus = pipeline
            .bus()
            .ok_or_else(|| anyhow::anyhow!("the pipeline has no bus"))?;
        let pipeline = pipeline.downgrade();
        let run_loop = self.clone();
        Ok(bus.add_watch(move |_, message| {
            match message.view() {
                gst::MessageView::Error(error) => {
                    let details = describe(error);
                    events::print(&json!({"event": "error", "details": details}));
                    if on_error == OnError::End {
                        run_loop.end(1);
                    }
                }
                gst::MessageView::StateChanged(change)
                    if change.current() == gst::State::Playing
                        && change.src() == pipeline.upgrade().as_ref().map(|p| p.upcast_ref()) =>
                {
                    events::print(&json!({"event": "playing"}));
                }
                _ => (),
            }
            glib::ControlFlow::Continue
        })?)
    }

    fn end_on_sigterm(&self) {
        let run_loop = self.clone();
        glib_unix::unix_signal_add(SIGTERM, move || {
            run_loop.end(0);
            glib::ControlFlow::Continue
        });
    }

    fn end_when_input_closes(&self) {
        let run_loop = self.clone();
        thread::spawn(move || {
            let mut ignored = [0; 64];
            while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
            run_loop.end(0);
        });
    }
}

/// The plugin puts what went wrong in the last line of the debug text; the message itself is generic.
fn describe(error: &gst::message::Error) -> String {
    let debug = error.debug();
    match debug.as_ref().and_then(|text| text.lines().last()) {
        Some(cause) => format!("{} {cause}", error.error()),
        None => error.error().to_string(),
    }
}
