//! Whether a payload is the first of its access unit, by itself: behind packets that are lost nothing else says so.

use crate::rtp::descriptor::av1::Av1AggregationHeader;
use crate::rtp::descriptor::h264::{self, H264Payload};
use crate::rtp::descriptor::h265::{self, H265Payload};
use crate::rtp::descriptor::vp8::Vp8Descriptor;
use crate::rtp::descriptor::vp9::Vp9Descriptor;
use crate::session::Codec;

/// Whether it certainly is the first. Of AV1, H.264 and H.265 only some say so: the first of a sequence, and a delimiter or
/// parameter sets.
pub(super) fn begins_access_unit(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Vp8 => {
            Vp8Descriptor::read(payload).is_some_and(|(descriptor, _)| descriptor.begins_frame())
        }
        Codec::Vp9 { .. } => {
            Vp9Descriptor::read(payload).is_some_and(|(descriptor, _)| descriptor.begins_picture())
        }
        Codec::Av1 { .. } => {
            Av1AggregationHeader::read(payload).is_some_and(|(header, _)| header.begins_key_frame())
        }
        Codec::H264 { .. } => {
            let mut types = H264Payload::read(payload).into_iter();
            let first = types.find_map(|payload| payload.unit_types().next());
            matches!(
                first,
                Some(
                    h264::nal_unit_type::ACCESS_UNIT_DELIMITER
                        | h264::nal_unit_type::SEQUENCE_PARAMETER_SET
                )
            )
        }
        Codec::H265 { .. } => {
            let mut types = H265Payload::read(payload).into_iter();
            let first = types.find_map(|payload| payload.unit_types().next());
            matches!(
                first,
                Some(
                    h265::nal_unit_type::ACCESS_UNIT_DELIMITER
                        | h265::nal_unit_type::VIDEO_PARAMETER_SET
                        | h265::nal_unit_type::SEQUENCE_PARAMETER_SET
                )
            )
        }
        Codec::Opus | Codec::Pcmu | Codec::Pcma => true,
    }
}

/// The temporal layer that a payload says its frame is of; 0 if it does not say.
pub(super) fn temporal_layer(codec: Codec, payload: &[u8]) -> u8 {
    let layer = match codec {
        Codec::Vp8 => Vp8Descriptor::read(payload)
            .and_then(|(descriptor, _)| Some(descriptor.temporal_layer?.id)),
        Codec::Vp9 { .. } => Vp9Descriptor::read(payload)
            .and_then(|(descriptor, _)| Some(descriptor.layers?.temporal)),
        _ => None,
    };
    layer.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VP9: Codec = Codec::Vp9 { profile: 0 };
    const H265: Codec = Codec::H265 { profile: 1 };
    const AV1: Codec = Codec::Av1 { profile: 0 };
    const H264: Codec = Codec::H264 {
        profile_level_id: 0x42_e0_1f,
    };

    #[test]
    fn first_payload_is_known_by_itself() {
        for (codec, payload) in [
            (Codec::Vp8, &[0x10, 0x01][..]),
            (VP9, &[0x48]),
            (AV1, &[0x08]),
            (H264, &[0x09, 0x10]),
            (H264, &[0x78, 0, 1, 0x67, 0, 1, 0x68]),
            (H265, &[0x46, 0x01, 0x10]),
            (H265, &[0x40, 0x01]),
            (Codec::Opus, &[0xfc]),
        ] {
            assert!(begins_access_unit(codec, payload), "{codec:?} {payload:?}");
        }
        for (codec, payload) in [
            (Codec::Vp8, &[0x00, 0x01][..]),
            (Codec::Vp8, &[0x11, 0x01]),
            (VP9, &[0x44]),
            (VP9, &[0x28, 0x02, 0x00]),
            (AV1, &[0x10]),
            // A slice may be any of its picture.
            (H264, &[0x65, 0x88]),
            (H264, &[0x7c, 0x85, 0x88]),
            (H264, &[]),
            (H265, &[0x26, 0x01, 0xaf]),
        ] {
            assert!(!begins_access_unit(codec, payload), "{codec:?} {payload:?}");
        }
    }

    #[test]
    fn temporal_layer_is_that_of_the_descriptor() {
        assert_eq!(temporal_layer(Codec::Vp8, &[0x90, 0x20, 0x80, 0x01]), 2);
        assert_eq!(temporal_layer(VP9, &[0x28, 0x20, 0x00]), 1);
        assert_eq!(temporal_layer(Codec::Vp8, &[0x10]), 0);
        assert_eq!(temporal_layer(H264, &[0x65]), 0);
    }
}
