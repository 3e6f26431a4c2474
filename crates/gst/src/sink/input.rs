//! One pad: what comes in, at the [`pace`](super::pace) that suits it, goes to each rendition of the stream.
//!
//! `ghost pad ! clocksync ! appsink`. The streaming thread of upstream hands buffers over and never waits for
//! an encoder.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use wigwag_media::ids::StreamId;

use super::WebRtcSink;
use super::access_units::AccessUnits;
use super::feeds::Feeds;
use super::flow::Flow;
use super::messages::Message;
use super::pace::{Liveness, clock_sync};
use super::timeline;

/// A pad and its stream.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) stream: StreamId,
    pub(super) pad: gst::GhostPad,
    elements: [gst::Element; 2],
    feeds: Feeds,
    flow: Arc<Flow>,
    access_units: Arc<Mutex<AccessUnits>>,
    liveness: Liveness,
}

impl Input {
    /// Adds the elements of a pad to the sink; the caller adds the pad.
    pub(super) fn new(
        sink: &gst::Bin,
        stream: StreamId,
        name: &str,
        template: &gst::PadTemplate,
    ) -> Result<Self, gst::glib::BoolError> {
        let feeds = Feeds::default();
        let (pace, liveness) = clock_sync(name)?;
        let flow = Arc::new(Flow::default());
        let access_units = Arc::new(Mutex::new(AccessUnits::default()));
        let weak = sink.downcast_ref::<WebRtcSink>().map(ObjectExt::downgrade);
        let weak = weak.unwrap_or_default();
        let key_frames = weak.clone();
        let key_frame = move || {
            if let Some(sink) = key_frames.upgrade() {
                sink.imp().send(Message::SourceKeyFrame(stream));
            }
        };
        let end = end(name, &feeds, &flow, &access_units, key_frame);
        let elements = [pace, end.upcast()];
        sink.add_many(&elements)?;
        elements[0].link(&elements[1])?;
        let target = elements[0]
            .static_pad("sink")
            .expect("a clocksync has a pad \"sink\"");
        let pad = gst::GhostPad::builder_from_template(template)
            .name(name)
            .with_target(&target)?
            .build();
        timeline::watch(&pad, stream, &weak, &flow);
        Ok(Self {
            stream,
            pad,
            elements,
            feeds,
            flow,
            access_units,
            liveness,
        })
    }

    /// Brings the elements into the state of the sink.
    pub(super) fn sync_state(&self) {
        for element in self.elements.iter().rev() {
            let _ = element.sync_state_with_parent();
        }
    }

    /// Takes the elements out of the sink.
    pub(super) fn remove(&self, sink: &gst::Bin) {
        self.feeds.clear();
        for element in &self.elements {
            element.set_locked_state(true);
            let _ = element.set_state(gst::State::Null);
            let _ = sink.remove(element);
        }
    }

    /// What the control thread is told when caps come.
    pub(super) fn caps_message(&self, caps: &gst::CapsRef) -> Message {
        Message::Caps {
            stream: self.stream,
            name: self.pad.name().to_string(),
            caps: caps.to_owned(),
            feeds: self.feeds.clone(),
            liveness: self.liveness.clone(),
        }
    }

    /// Forgets what came in a run before.
    pub(super) fn reset(&self) {
        self.flow.reset();
        self.feeds.clear();
        if let Ok(mut access_units) = self.access_units.lock() {
            *access_units = AccessUnits::default();
        }
    }

    /// What came through it.
    pub(super) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// The pad through which upstream can be asked for something.
    pub(super) fn upstream(&self) -> Option<gst::Pad> {
        self.elements[1].static_pad("sink")
    }
}

/// Asks whoever encodes upstream for a key frame.
pub(super) fn ask_for_key_frame(upstream: &gst::Pad) {
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    upstream.push_event(event);
}

fn end(
    name: &str,
    feeds: &Feeds,
    flow: &Arc<Flow>,
    access_units: &Arc<Mutex<AccessUnits>>,
    key_frame: impl Fn() + Send + 'static,
) -> gst_app::AppSink {
    let (feeds, at_end, flow) = (feeds.clone(), feeds.clone(), Arc::clone(flow));
    let (access_units, left) = (Arc::clone(access_units), Arc::clone(access_units));
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
        if let Some(sample) = in_running_time(&sample) {
            flow.usable();
            let mut access_units = access_units.lock().map_err(|_| gst::FlowError::Error)?;
            let ready = access_units.push(sample);
            let keys = access_units.key_frames(&ready);
            drop(access_units);
            for (sample, key) in ready.iter().zip(keys) {
                let Some(key) = key else {
                    feeds.push(sample);
                    continue;
                };
                let asks = feeds.push_picture(sample, key);
                if key {
                    key_frame();
                }
                if asks && let Some(pad) = sink.static_pad("sink") {
                    ask_for_key_frame(&pad);
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let eos = move |_: &gst_app::AppSink| {
        if let Ok(mut left) = left.lock() {
            for sample in left.flush() {
                at_end.push(&sample);
            }
        }
    };
    gst_app::AppSink::builder()
        .name(format!("appsink-{name}"))
        // The clocksync before it keeps the pace, where there is one to keep.
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(new_sample)
                .eos(eos)
                .build(),
        )
        .build()
}

/// The same buffer with its running time as timestamp: what renditions, which share the element's base time, take
/// it for. None if it is outside of its segment and not to be shown.
pub(super) fn in_running_time(sample: &gst::Sample) -> Option<gst::Sample> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let mut buffer = sample.buffer_owned()?;
    let running_time = |time: Option<gst::ClockTime>| segment.to_running_time(time?);
    let (pts, dts) = (running_time(buffer.pts())?, running_time(buffer.dts()));
    {
        let buffer = buffer.make_mut();
        buffer.set_pts(pts);
        buffer.set_dts(dts);
    }
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    let caps = sample.caps_owned()?;
    let sample = gst::Sample::builder().buffer(&buffer).caps(&caps);
    Some(sample.segment(&segment).build())
}
