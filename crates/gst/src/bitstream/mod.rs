//! What the caps of encoded streams leave out, read from the streams: profiles as descriptions name them, and what not
//! every viewer can show.

pub(crate) mod bits;

use gstreamer as gst;
use wigwag_media::rtp::h264_sps::SequenceParameters;
use wigwag_media::rtp::nal_units::{Framing, contents};

/// The field of H.264 caps with what was read of its SPS, in the form of SDP (RFC 6184 §8.1).
pub(crate) const PROFILE_LEVEL_ID: &str = "profile-level-id";

/// The field of H.264 caps that says by how many places pictures may be shown later than they come.
pub(crate) const REORDERED: &str = "reordered";

/// Buffers that are looked at before the caps' names are believed: nothing can be decoded before there is an SPS.
pub(crate) const MAX_BUFFERS: usize = 300;

/// Whether buffers say what these caps do not.
pub(crate) fn is_needed(caps: &gst::StructureRef) -> bool {
    match caps.name().as_str() {
        "video/x-h264" => !caps.has_field("codec_data"),
        "video/x-vp9" => !caps.has_field("profile"),
        _ => false,
    }
}

/// The caps with what a buffer says; none if it says nothing.
pub(crate) fn completed(caps: &gst::CapsRef, data: &[u8]) -> Option<gst::Caps> {
    let mut caps = caps.to_owned();
    let structure = caps.make_mut().structure_mut(0)?;
    let name = structure.name().to_string();
    match name.as_str() {
        "video/x-h264" => describe(structure, &in_byte_stream(data)?),
        "video/x-vp9" => structure.set("profile", vp9_profile(data)?.to_string()),
        _ => return None,
    }
    Some(caps)
}

/// The caps with what their own data say of the stream.
pub(crate) fn described(caps: &gst::CapsRef) -> gst::Caps {
    let mut caps = caps.to_owned();
    if let Some(structure) = caps.make_mut().structure_mut(0)
        && structure.name() == "video/x-h264"
        && let Some(parameters) = in_codec_data(structure)
    {
        describe(structure, &parameters);
    }
    caps
}

/// Writes what parameters say into caps: in the fields that parsers use for it, as far as there are any.
fn describe(caps: &mut gst::StructureRef, parameters: &SequenceParameters) {
    let id = parameters.profile_level_id;
    caps.set(PROFILE_LEVEL_ID, format!("{id:06x}"));
    caps.set("chroma-format", chroma_format(parameters.chroma_format));
    caps.set("bit-depth-luma", parameters.bit_depth);
    if !parameters.progressive {
        caps.set("interlace-mode", "mixed");
    }
    if let Some((width, height)) = parameters.pixel_aspect_ratio
        && let (Ok(width), Ok(height @ 1..)) = (i32::try_from(width), i32::try_from(height))
    {
        caps.set("pixel-aspect-ratio", gst::Fraction::new(width, height));
    }
    if let Some(reordered) = parameters.reordered {
        caps.set(REORDERED, reordered);
    }
}

/// As parsers write it.
fn chroma_format(number: u32) -> &'static str {
    match number {
        0 => "4:0:0",
        1 => "4:2:0",
        2 => "4:2:2",
        _ => "4:4:4",
    }
}

/// The first SPS in an H.264 byte stream (ITU-T H.264, annex B) that can be read.
fn in_byte_stream(stream: &[u8]) -> Option<SequenceParameters> {
    contents(stream, Framing::StartCodes).find_map(SequenceParameters::read)
}

/// The first SPS of an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, section 5.3.3.1.2).
fn in_codec_data(caps: &gst::StructureRef) -> Option<SequenceParameters> {
    let data = caps.get::<gst::Buffer>("codec_data").ok()?;
    let data = data.map_readable().ok()?;
    let [_, _, _, _, _, count, high, low, rest @ ..] = data.as_slice() else {
        return None;
    };
    if count & 0x1f == 0 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    SequenceParameters::read(rest.get(..length)?)
}

