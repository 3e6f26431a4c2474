//! A pad's stream: in which codecs it can be sent.

use gstreamer as gst;
use wigwag_media::demand::StreamId;
use wigwag_media::session::{Codec, CodecConfig, StreamConfig};

use super::input::Feeds;
use super::pace::Liveness;
use super::playout_delay::PlayoutDelaySetting;
use super::settings::Settings;
use crate::codec::{FORMATS, Format};
use crate::registry;

/// A stream whose caps are known.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// The name of its pad.
    pub(super) name: String,
    pub(super) feeds: Feeds,
    pub(super) liveness: Liveness,
    /// What its RTP timestamps begin with, in all codecs.
    pub(super) timestamp_offset: u32,
    pub(super) audio: bool,
    /// Whether it comes encoded.
    pub(super) encoded: bool,
    /// Whether a warning said that a viewer refuses it.
    pub(super) refusal_posted: bool,
    /// In order of preference; never empty.
    pub(super) codecs: Vec<StreamCodec>,
}

/// A codec in which a stream can be sent.
#[derive(Clone, Debug)]
pub(super) struct StreamCodec {
    pub(super) format: &'static Format,
    pub(super) codec: Codec,
    /// What an encoder has to make.
    pub(super) encoded_caps: gst::Caps,
    /// Those that can, the best first; none for what comes encoded.
    pub(super) encoders: Vec<gst::ElementFactory>,
}

/// Why a stream cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("{0} cannot be sent by WebRTC")]
    UnknownFormat(String),
    #[error("no element can encode this as {0}. Install {1}")]
    NoEncoder(String, String),
    #[error("{0} cannot be sent without the elements of {1}")]
    NoPayloader(&'static str, &'static str),
}

impl Stream {
    /// What is offered of it.
    pub(super) fn config(&self, playout_delay: PlayoutDelaySetting) -> StreamConfig {
        let config = |codec: &StreamCodec| CodecConfig {
            number: codec.format.number,
            codec: codec.codec,
        };
        StreamConfig {
            id: self.id,
            codecs: self.codecs.iter().map(config).collect(),
            playout_delay: playout_delay
                .for_source(self.liveness.is_live())
                .filter(|_| !self.audio),
        }
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
        self.codecs
            .iter()
            .find(|codec| codec.format.number == number)
    }
}

/// Whether caps are of raw sound or pictures.
pub(super) fn is_raw(caps: &gst::CapsRef) -> bool {
    let name = caps.structure(0).map(|structure| structure.name().as_str());
    matches!(name, Some("video/x-raw" | "audio/x-raw"))
}

/// The codecs for a stream with these caps.
pub(super) fn codecs(
    caps: &gst::CapsRef,
    settings: &Settings,
) -> Result<Vec<StreamCodec>, StreamError> {
    let unknown = || StreamError::UnknownFormat(caps.to_string());
    let structure = caps.structure(0).ok_or_else(unknown)?;
    if is_raw(caps) {
        return encoded_as(structure.name().starts_with("audio/"), settings);
    }
    let format = Format::of_media_type(structure.name()).ok_or_else(unknown)?;
    if !can_be_passed_through(format, structure) {
        return Err(unknown());
    }
    if !registry::can_payload(format) {
        return Err(StreamError::NoPayloader(format.name, format.packages));
    }
    Ok(vec![StreamCodec {
        format,
        codec: format.codec(structure),
        encoded_caps: caps.to_owned(),
        encoders: Vec::new(),
    }])
}

/// Of G.711, descriptions know 8,000 samples/s and one channel alone (RFC 3551, section 4.5.14).
fn can_be_passed_through(format: &Format, caps: &gst::StructureRef) -> bool {
    if !matches!(format.name, "PCMU" | "PCMA") {
        return true;
    }
    let number = |field| caps.get::<i32>(field).ok();
    number("rate") == Some(8_000) && number("channels") == Some(1)
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
        let codecs = codecs(&caps, settings)?;
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
    fn what_comes_encoded_stays_as_it_is() {
        let settings = settings("video/x-vp8");
        let caps: gst::Caps = "video/x-h264, profile=(string)high, level=(string)4"
            .parse()
            .expect("caps");
        let codecs = codecs(&caps, &settings).expect("one");
        let profile_level_id = 0x64_00_28;
        assert_eq!(codecs[0].codec, Codec::H264 { profile_level_id });
        assert!(codecs[0].encoders.is_empty());
    }

    #[test]
    fn g711_is_passed_through_as_telephones_have_it_and_encoded_if_asked_for() {
        let settings = settings("video/x-vp8");
        let mulaw = names("audio/x-mulaw, rate=8000, channels=1", &settings);
        assert_eq!(mulaw.expect("one"), ["PCMU"]);
        let wide = names("audio/x-alaw, rate=16000, channels=1", &settings);
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
