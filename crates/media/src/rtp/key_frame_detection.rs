//! Which packets a key frame begins with, as the payload formats tell.
//!
//! A payload that is cut short or makes no sense begins none. In a stream whose payloads tell more than
//! one way (parameter sets, then the picture), all of them count: what is one frame is
//! [`FrameAssembler`](crate::frame::FrameAssembler)'s to say.

use crate::session::Codec;

/// Types of H.264 NAL units (ITU-T H.264, table 7-1; RFC 6184, table 1).
mod h264 {
    pub(super) const IDR: u8 = 5;
    pub(super) const SEQUENCE_PARAMETERS: u8 = 7;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

/// Types of H.265 NAL units (ITU-T H.265, table 7-1; RFC 7798, section 1.1.4).
mod h265 {
    use std::ops::RangeInclusive;

    /// Pictures at which decoding can begin, types reserved for such included.
    pub(super) const RANDOM_ACCESS: RangeInclusive<u8> = 16..=23;
    /// Video and sequence parameter sets.
    pub(super) const PARAMETERS: RangeInclusive<u8> = 32..=33;
    pub(super) const AGGREGATION: u8 = 48;
    pub(super) const FRAGMENT: u8 = 49;
}

/// Whether an RTP payload is the beginning of a key frame. Every packet of sound is.
pub fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    let begins = match codec {
        Codec::Vp8 => vp8(payload),
        Codec::Vp9 { .. } => vp9(payload),
        Codec::H264 { .. } => h264(payload),
        Codec::H265 { .. } => h265(payload),
        Codec::Av1 { .. } => av1(payload),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => Some(true),
    };
    begins.unwrap_or(false)
}

/// RFC 7741, sections 4.2 and 4.3.
fn vp8(payload: &[u8]) -> Option<bool> {
    let mut bytes = payload.iter().copied();
    let required = bytes.next()?;
    let begins_partition = required & 0x10 != 0;
    let partition = required & 0x07;
    if required & 0x80 != 0 {
        let extended = bytes.next()?;
        if extended & 0x80 != 0 && bytes.next()? & 0x80 != 0 {
            // A picture id of 15 bits.
            bytes.next()?;
        }
        if extended & 0x40 != 0 {
            bytes.next()?;
        }
        if extended & 0x30 != 0 {
            bytes.next()?;
        }
    }
    let is_delta = bytes.next()? & 0x01 != 0;
    Some(begins_partition && partition == 0 && !is_delta)
}

/// RFC 9628, section 4.2: not predicted from other frames, its beginning, and the lowest spatial layer.
fn vp9(payload: &[u8]) -> Option<bool> {
    let mut bytes = payload.iter().copied();
    let required = bytes.next()?;
    let has_picture_id = required & 0x80 != 0;
    let predicted = required & 0x40 != 0;
    let has_layers = required & 0x20 != 0;
    let begins_frame = required & 0x08 != 0;
    if has_picture_id && bytes.next()? & 0x80 != 0 {
        bytes.next()?;
    }
    let spatial_layer = if has_layers {
        bytes.next()? >> 1 & 0x07
    } else {
        0
    };
    Some(begins_frame && !predicted && spatial_layer == 0)
}

/// RFC 6184, sections 5.6 to 5.8.
fn h264(payload: &[u8]) -> Option<bool> {
    let is_key = |header: u8| matches!(header & 0x1f, h264::IDR | h264::SEQUENCE_PARAMETERS);
    match payload.first()? & 0x1f {
        h264::STAP_A => aggregated(&payload[1..], is_key),
        h264::FU_A => {
            let header = payload.get(1)?;
            Some(header & 0x80 != 0 && is_key(*header))
        }
        _ => Some(is_key(*payload.first()?)),
    }
}

/// RFC 7798, section 4.4, without decoding order numbers (`sprop-max-don-diff=0`, the default).
fn h265(payload: &[u8]) -> Option<bool> {
    let is_key = |unit_type: u8| {
        h265::RANDOM_ACCESS.contains(&unit_type) || h265::PARAMETERS.contains(&unit_type)
    };
    let of_header = |header: u8| header >> 1 & 0x3f;
    match of_header(*payload.first()?) {
        h265::AGGREGATION => aggregated(payload.get(2..)?, |header| is_key(of_header(header))),
        h265::FRAGMENT => {
            let header = payload.get(2)?;
            Some(header & 0x80 != 0 && is_key(header & 0x3f))
        }
        unit_type => Some(is_key(unit_type)),
    }
}

/// The AV1 RTP specification, section 4.4: N tells that a coded video sequence begins.
fn av1(payload: &[u8]) -> Option<bool> {
    let aggregation = payload.first()?;
    let continues = aggregation & 0x80 != 0;
    let begins_sequence = aggregation & 0x08 != 0;
    Some(begins_sequence && !continues)
}

/// Whether one of the units says so, each of which comes after its length in two bytes.
fn aggregated(mut units: &[u8], is_key: impl Fn(u8) -> bool) -> Option<bool> {
    while let Some((length, rest)) = units.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (unit, rest) = rest.split_at_checked(length)?;
        if unit.first().is_some_and(|header| is_key(*header)) {
            return Some(true);
        }
        units = rest;
    }
    Some(false)
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
                &[0x0a, 0x18],
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
