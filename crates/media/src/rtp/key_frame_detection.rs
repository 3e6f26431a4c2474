//! Which packets a key frame begins with, as the payload formats say.
//!
//! A payload that is cut short or makes no sense begins none. In a stream whose payloads say so in more than
//! one way (parameter sets, then the picture), all of them count: what is one frame is
//! [`FrameAssembler`](crate::frame::FrameAssembler)'s to say.

use super::descriptor::av1::Av1AggregationHeader;
use super::descriptor::h264::{self, H264Payload};
use super::descriptor::h265::{self, H265Payload};
use super::descriptor::vp8::Vp8Descriptor;
use super::descriptor::vp9::Vp9Descriptor;
use crate::session::Codec;

/// What a payload says of the frame that it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A key frame begins with it.
    Key,
    /// It is of another frame, or does not begin one.
    Other,
    /// It stands in front of a picture of either kind: the delimiter, or supplemental information, in a packet of its own.
    Undecided,
}

/// Whether an RTP payload is the beginning of a key frame. Every packet of sound is.
pub fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    frame_kind(codec, payload) == FrameKind::Key
}

/// What a payload says of its frame.
pub(crate) fn frame_kind(codec: Codec, payload: &[u8]) -> FrameKind {
    let is_key = match codec {
        Codec::Vp8 => Vp8Descriptor::read(payload)
            .is_some_and(|(descriptor, frame)| descriptor.begins_key_frame(frame)),
        Codec::Vp9 { .. } => Vp9Descriptor::read(payload)
            .is_some_and(|(descriptor, _)| descriptor.begins_key_frame()),
        Codec::Av1 { .. } => {
            Av1AggregationHeader::read(payload).is_some_and(|(header, _)| header.begins_key_frame())
        }
        Codec::H264 { .. } => {
            let payload = H264Payload::read(payload);
            let types = payload.into_iter().flat_map(H264Payload::unit_types);
            return of_units(types.map(h264_unit));
        }
        Codec::H265 { .. } => {
            let payload = H265Payload::read(payload);
            let types = payload.into_iter().flat_map(H265Payload::unit_types);
            return of_units(types.map(h265_unit));
        }
        Codec::Opus | Codec::Pcmu | Codec::Pcma => true,
    };
    if is_key {
        FrameKind::Key
    } else {
        FrameKind::Other
    }
}

/// What stands in front of a picture says nothing, unless nothing else is there.
fn of_units(units: impl Iterator<Item = FrameKind>) -> FrameKind {
    let mut kind = None;
    for unit in units {
        match unit {
            FrameKind::Key => return FrameKind::Key,
            FrameKind::Other => kind = Some(FrameKind::Other),
            FrameKind::Undecided => _ = kind.get_or_insert(FrameKind::Undecided),
        }
    }
    kind.unwrap_or(FrameKind::Other)
}

/// The kind by a type of ITU-T H.264, table 7-1.
fn h264_unit(unit_type: u8) -> FrameKind {
    use h264::nal_unit_type::{
        ACCESS_UNIT_DELIMITER, IDR, PICTURE_PARAMETER_SET, SEI, SEQUENCE_PARAMETER_SET,
    };
    match unit_type {
        IDR | SEQUENCE_PARAMETER_SET => FrameKind::Key,
        ACCESS_UNIT_DELIMITER | SEI | PICTURE_PARAMETER_SET => FrameKind::Undecided,
        _ => FrameKind::Other,
    }
}

