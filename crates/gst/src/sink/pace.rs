//! At what pace buffers of a pad go on: files by the clock, live sources as they come.
//!
//! A `clocksync` waits until a buffer's time has come and, in pipelines with live sources, the latency that these
//! report on top. Nothing that is live has to wait: the encoder takes a picture when it is there, and viewers put
//! audio and video in step by their timestamps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gstreamer as gst;

/// Whether what feeds a pad is live. Copies share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Liveness(Arc<AtomicBool>);

impl Liveness {
    /// False until upstream has said that it is.
    pub(super) fn is_live(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A `clocksync` that waits as long as upstream is not live, and whether it is.
pub(super) fn clock_sync(name: &str) -> Result<(gst::Element, Liveness), gst::glib::BoolError> {
    let pace = gst::ElementFactory::make("clocksync")
        .name(format!("clocksync-{name}"))
        .build()?;
    let liveness = Liveness::default();
    let pad = pace
        .static_pad("sink")
        .expect("a clocksync has a pad \"sink\"");
    // Before the first buffer of each segment; the answer passes the next probe.
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |pad, info| {
        let begins = info.event().is_some_and(|event| {
            matches!(
                event.type_(),
                gst::EventType::StreamStart | gst::EventType::Segment
            )
        });
        if begins {
            let _ = pad.peer_query(&mut gst::query::Latency::new());
        }
        gst::PadProbeReturn::Ok
    });
    // Also when the pipeline asks, because a source has changed its mind.
    let answered = gst::PadProbeType::QUERY_UPSTREAM | gst::PadProbeType::PULL;
    let (weak, known) = (pace.downgrade(), liveness.clone());
    pad.add_probe(answered, move |_, info| {
        let live = match info.query().map(gst::QueryRef::view) {
            Some(gst::QueryView::Latency(latency)) => latency.result().0,
            _ => return gst::PadProbeReturn::Ok,
        };
        known.0.store(live, Ordering::Relaxed);
        if let Some(pace) = weak.upgrade() {
            pace.set_property("sync", !live);
        }
        gst::PadProbeReturn::Ok
    });
    Ok((pace, liveness))
}
