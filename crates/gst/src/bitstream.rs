//! What the caps of encoded streams leave out, read from their first buffers: profiles as descriptions name them.

use gstreamer as gst;

/// The field of H.264 caps with what was read of its SPS, in the form of SDP (RFC 6184 §8.1).
pub(crate) const PROFILE_LEVEL_ID: &str = "profile-level-id";

/// Buffers that are looked at before the caps' names are believed: nothing can be decoded before there is an SPS.
pub(crate) const MAX_BUFFERS: usize = 300;

/// NAL unit type of a sequence parameter set (ITU-T H.264, table 7-1).
const SEQUENCE_PARAMETER_SET: u8 = 7;

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
        "video/x-h264" => {
            let id = profile_level_id(data)?;
            structure.set(PROFILE_LEVEL_ID, format!("{id:06x}"));
        }
        "video/x-vp9" => structure.set("profile", vp9_profile(data)?.to_string()),
        _ => return None,
    }
    Some(caps)
}

/// Profile, constraints and level in the first SPS of an H.264 byte stream (ITU-T H.264, annex B and section 7.3.2.1.1):
/// the three bytes behind the NAL unit's header. No byte that keeps start codes out can stand between them.
fn profile_level_id(stream: &[u8]) -> Option<u32> {
    let mut units = stream.windows(7).filter(|window| window[..3] == [0, 0, 1]);
    let unit = units.find(|unit| unit[3] & 0x1f == SEQUENCE_PARAMETER_SET)?;
    Some(u32::from_be_bytes([0, unit[4], unit[5], unit[6]]))
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

    #[test]
    fn h264_without_codec_data_has_the_profile_of_its_sps() {
        let named = "video/x-h264, stream-format=byte-stream, profile=main";
        let stream = [
            0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0xa0, 0x1e, 0xab,
        ];
        let text = completed_text(named, &stream).expect("it has an SPS");
        assert!(text.contains("profile-level-id=(string)42a01e"), "{text}");
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
