//! The codecs that can be sent, and what GStreamer calls them.

use gstreamer as gst;
use wigwag_media::session::Codec;

/// Constrained baseline, level 3.1: what every browser takes (RFC 7742 §6.2).
const CONSTRAINED_BASELINE: u32 = 0x42_e0_1f;

/// A codec as GStreamer knows it.
#[derive(Debug)]
pub(crate) struct Format {
    /// The number of the codec in renditions: its place in [`FORMATS`].
    pub(crate) number: u32,
    /// As SDP names it.
    pub(crate) name: &'static str,
    pub(crate) audio: bool,
    /// The media type of its caps.
    pub(crate) media_type: &'static str,
    /// Reads headers, and brings the stream into the form that the payloader takes.
    pub(crate) parser: Option<&'static str>,
    /// The caps between parser and payloader.
    pub(crate) parsed: Option<&'static str>,
    pub(crate) payloader: &'static str,
    /// Debian packages with an encoder and with the payloader.
    pub(crate) packages: &'static str,
    /// What encoders are asked for.
    pub(crate) encoded: Option<&'static str>,
}

/// In the order in which they are offered unless told otherwise.
pub(crate) const FORMATS: &[Format] = &[
    Format {
        number: 0,
        name: "VP8",
        audio: false,
        media_type: "video/x-vp8",
        parser: None,
        parsed: None,
        payloader: "rtpvp8pay",
        packages: "gstreamer1.0-plugins-good",
        encoded: None,
    },
    Format {
        number: 1,
        name: "H264",
        audio: false,
        media_type: "video/x-h264",
        parser: Some("h264parse"),
        parsed: Some("video/x-h264, stream-format=avc, alignment=au"),
        payloader: "rtph264pay",
        packages: "gstreamer1.0-plugins-ugly (x264enc) or gstreamer1.0-plugins-bad (openh264enc), and gstreamer1.0-plugins-good",
        encoded: Some("video/x-h264, profile=constrained-baseline"),
    },
    Format {
        number: 2,
        name: "VP9",
        audio: false,
        media_type: "video/x-vp9",
        parser: Some("vp9parse"),
        parsed: None,
        payloader: "rtpvp9pay",
        packages: "gstreamer1.0-plugins-good and gstreamer1.0-plugins-bad",
        encoded: None,
    },
    Format {
        number: 3,
        name: "H265",
        audio: false,
        media_type: "video/x-h265",
        parser: Some("h265parse"),
        parsed: Some("video/x-h265, stream-format=hvc1, alignment=au"),
        payloader: "rtph265pay",
        packages: "gstreamer1.0-plugins-bad (x265enc) and gstreamer1.0-plugins-good",
        encoded: Some("video/x-h265, profile=main"),
    },
    Format {
        number: 4,
        name: "AV1",
        audio: false,
        media_type: "video/x-av1",
        parser: Some("av1parse"),
        parsed: Some("video/x-av1, stream-format=obu-stream, alignment=tu"),
        payloader: "rtpav1pay",
        packages: "gstreamer1.0-plugins-bad (av1enc) and gst-plugin-rtp (rtpav1pay)",
        encoded: None,
    },
    Format {
        number: 5,
        name: "OPUS",
        audio: true,
        media_type: "audio/x-opus",
        parser: None,
        parsed: None,
        payloader: "rtpopuspay",
        packages: "gstreamer1.0-plugins-base and gstreamer1.0-plugins-good",
        encoded: None,
    },
];

impl Format {
    /// The codec of a media type, if it can be sent.
    pub(crate) fn of_media_type(media_type: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.media_type == media_type)
    }

    /// The codec with this number.
    pub(crate) fn of_number(number: u32) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.number == number)
    }

    /// As sessions name it, for a stream with these caps.
    pub(crate) fn codec(&self, caps: &gst::StructureRef) -> Codec {
        match self.name {
            "VP8" => Codec::Vp8,
            "VP9" => Codec::Vp9,
            "H265" => Codec::H265,
            "AV1" => Codec::Av1,
            "OPUS" => Codec::Opus,
            _ => Codec::H264 {
                profile_level_id: profile_level_id(caps).unwrap_or(CONSTRAINED_BASELINE),
            },
        }
    }

    /// Its caps.
    pub(crate) fn caps(&self) -> gst::Caps {
        gst::Caps::new_empty_simple(self.media_type)
    }

    /// What an encoder of it is asked for: as browsers take it.
    pub(crate) fn encoded_caps(&self) -> gst::Caps {
        let caps = self.encoded.and_then(|caps| caps.parse().ok());
        caps.unwrap_or_else(|| self.caps())
    }
}

/// Caps of all codecs of a kind whose payloader is installed.
pub(crate) fn all_caps(audio: bool) -> gst::Caps {
    crate::registry::prepare();
    let mut caps = gst::Caps::new_empty();
    let installed = |format: &&Format| gst::ElementFactory::find(format.payloader).is_some();
    for format in FORMATS
        .iter()
        .filter(|format| format.audio == audio)
        .filter(installed)
    {
        caps.get_mut()
            .expect("nobody else has it")
            .append(format.caps());
    }
    caps
}

/// Profile and level of H.264 in the form of SDP (RFC 6184 §8.1), from `codec_data` or else the names.
fn profile_level_id(caps: &gst::StructureRef) -> Option<u32> {
    if let Ok(data) = caps.get::<gst::Buffer>("codec_data")
        && let Ok(data) = data.map_readable()
        && let [_, profile, constraints, level, ..] = data.as_slice()
    {
        return Some(u32::from_be_bytes([0, *profile, *constraints, *level]));
    }
    let profile = match caps.get::<&str>("profile").ok()? {
        "constrained-baseline" => 0x42_e0,
        "baseline" => 0x42_00,
        "main" => 0x4d_00,
        "constrained-high" => 0x64_0c,
        "high" => 0x64_00,
        _ => return None,
    };
    let level = match caps.get::<&str>("level").unwrap_or("3.1") {
        "1b" => 11,
        level => {
            let (major, minor) = level.split_once('.').unwrap_or((level, "0"));
            major.parse::<u32>().ok()? * 10 + minor.parse::<u32>().ok()?
        }
    };
    Some(profile << 8 | level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(caps: &str) -> Option<u32> {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        profile_level_id(caps.structure(0).expect("not empty"))
    }

    #[test]
    fn profile_and_level_come_from_the_names_or_the_codec_data() {
        let named = "video/x-h264, profile=constrained-baseline, level=(string)3.1";
        assert_eq!(id(named), Some(0x42_e0_1f));
        assert_eq!(
            id("video/x-h264, profile=high, level=(string)4"),
            Some(0x64_00_28)
        );
        let data = "video/x-h264, codec_data=(buffer)014d401effe1";
        assert_eq!(id(data), Some(0x4d_40_1e));
        assert_eq!(id("video/x-h264"), None);
    }

    #[test]
    fn numbers_are_places() {
        for (place, format) in FORMATS.iter().enumerate() {
            assert_eq!(format.number as usize, place);
        }
    }
}
