//! Reports to the control thread the caps of a pad, once they say what is offered of the stream.

use std::sync::atomic::{AtomicUsize, Ordering};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_media::ids::StreamId;

use super::WebRtcSink;
use crate::{bitstream, log};

/// Watches a pad of a sink.
pub(super) fn watch(pad: &gst::GhostPad, stream: StreamId, sink: &WebRtcSink) {
    let weak = sink.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        if let Some(event) = info.event()
            && let gst::EventView::Caps(event) = event.view()
        {
            let caps = event.caps();
            gst::debug!(log::SINK, obj = pad, "caps {caps}");
            if caps.structure(0).is_some_and(bitstream::is_needed) {
                look_at_buffers(pad, stream, weak.clone());
            } else {
                report(&weak, stream, &bitstream::described(caps));
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Looks at the first buffers of a stream until one completes its caps.
fn look_at_buffers(pad: &gst::GhostPad, stream: StreamId, sink: glib::WeakRef<WebRtcSink>) {
    let seen = AtomicUsize::new(0);
    let buffers = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(buffers, move |pad, info| {
        let Some(caps) = pad.current_caps() else {
            return gst::PadProbeReturn::Remove;
        };
        // Other caps may have come since; those after them that need a look have a probe of their own.
        if !caps.structure(0).is_some_and(bitstream::is_needed) {
            return gst::PadProbeReturn::Remove;
        }
        let completed = |buffer: &gst::BufferRef| {
            let data = buffer.map_readable().ok()?;
            bitstream::completed(&caps, &data)
        };
        let completed = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => completed(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().find_map(completed),
            _ => None,
        };
        match completed {
            Some(completed) => report(&sink, stream, &completed),
            None if seen.fetch_add(1, Ordering::Relaxed) < bitstream::MAX_BUFFERS => {
                return gst::PadProbeReturn::Ok;
            }
            None => report(&sink, stream, &caps),
        }
        gst::PadProbeReturn::Remove
    });
}

fn report(sink: &glib::WeakRef<WebRtcSink>, stream: StreamId, caps: &gst::CapsRef) {
    if let Some(sink) = sink.upgrade() {
        sink.imp().report_caps(stream, caps);
    }
}