/// The kind by a type of ITU-T H.265, table 7-1.
fn h265_unit(unit_type: u8) -> FrameKind {
    use h265::nal_unit_type::{
        ACCESS_UNIT_DELIMITER, PICTURE_PARAMETER_SET, PREFIX_SEI, RANDOM_ACCESS,
        SEQUENCE_PARAMETER_SET, VIDEO_PARAMETER_SET,
    };
    match unit_type {
        VIDEO_PARAMETER_SET | SEQUENCE_PARAMETER_SET => FrameKind::Key,
        ACCESS_UNIT_DELIMITER | PREFIX_SEI | PICTURE_PARAMETER_SET => FrameKind::Undecided,
        other if RANDOM_ACCESS.contains(&other) => FrameKind::Key,
        _ => FrameKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VP9: Codec = Codec::Vp9 { profile: 0 };
    const H265: Codec = Codec::H265 { profile: 1 };
    const AV1: Codec = Codec::Av1 { profile: 0 };
    const H264: Codec = Codec::H264 {
        profile_level_id: 0x42e01f,
    };

    fn assert_begins(codec: Codec, payloads: &[&[u8]]) {
        for payload in payloads {
            assert!(begins_key_frame(codec, payload), "{codec:?} {payload:02x?}");
        }
    }

    fn assert_begins_not(codec: Codec, payloads: &[&[u8]]) {
        for payload in payloads {
            assert!(
                !begins_key_frame(codec, payload),
                "{codec:?} {payload:02x?}"
            );
        }
    }

    #[test]
    fn vp8_tells_behind_its_descriptor() {
        assert_begins(
            Codec::Vp8,
            &[
                &[0x10, 0x00],
                &[0x90, 0x80, 0x11, 0x10],
                &[0x90, 0x80, 0x91, 0x22, 0x10],
                &[0x90, 0xe0, 0x91, 0x22, 0x05, 0x20, 0x10],
                &[0x90, 0x10, 0x05, 0x10],
            ],
        );
        assert_begins_not(
            Codec::Vp8,
            &[
                // A delta frame, the rest of a frame, another partition, and too short ones.
                &[0x10, 0x01],
                &[0x00, 0x00],
                &[0x11, 0x00],
                &[0x90, 0x80, 0x91, 0x22, 0x11],
                &[],
                &[0x10],
                &[0x90, 0x80, 0x91, 0x22],
            ],
        );
    }

    #[test]
    fn vp9_tells_in_its_descriptor() {
        assert_begins(
            VP9,
            &[
                &[0x08],
                &[0x0a, 0x18, 0x01, 0x40, 0x00, 0xb4, 0x00],
                &[0x88, 0x11],
                &[0x88, 0x91, 0x22],
                &[0xa8, 0x91, 0x22, 0x00, 0x07],
            ],
        );
        assert_begins_not(
            VP9,
            &[
                // Predicted, the rest of a frame, a higher layer, and too short ones.
                &[0x48],
                &[0x04],
                &[0x28, 0x02],
                &[],
                &[0x88],
                &[0x88, 0x91],
                &[0x28],
            ],
        );
    }

    #[test]
    fn h264_tells_in_units_aggregates_and_fragments() {
        assert_begins(
            H264,
            &[
                &[0x65, 0x88],
                &[0x67, 0x42],
                &[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68],
                &[0x78, 0, 1, 0x06, 0, 2, 0x65, 0x88],
                &[0x7c, 0x85, 0x88],
            ],
        );
        assert_begins_not(
            H264,
            &[
                // A delta picture, picture parameters, the middle of a fragmented picture.
                &[0x41, 0x9a],
                &[0x68, 0xce],
                &[0x7c, 0x05],
                &[0x7c, 0x81],
                &[0x78, 0, 1, 0x41],
                // A length beyond the end, and too short ones.
                &[0x78, 0xff, 0xff, 0x65],
                &[0x78, 0],
                &[0x7c],
                &[],
            ],
        );
    }

    #[test]
    fn h265_tells_in_units_aggregates_and_fragments() {
        assert_begins(
            H265,
            &[
                // IDR, CRA, VPS, SPS; an aggregate that begins with the VPS; the first fragment.
                &[0x26, 0x01, 0xaf],
                &[0x2a, 0x01],
                &[0x40, 0x01],
                &[0x42, 0x01],
                &[0x60, 0x01, 0, 2, 0x40, 0x01, 0, 2, 0x44, 0x01],
                &[0x62, 0x01, 0x93],
            ],
        );
        assert_begins_not(
            H265,
            &[
                // A trailing picture, picture parameters, a later fragment.
                &[0x02, 0x01],
                &[0x44, 0x01],
                &[0x62, 0x01, 0x13],
                &[0x62, 0x01, 0x81],
                &[0x60, 0x01, 0, 2, 0x02, 0x01],
                &[0x60, 0x01, 0xff, 0xff, 0x26],
                &[0x60],
                &[0x62, 0x01],
                &[],
            ],
        );
    }

    #[test]
    fn av1_tells_in_its_aggregation_header() {
        assert_begins(AV1, &[&[0x08], &[0x18, 0x0a]]);
        assert_begins_not(AV1, &[&[0x00], &[0x10], &[0x88], &[]]);
    }

    #[test]
    fn what_stands_in_front_of_either_kind_of_picture_is_undecided() {
        for (codec, payload) in [
            (H264, &[0x09, 0x10][..]),
            (H264, &[0x06, 0x05]),
            (H264, &[0x78, 0, 1, 0x09, 0, 1, 0x68]),
            (H265, &[0x46, 0x01, 0x10]),
            (H265, &[0x60, 0x01, 0, 2, 0x46, 0x01, 0, 2, 0x4e, 0x01]),
        ] {
            assert_eq!(frame_kind(codec, payload), FrameKind::Undecided);
        }
        let with_slice = [0x78, 0, 1, 0x09, 0, 1, 0x41];
        assert_eq!(frame_kind(H264, &with_slice), FrameKind::Other);
        assert_eq!(frame_kind(H264, &[0x7c, 0x05, 9]), FrameKind::Other);
    }

    #[test]
    fn sound_begins_anywhere() {
        assert_begins(Codec::Opus, &[&[0xfc], &[]]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            for codec in [Codec::Vp8, VP9, H264, H265, AV1, Codec::Opus] {
                begins_key_frame(codec, &payload);
            }
        }

        /// Cutting a payload short never makes a key frame of what is none.
        #[test]
        fn less_is_never_more(payload in proptest::collection::vec(any::<u8>(), 0..16), cut in 0..16usize) {
            let cut = &payload[..cut.min(payload.len())];
            for codec in [Codec::Vp8, VP9, AV1] {
                prop_assert!(begins_key_frame(codec, &payload) || !begins_key_frame(codec, cut));
            }
        }
    }
}
