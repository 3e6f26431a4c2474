//! Payloads of ours beside GStreamer's: what its payloaders send is put together to what the encoder made, and what ours send
//! is taken by its depayloaders and decoders.

mod payloads;

use std::sync::Arc;

use payloads::encoding::{Encoded, encode};
use payloads::sending::decode;
use payloads::units::{access_units, h265_unit, without_delimiters};
use wigwag_media::rtp::access_units::AccessUnit;
use wigwag_media::rtp::depayloader;
use wigwag_media::rtp::descriptor::vp8::Vp8Patch;
use wigwag_media::rtp::descriptor::vp9::Vp9Descriptor;
use wigwag_media::rtp::nal_units::{Framing, contents};
use wigwag_media::rtp::payloader::{self, PayloadSize};
use wigwag_media::session::Codec;

const PICTURE: &str = "videotestsrc num-buffers=30 pattern=snow \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1";
const TONE: &str =
    "audiotestsrc num-buffers=50 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2";
const H264: Codec = Codec::H264 {
    profile_level_id: 0x42_e0_1f,
};
const H264_ENCODER: &str = "x264enc tune=zerolatency key-int-max=10 bitrate=1500 \
    ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au";
const VP8_ENCODER: &str = "vp8enc deadline=1 keyframe-max-dist=10 target-bitrate=1500000";
const OPUS_ENCODER: &str = "opusenc frame-size=20";

fn payloads(unit: &AccessUnit) -> impl Iterator<Item = &[u8]> {
    unit.frame.packets.iter().map(Arc::as_ref)
}

/// Whether the frames that begin decoding are those that the encoder says.
fn assert_keys(encoded: &Encoded, units: &[AccessUnit]) {
    let found: Vec<_> = units.iter().map(|unit| unit.frame.key).collect();
    let expected: Vec<_> = encoded.units.iter().map(|unit| unit.is_key).collect();
    assert_eq!(found, expected);
    assert!(found.iter().filter(|key| **key).count() > 1);
}

#[test]
fn h264_of_gstreamer_is_put_together_to_what_was_encoded() {
    for payloader in [
        "rtph264pay mtu=1200",
        "rtph264pay mtu=1200 aggregate-mode=zero-latency",
        "rtph264pay mtu=300 aggregate-mode=max-stap",
        "rtph264pay mtu=64000",
    ] {
        let encoded = encode(PICTURE, H264_ENCODER, payloader);
        let units = access_units(H264, &encoded.packets);
        assert_eq!(units.len(), 30, "{payloader}");
        for (unit, made) in units.iter().zip(&encoded.units) {
            let found = depayloader::h264::access_unit(payloads(unit)).expect("it is whole");
            assert_eq!(
                without_delimiters(&found),
                without_delimiters(&made.bytes),
                "{payloader}"
            );
        }
        assert_keys(&encoded, &units);
    }
}

#[test]
fn vp8_of_gstreamer_is_put_together_to_what_was_encoded() {
    for payloader in [
        "rtpvp8pay mtu=300",
        "rtpvp8pay mtu=1200 picture-id-mode=7-bit",
        "rtpvp8pay mtu=1200 picture-id-mode=15-bit",
    ] {
        let encoded = encode(PICTURE, VP8_ENCODER, payloader);
        let units = access_units(Codec::Vp8, &encoded.packets);
        assert_eq!(units.len(), 30, "{payloader}");
        for (unit, made) in units.iter().zip(&encoded.units) {
            let found = depayloader::vp8::frame(payloads(unit)).expect("it is whole");
            assert_eq!(found, made.bytes, "{payloader}");
        }
        assert_keys(&encoded, &units);
    }
}

#[test]
fn opus_of_gstreamer_is_what_was_encoded() {
    let encoded = encode(TONE, OPUS_ENCODER, "rtpopuspay");
    let units = access_units(Codec::Opus, &encoded.packets);
    assert!(units.len() >= 50);
    for (unit, made) in units.iter().zip(&encoded.units) {
        let payload = payloads(unit).next().expect("it has one");
        assert_eq!(
            depayloader::opus::packet(payload),
            Ok((&made.bytes[..], 960))
        );
    }
}

#[test]
fn vp9_of_gstreamer_is_put_together_to_what_was_encoded() {
    let vp9 = "vp9enc deadline=1 keyframe-max-dist=10 target-bitrate=1500000";
    for payloader in [
        "rtpvp9pay mtu=300",
        "rtpvp9pay mtu=1200 picture-id-mode=15-bit",
    ] {
        let encoded = encode(PICTURE, vp9, payloader);
        let units = access_units(Codec::Vp9 { profile: 0 }, &encoded.packets);
        // The encoder keeps some to itself at the end.
        assert_eq!(units.len(), encoded.units.len(), "{payloader}");
        for (unit, made) in units.iter().zip(&encoded.units) {
            let mut found = Vec::new();
            for payload in payloads(unit) {
                let (_, part) = Vp9Descriptor::read(payload).expect("a descriptor");
                found.extend_from_slice(part);
            }
            assert_eq!(found, made.bytes, "{payloader}");
        }
        assert_keys(&encoded, &units);
    }
}

#[test]
fn h265_of_gstreamer_is_put_together_to_what_was_encoded() {
    let h265 = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=1500 \
        ! video/x-h265,stream-format=byte-stream,alignment=au";
    for payloader in [
        "rtph265pay mtu=1200",
        "rtph265pay mtu=300 aggregate-mode=zero-latency",
    ] {
        let encoded = encode(PICTURE, h265, payloader);
        let units = access_units(Codec::H265 { profile: 1 }, &encoded.packets);
        assert_eq!(units.len(), 30, "{payloader}");
        for (unit, made) in units.iter().zip(&encoded.units) {
            let found = h265_unit(payloads(unit));
            let found: Vec<_> = found.iter().map(Vec::as_slice).collect();
            let made: Vec<_> = contents(&made.bytes, Framing::StartCodes).collect();
            assert_eq!(found, made, "{payloader}");
        }
        assert_keys(&encoded, &units);
    }
}

