//! The decoding of a stream that comes encoded, in a pipeline of its own: its errors and its hanging are its own.
//!
//! `appsrc ! decodebin ! appsink`. What comes out is raw, and goes to renditions as if it had come so.
//!
//! # Contract
//!
//! * [`Decoding::play`] returns at once. What was decoded and a failure go to the [`Outlet`], from threads of the
//!   pipeline; after a failure nothing more comes. Dropping it stops it, without waiting.

use std::sync::Arc;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use crate::log;
use crate::turn::Turn;

/// A stream that is being decoded.
pub(crate) struct Decoding {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    outlet: Arc<dyn Outlet>,
    turn: Turn,
}

/// Where what was decoded goes, and what is said if nothing more can be.
pub(crate) trait Outlet: Send + Sync + 'static {
    /// It runs, and takes what it is given from now on, unless it was stopped meanwhile.
    fn started(&self, source: &gst_app::AppSrc, turn: &Turn);
    /// A raw picture, or sound.
    fn decoded(&self, sample: gst::Sample);
    /// It failed; the text says where and why.
    fn failed(&self, reason: String);
}

impl Decoding {
    /// Makes the pipeline, on this clock and base time.
    pub(crate) fn build(
        name: &str,
        audio: bool,
        clock: Option<(gst::Clock, gst::ClockTime)>,
        outlet: Arc<dyn Outlet>,
    ) -> Result<Self, gst::glib::BoolError> {
        let pipeline = gst::Pipeline::with_name(&format!("decoding-{name}"));
        let source = gst_app::AppSrc::builder()
            .name("input")
            .format(gst::Format::Time)
            // Or else decoders that use threads for whole pictures hold several of them back.
            .is_live(true)
            .do_timestamp(false)
            .max_bytes(0)
            .build();
        let decoder = gst::ElementFactory::make("decodebin").build()?;
        let sink = end(audio, Arc::clone(&outlet));
        pipeline.add_many([source.upcast_ref(), &decoder, sink.upcast_ref()])?;
        source.link(&decoder)?;
        let entry = sink.static_pad("sink");
        decoder.connect_pad_added(move |_, pad| {
            // The decoder of one stream has one pad.
            let _ = entry.as_ref().map(|entry| pad.link(entry));
        });
        if let Some((clock, base_time)) = clock {
            pipeline.use_clock(Some(&clock));
            pipeline.set_base_time(base_time);
        }
        pipeline.set_start_time(gst::ClockTime::NONE);
        watch(&pipeline, Arc::clone(&outlet));
        Ok(Self {
            pipeline,
            source,
            outlet,
            turn: Turn::default(),
        })
    }

    /// Where the stream goes in once it runs.
    pub(crate) fn source(&self) -> &gst_app::AppSrc {
        &self.source
    }

    /// Starts it; failures go to the outlet.
    pub(crate) fn play(&self) {
        let (source, outlet) = (self.source.clone(), Arc::clone(&self.outlet));
        let turn = self.turn.clone();
        self.turn
            .start(&self.pipeline, move |started| match started {
                true => outlet.started(&source, &turn),
                false => outlet.failed("it could not start".to_owned()),
            });
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        self.turn.stop(&self.pipeline, None);
    }
}

fn end(audio: bool, outlet: Arc<dyn Outlet>) -> gst_app::AppSink {
    let raw = if audio { "audio/x-raw" } else { "video/x-raw" };
    let new_sample = move |sink: &gst_app::AppSink| {
        outlet.decoded(sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?);
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .name("decoded")
        .caps(&gst::Caps::new_empty_simple(raw))
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(new_sample)
                .build(),
        )
        .build()
}

fn watch(pipeline: &gst::Pipeline, outlet: Arc<dyn Outlet>) {
    let Some(bus) = pipeline.bus() else {
        return;
    };
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => outlet.failed(error.error().to_string()),
            gst::MessageView::Warning(warning) => {
                gst::warning!(log::SINK, "in a decoder: {}", warning.error());
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}
