//! Whatever packets come, in whatever order: frames begin, go on and end, and nothing piles up.
//!
//! The first byte chooses whether frames go on in parts. Then each packet is eight bytes and its payload: its source and payload
//! type (two and two bits), whether it has the marker (one bit), its sequence number (two bytes, added to a number that grows),
//! its RTP time (two bytes), milliseconds since the one before, and the length of the payload.
#![no_main]

use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::rtp::ReceivedPacket;
use wigwag_media::rtp::access_units::{
    AccessUnits, AccessUnitsConfig, Delivery, MAX_WAITING_UNITS, UnitFormat,
};
use wigwag_media::session::Codec;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, mut rest)) = bytes.split_first() else {
        return;
    };
    let delivery = if how & 1 == 0 {
        Delivery::Whole
    } else {
        Delivery::InParts {
            hold_at_most: Duration::from_millis(2),
        }
    };
    let mut units = AccessUnits::new(AccessUnitsConfig {
        formats: formats(),
        patience: Duration::from_millis(50),
        delivery,
    });
    let mut now = Instant::now();
    let mut is_open = false;
    while let Some((head, behind)) = rest.split_first_chunk::<8>() {
        let [what, s0, s1, t0, t1, wait, length, reach] = *head;
        let (payload, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        now += Duration::from_millis(wait.into());
        let packet = ReceivedPacket {
            mid: Arc::from("0"),
            rid: None,
            ssrc: u32::from(what & 3),
            payload_type: what >> 2 & 3,
            sequence: u64::from(u16::from_be_bytes([s0, s1])) << (reach & 0x1f),
            timestamp: u32::from(u16::from_be_bytes([t0, t1])),
            marker: what & 0x10 != 0,
            payload: payload.into(),
            arrived: now,
            orientation: None,
            captured: None,
            dependency_descriptor: None,
            sender_report: None,
        };
        units.handle_packet(packet, now);
        let mut frames = 0;
        while let Some(unit) = units.poll_frame() {
            assert!(!unit.frame.packets.is_empty());
            // A frame may be cut; then the next begins.
            assert!(unit.begins || is_open);
            is_open = !unit.ends;
            frames += 1;
        }
        assert!(frames <= MAX_WAITING_UNITS);
        while units.poll_event().is_some() {}
        assert!(units.poll_timeout().is_none_or(|at| at > now));
    }
});

fn formats() -> Vec<UnitFormat> {
    let h264 = Codec::H264 {
        profile_level_id: 0x42_e0_1f,
    };
    let codecs = [Codec::Vp8, h264, Codec::Vp9 { profile: 0 }];
    let format = |(payload_type, codec): (u8, Codec)| UnitFormat {
        payload_type,
        codec,
        rendition: RenditionId {
            stream: StreamId(0),
            codec: payload_type.into(),
            level: 0,
        },
    };
    (0..).zip(codecs).map(format).collect()
}
