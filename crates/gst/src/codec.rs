//! The codecs that can be sent, and what GStreamer calls them.

use gstreamer as gst;
use wigwag_media::session::Codec;

use crate::bitstream;

/// Constrained baseline, level 3.1: what every browser takes (RFC 7742 §6.2).
const CONSTRAINED_BASELINE: u32 = 0x42_e0_1f;

/// `general_profile_idc` of the main profile (ITU-T H.265, annex A.3.2).
const H265_MAIN: u8 = 1;

/// What is added to the number of a codec in renditions of a stream that comes encoded and is transcoded: the same codec
/// may be passed through, too.
pub(crate) const TRANSCODED: u32 = 64;

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
    /// Whether raw input is offered in it by default.
    pub(crate) encodes_by_default: bool,
    /// Whether every viewer has to take it (RFC 7742, section 5; RFC 7874, section 3).
    pub(crate) is_common: bool,
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
        encodes_by_default: true,
        is_common: true,
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
        encodes_by_default: true,
        is_common: true,
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
        encodes_by_default: true,
        is_common: false,
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
        encodes_by_default: true,
        is_common: false,
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
        encodes_by_default: true,
        is_common: false,
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
        encodes_by_default: true,
        is_common: true,
    },
    Format {
        number: 6,
        name: "PCMU",
        audio: true,
        media_type: "audio/x-mulaw",
        parser: None,
        parsed: None,
        payloader: "rtppcmupay",
        packages: "gstreamer1.0-plugins-good",
        encoded: Some("audio/x-mulaw, rate=8000, channels=1"),
        encodes_by_default: false,
        is_common: false,
    },
    Format {
        number: 7,
        name: "PCMA",
        audio: true,
        media_type: "audio/x-alaw",
        parser: None,
        parsed: None,
        payloader: "rtppcmapay",
        packages: "gstreamer1.0-plugins-good",
        encoded: Some("audio/x-alaw, rate=8000, channels=1"),
        encodes_by_default: false,
        is_common: false,
    },
];