#[cfg(feature = "av1")]
#[test]
fn av1_of_gstreamer_is_put_together_to_what_was_encoded() {
    let av1 = "av1enc usage-profile=realtime cpu-used=10 keyframe-max-dist=10 \
        ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu";
    let encoded = encode(PICTURE, av1, "rtpav1pay mtu=1200");
    let units = access_units(Codec::Av1 { profile: 0 }, &encoded.packets);
    assert_eq!(units.len(), encoded.units.len());
    for (unit, made) in units.iter().zip(&encoded.units) {
        let found = payloads::units::obus(payloads(unit));
        assert_eq!(
            found,
            payloads::units::without_temporal_delimiters(&made.bytes)
        );
    }
    assert!(units[0].frame.key);
    assert!(units.iter().filter(|unit| unit.frame.key).count() > 1);
}

#[test]
fn h264_of_ours_is_taken_by_gstreamer() {
    let encoded = encode(PICTURE, H264_ENCODER, "rtph264pay");
    for size in [200, 1_100, 60_000] {
        let size = PayloadSize::new(size).expect("within its bounds");
        let frames = encoded.units.iter().map(|unit| {
            payloader::h264::payloads(&unit.bytes, Framing::StartCodes, size).expect("it fits")
        });
        let caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96";
        let depayloader =
            "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au";
        let taken = decode(
            caps,
            depayloader,
            "avdec_h264",
            3_000,
            &frames.collect::<Vec<_>>(),
        );
        assert_eq!(taken.pictures, 30);
        for (found, made) in taken.units.iter().zip(&encoded.units) {
            assert_eq!(without_delimiters(found), without_delimiters(&made.bytes));
        }
    }
}

#[test]
fn vp8_of_ours_is_taken_by_gstreamer() {
    let encoded = encode(PICTURE, VP8_ENCODER, "rtpvp8pay");
    for (size, first) in [(200, 0x7ff0), (1_100, 0), (60_000, 5)] {
        let size = PayloadSize::new(size).expect("within its bounds");
        let mut payloader = payloader::vp8::Vp8Payloader::new(size, first);
        let frames = encoded.units.iter();
        let frames = frames.map(|unit| payloader.payloads(&unit.bytes).expect("it fits"));
        let taken = decode(
            VP8_CAPS,
            "rtpvp8depay",
            "vp8dec",
            3_000,
            &frames.collect::<Vec<_>>(),
        );
        assert_eq!(taken.pictures, 30);
        let made: Vec<_> = encoded.units.iter().map(|unit| &unit.bytes).collect();
        assert_eq!(taken.units.iter().collect::<Vec<_>>(), made);
    }
}

const VP8_CAPS: &str =
    "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96";

#[test]
fn vp8_that_is_patched_on_its_way_is_taken_by_gstreamer() {
    let encoded = encode(
        PICTURE,
        VP8_ENCODER,
        "rtpvp8pay mtu=400 picture-id-mode=15-bit",
    );
    let units = access_units(Codec::Vp8, &encoded.packets);
    let frames = (0_u16..).zip(&units).map(|(number, unit)| {
        let patch = Vp8Patch {
            picture_id: Some(0x7ff0_u16.wrapping_add(number)),
            ..Vp8Patch::default()
        };
        let patched = payloads(unit).map(|payload| {
            let mut payload = payload.to_vec();
            patch.apply(&mut payload).expect("a descriptor");
            Arc::from(payload)
        });
        patched.collect()
    });
    let taken = decode(
        VP8_CAPS,
        "rtpvp8depay",
        "vp8dec",
        3_000,
        &frames.collect::<Vec<_>>(),
    );
    assert_eq!(taken.pictures, 30);
}

#[test]
fn opus_of_ours_is_taken_by_gstreamer() {
    let encoded = encode(TONE, OPUS_ENCODER, "rtpopuspay");
    let size = PayloadSize::new(1_100).expect("within its bounds");
    let frames = encoded.units.iter();
    let frames =
        frames.map(|unit| vec![payloader::opus::payload(&unit.bytes, size).expect("it fits")]);
    let caps = "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=96";
    let taken = decode(
        caps,
        "rtpopusdepay",
        "opusdec",
        960,
        &frames.collect::<Vec<_>>(),
    );
    assert!(taken.pictures >= 50, "{}", taken.pictures);
    let made: Vec<_> = encoded.units.iter().map(|unit| &unit.bytes).collect();
    assert_eq!(taken.units.iter().collect::<Vec<_>>(), made);
}

#[test]
fn frames_of_gstreamer_that_lose_packets_go_on_at_key_frames() {
    let encoded = encode(PICTURE, VP8_ENCODER, "rtpvp8pay mtu=400");
    let mut frame = 0;
    let mut kept = Vec::new();
    for packet in &encoded.packets {
        // Two frames lose their last packet.
        if !packet.marker || ![4, 17].contains(&frame) {
            kept.push(packet.clone());
        }
        frame += usize::from(packet.marker);
    }
    let units = access_units(Codec::Vp8, &kept);
    let found = units.iter().map(|unit| {
        let found = depayloader::vp8::frame(payloads(unit)).expect("it is whole");
        let place = encoded.units.iter().position(|made| made.bytes == found);
        place.expect("it was encoded")
    });
    let found: Vec<_> = found.collect();
    let expected: Vec<_> = (0..4).chain(10..17).chain(20..30).collect();
    assert_eq!(found, expected);
}
