//! What an encoder makes, and the packets that a payloader makes of that.

use std::time::Instant;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_rtp as gst_rtp;
use std::sync::Arc;
use wigwag_media::rtp::ReceivedPacket;

use super::{app_sink, buffers, bytes, init, pipeline, run};

pub struct Encoded {
    pub units: Vec<EncodedUnit>,
    pub packets: Vec<ReceivedPacket>,
}

pub struct EncodedUnit {
    pub bytes: Vec<u8>,
    pub is_key: bool,
}

/// All that a source gives, through an encoder and from there through a payloader.
pub fn encode(source: &str, encoder: &str, payloader: &str) -> Encoded {
    init();
    let sink = "appsink sync=false wait-on-eos=false max-buffers=0 buffer-list=true";
    let pipeline = pipeline(&format!(
        "{source} ! {encoder} ! tee name=t ! queue max-size-bytes=0 ! {sink} name=units \
         t. ! queue max-size-bytes=0 ! {payloader} pt=96 ! {sink} name=packets"
    ));
    let [units, packets] = ["units", "packets"].map(|name| app_sink(&pipeline, name));
    run(&pipeline);
    let units = buffers(&units).into_iter().map(|buffer| EncodedUnit {
        bytes: bytes(&buffer),
        is_key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
    });
    let units = units.filter(|unit| !unit.bytes.is_empty()).collect();
    let now = Instant::now();
    let mut sequence = None;
    let mut read = |buffer: &gst::Buffer| {
        let packet = gst_rtp::RTPBuffer::from_buffer_readable(buffer).expect("a packet");
        let number = sequence.get_or_insert_with(|| u64::from(packet.seq()));
        assert_eq!(*number as u16, packet.seq());
        let sequence = *number;
        *number += 1;
        ReceivedPacket {
            mid: Arc::from("0"),
            rid: None,
            ssrc: packet.ssrc(),
            payload_type: packet.payload_type(),
            sequence,
            timestamp: packet.timestamp(),
            marker: packet.is_marker(),
            payload: packet.payload().expect("it has one").into(),
            arrived: now,
            orientation: None,
            captured: None,
            dependency_descriptor: None,
            sender_report: None,
        }
    };
    let packets = buffers(&packets).iter().map(&mut read).collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    Encoded { units, packets }
}