/// The profile in the uncompressed header of a VP9 frame (VP9 bitstream specification, section 6.2).
fn vp9_profile(frame: &[u8]) -> Option<u8> {
    const FRAME_MARKER: u8 = 2;
    let first = *frame.first()?;
    (first >> 6 == FRAME_MARKER).then_some((first >> 5 & 1) | (first >> 4 & 1) << 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed_text(caps: &str, data: &[u8]) -> Option<String> {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        assert!(is_needed(caps.structure(0).expect("not empty")));
        completed(&caps, data).map(|caps| caps.to_string())
    }

    // Made by x264enc: 320x240, 30 frames/s.
    const BASELINE: &[u8] = include_bytes!("../../../media/tests/vectors/h264/baseline.h264");
    const MAIN_WITHOUT_B_FRAMES: &[u8] =
        include_bytes!("../../../media/tests/vectors/h264/main_without_b_frames.h264");
    const MAIN_WITH_B_FRAMES: &[u8] =
        include_bytes!("../../../media/tests/vectors/h264/main_with_b_frames.h264");
    const HIGH_444: &[u8] = include_bytes!("../../../media/tests/vectors/h264/high_444.h264");
    const INTERLACED: &[u8] = include_bytes!("../../../media/tests/vectors/h264/interlaced.h264");

    #[test]
    fn h264_without_codec_data_is_described_by_its_sps() {
        let described = |stream: &[u8]| {
            let named = "video/x-h264, stream-format=byte-stream, profile=main";
            completed_text(named, stream).expect("it has an SPS")
        };
        let text = described(BASELINE);
        assert!(text.contains("profile-level-id=(string)42c00a"), "{text}");
        assert!(text.contains("reordered=(uint)0"), "{text}");
        let text = described(MAIN_WITHOUT_B_FRAMES);
        assert!(text.contains("reordered=(uint)0"), "{text}");
        let text = described(MAIN_WITH_B_FRAMES);
        assert!(text.contains("reordered=(uint)2"), "{text}");
        let text = described(HIGH_444);
        assert!(text.contains("chroma-format=(string)4:4:4"), "{text}");
        let text = described(INTERLACED);
        assert!(text.contains("interlace-mode=(string)mixed"), "{text}");
    }

    #[test]
    fn h264_with_codec_data_is_described_by_it() {
        gst::init().expect("GStreamer starts");
        let begin = MAIN_WITH_B_FRAMES
            .windows(4)
            .position(|window| window[..3] == [0, 0, 1] && window[3] & 0x1f == 7);
        let rest = &MAIN_WITH_B_FRAMES[begin.expect("an SPS") + 3..];
        let end = rest.windows(3).position(|window| window == [0, 0, 0]);
        let unit = &rest[..end.expect("a PPS follows")];
        let mut data = vec![1, unit[1], unit[2], unit[3], 0xff, 0xe1, 0];
        data.push(u8::try_from(unit.len()).expect("it is short"));
        data.extend_from_slice(unit);
        for length in 0..data.len() {
            let cut = gst::Buffer::from_slice(data[..length].to_vec());
            let caps = gst::Caps::builder("video/x-h264").field("codec_data", cut);
            // What is cut short is taken for what it says, or for nothing.
            let _ = described(&caps.build());
        }
        let whole = gst::Buffer::from_slice(data);
        let caps = gst::Caps::builder("video/x-h264").field("codec_data", whole);
        let text = described(&caps.build()).to_string();
        assert!(text.contains("reordered=(uint)2"), "{text}");
    }

    #[test]
    fn h264_without_sps_says_nothing() {
        for stream in [
            &[][..],
            &[0, 0, 1],
            &[0, 0, 1, 0x67, 0x42, 0xa0],
            &[0, 0, 0, 1, 0x65, 0x88, 0x84, 0, 0x33],
        ] {
            assert_eq!(completed_text("video/x-h264", stream), None, "{stream:?}");
        }
    }

    #[test]
    fn vp9_without_profile_has_that_of_its_first_frame() {
        for (first, profile) in [(0x82, 0), (0xa2, 1), (0x92, 2), (0xb0, 3)] {
            let text = completed_text("video/x-vp9", &[first, 0x49]).expect("a frame");
            assert!(
                text.contains(&format!("profile=(string){profile}")),
                "{text}"
            );
        }
        assert_eq!(completed_text("video/x-vp9", &[0x02]), None);
    }
}
