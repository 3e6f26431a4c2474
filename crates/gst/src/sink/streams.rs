//! A pad's stream: in which codecs it can be sent.

use gstreamer as gst;
use gstreamer_video as gst_video;
use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::session::{Codec, CodecConfig, ColourSpace, PassedThrough, StreamConfig};

use super::feeds::Feeds;
use super::pace::Liveness;
use super::playout_delay::PlayoutDelaySetting;
use super::settings::Settings;
use super::transcode::Transcode;
use super::unshowable;
use crate::codec::{FORMATS, Format, TRANSCODED};
use crate::registry;

/// A stream whose caps are known.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// The name of its pad.
    pub(super) name: String,
    /// Its caps, with what was read of it.
    pub(super) caps: gst::Caps,
    pub(super) feeds: Feeds,
    /// The same decoded, as long as a rendition needs it.
    pub(super) decoded: Feeds,
    pub(super) liveness: Liveness,
    /// What its RTP timestamps begin with, in all codecs.
    pub(super) timestamp_offset: u32,
    pub(super) audio: bool,
    /// Whether it comes encoded.
    pub(super) encoded: bool,
    /// Why not every viewer shows it right, though it is passed through.
    pub(super) caveat: Option<String>,
    /// Whether a warning said that a viewer refuses it.
    pub(super) refusal_posted: bool,
    /// In order of preference; never empty.
    pub(super) codecs: Vec<StreamCodec>,
}

/// A codec in which a stream can be sent.
#[derive(Clone, Debug)]
pub(super) struct StreamCodec {
    /// Its number in renditions.
    pub(super) number: u32,
    pub(super) format: &'static Format,
    pub(super) codec: Codec,
    /// What an encoder has to make.
    pub(super) encoded_caps: gst::Caps,
    /// Those that can, the best first; none for what is passed through.
    pub(super) encoders: Vec<gst::ElementFactory>,
}

/// In which codecs a stream is offered, and why not as it comes.
#[derive(Debug)]
pub(super) struct Offer {
    /// In order of preference; never empty.
    pub(super) codecs: Vec<StreamCodec>,
    /// What it comes as, as people write it.
    pub(super) comes_as: &'static str,
    /// Why not every viewer can show it as it comes, if so.
    pub(super) unshowable: Option<&'static str>,
    /// Why it is not transcoded although it is to be; what to install.
    pub(super) lacking: Option<String>,
}

/// Why a stream cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("{0} cannot be sent by WebRTC")]
    UnknownFormat(String),
    #[error("no element can encode this as {0}. Install {1}")]
    NoEncoder(String, String),
    #[error("no element decodes {0}. Install gstreamer1.0-plugins-good and gstreamer1.0-libav")]
    NoDecoder(&'static str),
    #[error("video-caps and audio-caps name neither {0}")]
    NotAsked(String),
    #[error("{0} cannot be sent without the elements of {1}")]
    NoPayloader(&'static str, &'static str),
}

impl Stream {
    /// What is offered of it.
    pub(super) fn config(&self, playout_delay: PlayoutDelaySetting) -> StreamConfig {
        let config = |codec: &StreamCodec| CodecConfig {
            number: codec.number,
            alternate_number: self.other_number(codec),
            codec: codec.codec,
            colour_space: self.colour_space(codec),
        };
        StreamConfig {
            id: self.id,
            codecs: self.codecs.iter().map(config).collect(),
            playout_delay: playout_delay
                .for_source(self.liveness.is_live())
                .filter(|_| !self.audio),
            passed_through: self
                .passed()
                .filter(|_| !self.audio)
                .map(|_| PassedThrough {
                    caveat: self.caveat.clone(),
                }),
        }
    }

    /// Under which number its pictures would be the same codec, if they came in another: transcoded, or as they came.
    fn other_number(&self, codec: &StreamCodec) -> Option<u32> {
        let may_be_both = self.encoded && !self.audio && codec.format.is_common;
        may_be_both.then_some(codec.number ^ TRANSCODED)
    }

