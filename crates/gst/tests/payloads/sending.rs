//! Packets through a depayloader and a decoder.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_rtp as gst_rtp;
use gstreamer_rtp::prelude::*;

use super::{app_sink, buffers, bytes, init, pipeline, run};

pub struct Taken {
    /// What the depayloader made.
    pub units: Vec<Vec<u8>>,
    /// Buffers that the decoder made.
    pub pictures: usize,
}

/// Sends frames, each as its payloads, one every so many units of the RTP clock.
pub fn decode(
    caps: &str,
    depayloader: &str,
    decoder: &str,
    interval: u32,
    frames: &[Vec<Arc<[u8]>>],
) -> Taken {
    init();
    let sink = "appsink sync=false wait-on-eos=false max-buffers=0";
    let pipeline = pipeline(&format!(
        "appsrc name=source format=time max-bytes=0 ! {depayloader} ! tee name=t \
         ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! {sink} name=units \
         t. ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! {decoder} ! {sink} name=pictures"
    ));
    let [units, pictures] = ["units", "pictures"].map(|name| app_sink(&pipeline, name));
    let source = pipeline.by_name("source").expect("named so");
    let source: gst_app::AppSrc = source.downcast().expect("of this kind");
    source.set_caps(Some(&caps.parse().expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut sequence = 65_530_u16;
    for (number, frame) in (0_u32..).zip(frames) {
        for (place, payload) in frame.iter().enumerate() {
            let time = gst::ClockTime::from_mseconds(u64::from(number) * 33);
            let marker = place + 1 == frame.len();
            let packet = packet(payload, sequence, number * interval, marker, time);
            source.push_buffer(packet).expect("it is taken");
            sequence = sequence.wrapping_add(1);
        }
    }
    source.end_of_stream().expect("it is taken");
    run(&pipeline);
    let taken = Taken {
        units: buffers(&units).iter().map(bytes).collect(),
        pictures: buffers(&pictures).len(),
    };
    pipeline.set_state(gst::State::Null).expect("it stops");
    taken
}

fn packet(
    payload: &[u8],
    sequence: u16,
    timestamp: u32,
    marker: bool,
    time: gst::ClockTime,
) -> gst::Buffer {
    let length = u32::try_from(payload.len()).expect("it is short");
    let mut buffer = gst::Buffer::new_rtp_with_sizes(length, 0, 0).expect("a packet");
    let fresh = buffer.get_mut().expect("nobody else has it");
    fresh.set_pts(time);
    let mut packet = gst_rtp::RTPBuffer::from_buffer_writable(fresh).expect("a packet");
    packet.set_payload_type(96);
    packet.set_ssrc(7);
    packet.set_seq(sequence);
    packet.set_timestamp(timestamp);
    packet.set_marker(marker);
    let place = packet.payload_mut().expect("it has one");
    place.copy_from_slice(payload);
    drop(packet);
    buffer
}
