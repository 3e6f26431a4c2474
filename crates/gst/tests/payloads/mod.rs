//! GStreamer's encoders, payloaders, depayloaders and decoders, each in a pipeline that runs to its end.
#![allow(unreachable_pub, reason = "a module of one test file")]

pub mod encoding;
pub mod sending;
pub mod units;

use std::sync::Once;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

/// Long for a machine that is busy; nothing waits that long if all is well.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

fn init() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        gst::init().expect("GStreamer starts");
        #[cfg(feature = "av1")]
        if gst::ElementFactory::find("rtpav1pay").is_none() {
            gstrsrtp::plugin_register_static().expect("the AV1 payloader");
        }
    });
}

/// A pipeline that was parsed.
fn pipeline(description: &str) -> gst::Pipeline {
    let parsed = gst::parse::launch(description);
    let parsed = parsed.unwrap_or_else(|error| panic!("{description}: {error}"));
    parsed.downcast().expect("several elements")
}

fn app_sink(pipeline: &gst::Pipeline, name: &str) -> gst_app::AppSink {
    let sink = pipeline.by_name(name).expect("named so");
    sink.downcast().expect("of this kind")
}

/// Runs a pipeline to its end.
fn run(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("it has one");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(PATIENCE, &ends).expect("it ends");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
}

/// Every buffer that came to a sink, or is in a list that came.
fn buffers(sink: &gst_app::AppSink) -> Vec<gst::Buffer> {
    let mut buffers = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        match sample.buffer_list() {
            Some(list) => buffers.extend(list.iter_owned()),
            None => buffers.extend(sample.buffer_owned()),
        }
    }
    buffers
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().expect("readable").to_vec()
}
