//! From the packets of a payloader to frames that all viewers share.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_rtp as gst_rtp;
use wigwag_media::frame::{FrameAssembler, PayloadedPacket};
use wigwag_media::rtp::key_frame_detection::begins_key_frame;
use wigwag_media::session::Codec;

use super::{Outlet, Plan};

/// The end of the pipeline, which hands over to the outlet without waiting.
pub(super) fn sink(plan: &Plan<'_>, outlet: Arc<dyn Outlet>) -> gst_app::AppSink {
    let reader = Reader {
        codec: plan.codec,
        audio: plan.format.audio,
        assembler: FrameAssembler::new(plan.id),
    };
    // Only the pipeline's thread comes here; the lock is for the type's sake.
    let reader = Mutex::new(reader);
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
        let mut reader = reader.lock().map_err(|_| gst::FlowError::Error)?;
        let mut read = |buffer: &gst::BufferRef| reader.read(buffer, outlet.as_ref());
        if let Some(list) = sample.buffer_list() {
            for buffer in list.iter() {
                read(buffer);
            }
        } else if let Some(buffer) = sample.buffer() {
            read(buffer);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .name("frames")
        .sync(false)
        .async_(false)
        .buffer_list(true)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(new_sample)
                .build(),
        )
        .build()
}

struct Reader {
    codec: Codec,
    audio: bool,
    assembler: FrameAssembler,
}

impl Reader {
    fn read(&mut self, buffer: &gst::BufferRef, outlet: &dyn Outlet) {
        let wall_clock = wall_clock(outlet, buffer.pts());
        // An empty or damaged packet of a payloader is of no use to anyone.
        let Ok(rtp) = gst_rtp::RTPBuffer::from_buffer_readable(buffer) else {
            return;
        };
        let Ok(payload) = rtp.payload() else {
            return;
        };
        let packet = PayloadedPacket {
            key: self.audio || begins_key_frame(self.codec, payload),
            payload: payload.into(),
            rtp_time: rtp.timestamp(),
            wall_clock,
            // Each packet of sound stands for itself.
            marker: self.audio || rtp.is_marker(),
            temporal_layer: 0,
        };
        if let Some(frame) = self.assembler.push(packet) {
            outlet.frame(Arc::new(frame));
        }
    }
}

/// When something with this running time was captured. The same for sound and pictures, so that viewers
/// can play them in step; never in the future, which reports to viewers do not allow.
fn wall_clock(outlet: &dyn Outlet, running_time: Option<gst::ClockTime>) -> Instant {
    let now = Instant::now();
    let age = || {
        let (clock, base_time) = outlet.clock()?;
        let captured = base_time + running_time?;
        Some(outlet.clock_advance().age(captured, clock.time()))
    };
    let age = age().map(|age| Duration::from_nanos(age.nseconds()));
    now.checked_sub(age.unwrap_or_default()).unwrap_or(now)
}