    /// What the samples of its pictures mean in a codec: as its caps say, or as everything is encoded.
    fn colour_space(&self, codec: &StreamCodec) -> Option<ColourSpace> {
        if self.audio {
            return None;
        }
        if !codec.is_passed() {
            return Some(ColourSpace::BT601);
        }
        let text = self.caps.structure(0)?.get::<&str>("colorimetry").ok()?;
        let colorimetry: gst_video::VideoColorimetry = text.parse().ok()?;
        let number = |number: u32| u8::try_from(number).ok();
        Some(ColourSpace {
            primaries: number(colorimetry.primaries().to_iso())?,
            transfer: number(colorimetry.transfer().to_iso())?,
            matrix: number(colorimetry.matrix().to_iso())?,
            full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
        })
    }

    /// Its codecs as people write them.
    pub(super) fn codec_names(&self) -> String {
        let names = self.codecs.iter().map(|codec| codec.format.spelled());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Its codecs as descriptions name them.
    pub(super) fn described_codecs(&self) -> String {
        let names = self.codecs.iter().map(|codec| codec.format.name);
        names.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn codec(&self, number: u32) -> Option<&StreamCodec> {
        self.codecs.iter().find(|codec| codec.number == number)
    }

    /// Whether a rendition is of this stream, and encoded from what is decoded of it.
    pub(super) fn is_decoded_for(&self, rendition: RenditionId) -> bool {
        self.encoded && rendition.stream == self.id && rendition.codec >= TRANSCODED
    }

    /// The codec in which it comes, if it is passed through.
    pub(super) fn passed(&self) -> Option<&StreamCodec> {
        self.codecs.iter().find(|codec| codec.is_passed())
    }
}

/// Whether caps are of raw sound or pictures.
pub(super) fn is_raw(caps: &gst::CapsRef) -> bool {
    let name = caps.structure(0).map(|structure| structure.name().as_str());
    matches!(name, Some("video/x-raw" | "audio/x-raw"))
}

impl StreamCodec {
    /// Whether it goes to viewers as it comes.
    pub(super) fn is_passed(&self) -> bool {
        self.encoders.is_empty()
    }
}

/// What is offered of a stream with these caps. `reordered` says that its pictures do not come in the order in which they
/// are shown, whatever it says of itself.
pub(super) fn offer(
    caps: &gst::CapsRef,
    reordered: bool,
    settings: &Settings,
) -> Result<Offer, StreamError> {
    let unknown = || StreamError::UnknownFormat(caps.to_string());
    let structure = caps.structure(0).ok_or_else(unknown)?;
    if is_raw(caps) {
        return Ok(Offer {
            codecs: encoded_as(structure.name().starts_with("audio/"), settings)?,
            comes_as: "raw",
            unshowable: None,
            lacking: None,
        });
    }
    let format = Format::of_media_type(structure.name()).ok_or_else(unknown)?;
    let passed = passed_through(format, structure, caps);
    let unshowable = unshowable::reason(structure, reordered);
    let is_needed = settings.transcode == Transcode::WhenNeeded;
    let (transcoded, lacking) = match transcoded_codecs(format, structure, settings) {
        Ok(transcoded) if is_needed => (transcoded, None),
        Err(lacking) if is_needed => (Vec::new(), Some(lacking.to_string())),
        _ => (Vec::new(), None),
    };
    // What is passed through to some is offered beside another codec only: viewers that refuse the one have the other.
    let others = |passed: &StreamCodec| {
        let others = transcoded.iter();
        let others = others.filter(|codec| codec.format.number != passed.format.number);
        others.cloned().collect::<Vec<_>>()
    };
    let codecs = match passed {
        Ok(passed) if unshowable.is_none() => {
            let others = others(&passed);
            [vec![passed], others].concat()
        }
        Ok(passed) if transcoded.is_empty() => vec![passed],
        Err(error) if transcoded.is_empty() => return Err(error),
        _ => transcoded,
    };
    Ok(Offer {
        codecs,
        comes_as: format.spelled(),
        unshowable,
        lacking,
    })
}

/// The stream as it comes.
fn passed_through(
    format: &'static Format,
    structure: &gst::StructureRef,
    caps: &gst::CapsRef,
) -> Result<StreamCodec, StreamError> {
    if !can_be_passed_through(format, structure) {
        return Err(StreamError::UnknownFormat(caps.to_string()));
    }
    if !registry::can_payload(format) {
        return Err(StreamError::NoPayloader(format.name, format.packages));
    }
    Ok(StreamCodec {
        number: format.number,
        format,
        codec: format.codec(structure),
        encoded_caps: caps.to_owned(),
        encoders: Vec::new(),
    })
}

/// The stream decoded, and encoded as something that every viewer takes.
fn transcoded_codecs(
    format: &'static Format,
    structure: &gst::StructureRef,
    settings: &Settings,
) -> Result<Vec<StreamCodec>, StreamError> {
    if !registry::can_decode(structure) {
        return Err(StreamError::NoDecoder(format.spelled()));
    }
    let mut codecs = encoded_as(format.audio, settings)?;
    codecs.retain(|codec| codec.format.is_common);
    for codec in &mut codecs {
        codec.number += TRANSCODED;
    }
    if codecs.is_empty() {
        let common = FORMATS
            .iter()
            .filter(|other| other.audio == format.audio && other.is_common);
        let common: Vec<_> = common.map(|format| format.spelled()).collect();
        return Err(StreamError::NotAsked(common.join(" nor ")));
    }
    Ok(codecs)
}

/// Of G.711, descriptions know 8,000 samples/s and one channel alone (RFC 3551, section 4.5.14), of Opus one stream of at
/// most two channels (RFC 7587, section 4.2).
fn can_be_passed_through(format: &Format, caps: &gst::StructureRef) -> bool {
    let number = |field| caps.get::<i32>(field).ok();
    match format.name {
        "PCMU" | "PCMA" => number("rate") == Some(8_000) && number("channels") == Some(1),
        "OPUS" => {
            number("channel-mapping-family").is_none_or(|family| family == 0)
                && number("channels").is_none_or(|channels| channels <= 2)
        }
        _ => true,
    }
}

/// The codecs that were asked for and can be encoded.
fn encoded_as(audio: bool, settings: &Settings) -> Result<Vec<StreamCodec>, StreamError> {
    let wanted = if audio {
        &settings.audio_caps
    } else {
        &settings.video_caps
    };
    let mut codecs: Vec<StreamCodec> = Vec::new();
    let mut lacking = Vec::new();
    for structure in wanted.iter() {
        let Some(format) = Format::of_media_type(structure.name()) else {
            continue;
        };
        if format.audio != audio || codecs.iter().any(|codec| codec.format.name == format.name) {
            continue;
        }
        let named = structure.iter().next().is_some();
        let encoded_caps = if named {
            gst::Caps::builder_full()
                .structure(structure.to_owned())
                .build()
        } else {
            format.encoded_caps()
        };
        let encoders = registry::encoders(format);
        if encoders.is_empty() || !registry::can_payload(format) {
            lacking.push(format);
            continue;
        }
        codecs.push(StreamCodec {
            number: format.number,
            format,
            codec: format.codec(structure),
            encoded_caps,
            encoders,
        });
    }
    if !codecs.is_empty() {
        return Ok(codecs);
    }
    if lacking.is_empty() {
        // Nothing that exists was asked for: say what could have been.
        lacking.extend(FORMATS.iter().filter(|format| format.audio == audio));
    }
    let names: Vec<_> = lacking.iter().map(|format| format.name).collect();
    let packages: Vec<_> = lacking.iter().map(|format| format.packages).collect();
    Err(StreamError::NoEncoder(
        names.join(" or "),
        packages.join(", or "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(caps: &str, settings: &Settings) -> Result<Vec<&'static str>, StreamError> {
        let caps: gst::Caps = caps.parse().expect("caps");
        let codecs = offer(&caps, false, settings)?.codecs;
        Ok(codecs.iter().map(|codec| codec.format.name).collect())
    }

    fn settings(video_caps: &str) -> Settings {
        gst::init().expect("GStreamer starts");
        Settings {
            video_caps: video_caps.parse().expect("caps"),
            ..Settings::default()
        }
    }

    #[test]
    fn raw_pictures_are_offered_in_the_order_that_was_asked_for() {
        let settings = settings("video/x-h264;video/x-vp8");
        assert_eq!(
            names("video/x-raw", &settings).expect("both"),
            ["H264", "VP8"]
        );
        assert_eq!(names("audio/x-raw", &settings).expect("one"), ["OPUS"]);
    }

    #[test]
    fn what_comes_encoded_is_offered_as_it_is_and_in_what_every_viewer_takes() {
        let settings = settings("video/x-vp8;video/x-h264;video/x-vp9");
        let caps: gst::Caps = "video/x-h264, profile=(string)high, level=(string)4"
            .parse()
            .expect("caps");
        let offer = offer(&caps, false, &settings).expect("two");
        let profile_level_id = 0x64_00_28;
        assert_eq!(offer.codecs[0].codec, Codec::H264 { profile_level_id });
        assert!(offer.codecs[0].is_passed());
        assert_eq!(offer.codecs[1].codec, Codec::Vp8);
        assert_eq!((offer.codecs.len(), offer.unshowable), (2, None));
    }

    #[test]
    fn what_not_every_viewer_can_show_is_offered_encoded_anew_alone() {
        let settings = settings("video/x-vp8;video/x-h264;video/x-vp9");
        for (caps, reordered) in [
            ("video/x-h264, profile=high-4:4:4", false),
            ("video/x-h264, profile=main", true),
            ("video/x-vp8, pixel-aspect-ratio=4/3", false),
        ] {
            let caps: gst::Caps = caps.parse().expect("caps");
            let offer = offer(&caps, reordered, &settings).expect("both");
            let numbers: Vec<_> = offer.codecs.iter().map(|codec| codec.number).collect();
            assert_eq!(numbers, [TRANSCODED, TRANSCODED + 1], "{caps}");
            assert!(offer.unshowable.is_some(), "{caps}");
        }
    }

    #[test]
    fn without_transcoding_all_is_passed_through() {
        let settings = Settings {
            transcode: Transcode::Never,
            ..settings("video/x-vp8")
        };
        let caps: gst::Caps = "video/x-h264, profile=high-10".parse().expect("caps");
        let offer = offer(&caps, true, &settings).expect("one");
        assert!(offer.codecs.len() == 1 && offer.codecs[0].is_passed());
        assert!(offer.unshowable.is_some() && offer.lacking.is_none());
    }

    #[test]
    fn without_a_codec_for_it_transcoding_is_said_to_be_impossible() {
        let settings = settings("video/x-vp9");
        let caps: gst::Caps = "video/x-h264, profile=high-10".parse().expect("caps");
        let offer = offer(&caps, false, &settings).expect("one");
        assert!(offer.codecs.len() == 1 && offer.codecs[0].is_passed());
        assert!(offer.lacking.is_some_and(|text| text.contains("VP8")));
    }

    #[test]
    fn g711_is_passed_through_as_telephones_have_it_and_encoded_if_asked_for() {
        let settings = settings("video/x-vp8");
        let mulaw = names("audio/x-mulaw, rate=8000, channels=1", &settings);
        assert_eq!(mulaw.expect("both"), ["PCMU", "OPUS"]);
        let wide = names("audio/x-alaw, rate=16000, channels=1", &settings);
        assert_eq!(wide.expect("transcoded"), ["OPUS"]);
        let never = Settings {
            transcode: Transcode::Never,
            ..settings.clone()
        };
        let wide = names("audio/x-alaw, rate=16000, channels=1", &never);
        assert!(matches!(wide, Err(StreamError::UnknownFormat(_))));
        let asked = Settings {
            audio_caps: "audio/x-alaw;audio/x-opus".parse().expect("caps"),
            ..settings
        };
        let raw = names("audio/x-raw", &asked);
        assert_eq!(raw.expect("both"), ["PCMA", "OPUS"]);
    }

    #[test]
    fn what_cannot_be_sent_is_said_with_what_to_install() {
        let settings = settings("video/x-nonsense");
        let error = names("video/x-raw", &settings).expect_err("no codec");
        assert!(
            error.to_string().contains("gstreamer1.0-plugins-good"),
            "{error}"
        );
        let error = names("video/x-theora", &settings).expect_err("no codec");
        assert!(error.to_string().contains("theora"), "{error}");
    }
}
