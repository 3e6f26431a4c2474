//! Whatever a payload begins with: its descriptor is read or none, and what is written is what was read.
//!
//! The input is one payload, which every payload format reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_media::rtp::descriptor::av1::Av1AggregationHeader;
use wigwag_media::rtp::descriptor::h264::H264Payload;
use wigwag_media::rtp::descriptor::h265::H265Payload;
use wigwag_media::rtp::descriptor::vp8::{Vp8Descriptor, Vp8Patch};
use wigwag_media::rtp::descriptor::vp9::Vp9Descriptor;
use wigwag_media::rtp::key_frame_detection::begins_key_frame;
use wigwag_media::session::Codec;

fuzz_target!(|payload: &[u8]| {
    vp8(payload);
    if let Some((_, rest)) = Vp9Descriptor::read(payload) {
        assert!(payload.ends_with(rest) && rest.len() < payload.len());
    }
    if let Some((_, elements)) = Av1AggregationHeader::read(payload) {
        let bytes: usize = elements.flatten().map(<[u8]>::len).sum();
        assert!(bytes < payload.len());
    }
    if let Some(H264Payload::Aggregate(units)) = H264Payload::read(payload) {
        let bytes: usize = units.flatten().map(<[u8]>::len).sum();
        assert!(bytes <= payload.len());
    }
    if let Some(H265Payload::Aggregate(units)) = H265Payload::read(payload) {
        let bytes: usize = units.flatten().map(<[u8]>::len).sum();
        assert!(bytes <= payload.len());
    }
    let h264 = Codec::H264 {
        profile_level_id: 0x42_e0_1f,
    };
    for codec in [
        Codec::Vp8,
        Codec::Vp9 { profile: 0 },
        h264,
        Codec::H265 { profile: 1 },
        Codec::Av1 { profile: 0 },
    ] {
        begins_key_frame(codec, payload);
    }
});

fn vp8(payload: &[u8]) {
    let Some((descriptor, rest)) = Vp8Descriptor::read(payload) else {
        return;
    };
    let mut written = Vec::new();
    descriptor.write(&mut written);
    written.extend_from_slice(rest);
    assert_eq!(Vp8Descriptor::read(&written), Some((descriptor, rest)));
    let patch = Vp8Patch {
        picture_id: Some(0x5a5a),
        tl0_pic_idx: Some(0x5a),
        key_idx: Some(0x1a),
    };
    let mut patched = payload.to_vec();
    patch.apply(&mut patched).expect("it has a descriptor");
    let (after, behind) = Vp8Descriptor::read(&patched).expect("it still has one");
    assert_eq!((after.length(), behind), (descriptor.length(), rest));
    assert_eq!(after.temporal_layer, descriptor.temporal_layer);
}