impl Format {
    /// The codec of a media type, if it can be sent.
    pub(crate) fn of_media_type(media_type: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.media_type == media_type)
    }

    /// The codec of a rendition with this number.
    pub(crate) fn of_number(number: u32) -> Option<&'static Self> {
        let number = number % TRANSCODED;
        FORMATS.iter().find(|format| format.number == number)
    }

    /// As sessions name it, for a stream with these caps.
    pub(crate) fn codec(&self, caps: &gst::StructureRef) -> Codec {
        match self.name {
            "VP8" => Codec::Vp8,
            "VP9" => Codec::Vp9 {
                profile: vp9_profile(caps).unwrap_or(0),
            },
            "H265" => Codec::H265 {
                profile: h265_profile(caps).unwrap_or(H265_MAIN),
            },
            "AV1" => Codec::Av1 {
                profile: av1_profile(caps).unwrap_or(0),
            },
            "OPUS" => Codec::Opus,
            "PCMU" => Codec::Pcmu,
            "PCMA" => Codec::Pcma,
            _ => Codec::H264 {
                profile_level_id: profile_level_id(caps).unwrap_or(CONSTRAINED_BASELINE),
            },
        }
    }

    /// The clock of its RTP packets, in Hz.
    pub(crate) fn clock(&self) -> u32 {
        match self.name {
            "OPUS" => 48_000,
            "PCMU" | "PCMA" => 8_000,
            _ => 90_000,
        }
    }

    /// How many channels descriptions name; Opus always has two there (RFC 7587, section 4.1).
    pub(crate) fn channels(&self) -> u32 {
        if self.name == "OPUS" { 2 } else { 1 }
    }

    /// Its name as people write it.
    pub(crate) fn spelled(&self) -> &'static str {
        match self.name {
            "H264" => "H.264",
            "H265" => "H.265",
            "OPUS" => "Opus",
            "PCMU" => "G.711 (PCMU)",
            "PCMA" => "G.711 (PCMA)",
            name => name,
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

/// Caps of all codecs of a kind that raw input is offered in by default, and whose payloader is installed.
pub(crate) fn all_caps(audio: bool) -> gst::Caps {
    crate::registry::prepare();
    let mut caps = gst::Caps::new_empty();
    let installed = |format: &&Format| gst::ElementFactory::find(format.payloader).is_some();
    for format in FORMATS
        .iter()
        .filter(|format| format.audio == audio && format.encodes_by_default)
        .filter(installed)
    {
        caps.get_mut()
            .expect("nobody else has it")
            .append(format.caps());
    }
    caps
}

/// Profile and level of H.264 in the form of SDP (RFC 6184 §8.1): from the SPS, or else the names.
fn profile_level_id(caps: &gst::StructureRef) -> Option<u32> {
    if let Ok(id) = caps.get::<&str>(bitstream::PROFILE_LEVEL_ID) {
        return u32::from_str_radix(id, 16).ok();
    }
    if let Some([_, profile, constraints, level, ..]) = codec_data(caps).as_deref() {
        return Some(u32::from_be_bytes([0, *profile, *constraints, *level]));
    }
    let profile = match caps.get::<&str>("profile").ok()? {
        "constrained-baseline" => 0x42_e0,
        "baseline" => 0x42_00,
        "extended" => 0x58_00,
        "main" => 0x4d_00,
        "constrained-high" => 0x64_0c,
        "progressive-high" => 0x64_08,
        "high" => 0x64_00,
        "high-10" => 0x6e_00,
        "high-4:2:2" => 0x7a_00,
        "high-4:4:4" => 0xf4_00,
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

fn vp9_profile(caps: &gst::StructureRef) -> Option<u8> {
    caps.get::<&str>("profile").ok()?.parse().ok()
}

/// As in `profile-id` (RFC 7798 §7.1): `general_profile_idc`.
fn h265_profile(caps: &gst::StructureRef) -> Option<u8> {
    if let Some([_, profile, ..]) = codec_data(caps).as_deref() {
        return Some(profile & 0x1f);
    }
    match caps.get::<&str>("profile").ok()? {
        "main" => Some(H265_MAIN),
        "main-10" => Some(2),
        "main-still-picture" => Some(3),
        // The range extensions have all else that GStreamer names.
        _ => Some(4),
    }
}

fn av1_profile(caps: &gst::StructureRef) -> Option<u8> {
    if let Some([_, profile, ..]) = codec_data(caps).as_deref() {
        return Some(profile >> 5);
    }
    match caps.get::<&str>("profile").ok()? {
        "main" => Some(0),
        "high" => Some(1),
        "professional" => Some(2),
        _ => None,
    }
}

fn codec_data(caps: &gst::StructureRef) -> Option<Vec<u8>> {
    let data = caps.get::<gst::Buffer>("codec_data").ok()?;
    let data = data.map_readable().ok()?;
    Some(data.to_vec())
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
        let read = "video/x-h264, profile=main, level=(string)4, profile-level-id=(string)4de01f";
        assert_eq!(id(read), Some(0x4d_e0_1f));
        assert_eq!(id("video/x-h264"), None);
    }

    #[test]
    fn profiles_of_other_codecs_come_from_their_caps() {
        gst::init().expect("GStreamer starts");
        let codec = |caps: &str| {
            let caps: gst::Caps = caps.parse().expect("caps");
            let caps = caps.structure(0).expect("not empty");
            let format = Format::of_media_type(caps.name()).expect("a codec");
            format.codec(caps)
        };
        let vp9 = |profile| Codec::Vp9 { profile };
        assert_eq!(codec("video/x-vp9"), vp9(0));
        assert_eq!(codec("video/x-vp9, profile=(string)2"), vp9(2));
        let h265 = |profile| Codec::H265 { profile };
        assert_eq!(codec("video/x-h265"), h265(1));
        assert_eq!(codec("video/x-h265, profile=main-10"), h265(2));
        assert_eq!(codec("video/x-h265, codec_data=(buffer)0102"), h265(2));
        let av1 = |profile| Codec::Av1 { profile };
        assert_eq!(codec("video/x-av1, profile=high"), av1(1));
        assert_eq!(codec("video/x-av1, codec_data=(buffer)81050c00"), av1(0));
        assert_eq!(codec("audio/x-mulaw, rate=8000, channels=1"), Codec::Pcmu);
        assert_eq!(codec("audio/x-alaw, rate=8000, channels=1"), Codec::Pcma);
    }

    #[test]
    fn numbers_are_places() {
        for (place, format) in FORMATS.iter().enumerate() {
            assert_eq!(format.number as usize, place);
        }
    }
}
