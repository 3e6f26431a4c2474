//! What comes through the pads, as the control thread learns of it: which streams there are, and what becomes of them.

use std::time::Instant;

use gst::prelude::*;
use gstreamer as gst;
use wigwag_media::audience::StreamRate;
use wigwag_media::ids::StreamId;

use super::control::Controlled;
use super::feeds::Feeds;
use super::pace::Liveness;
use super::streams::{self, Offer, Stream};
use super::unshowable;
use crate::bitstream;

/// The default rate of `opusenc`, bit/s.
const AUDIO_BITRATE: u64 = 64_000;

impl Controlled {
    /// The caps of a pad are known, or changed.
    pub(super) fn on_caps(
        &mut self,
        id: StreamId,
        name: String,
        caps: &gst::Caps,
        (feeds, liveness): (Feeds, Liveness),
    ) {
        let described_as_before = |known: &Stream| is_of_one_encoding(&known.caps, caps);
        if !self.streams.get(&id).is_none_or(described_as_before) {
            self.reordered.remove(&id);
        }
        let reordered = self.reordered.contains(&id);
        let offer = match streams::offer(caps, reordered, &self.settings) {
            Ok(offer) => offer,
            Err(error) => {
                return self.fail(&gst::CoreError::MissingPlugin, &format!("{name}: {error}"));
            }
        };
        let encoded = !streams::is_raw(caps);
        let known = self.streams.remove(&id);
        self.describe_offer(&name, encoded, known.as_ref(), &offer);
        let stream = Stream {
            id,
            name,
            caps: caps.clone(),
            feeds,
            decoded: known
                .as_ref()
                .map(|known| known.decoded.clone())
                .unwrap_or_default(),
            liveness,
            timestamp_offset: known
                .as_ref()
                .map_or_else(rand::random, |known| known.timestamp_offset),
            audio: offer.codecs[0].format.audio,
            encoded,
            caveat: offer
                .unshowable
                .filter(|_| offer.codecs[0].is_passed())
                .map(|reason| unshowable::caveat(reason, offer.lacking.as_deref())),
            refusal_posted: known.as_ref().is_some_and(|known| known.refusal_posted),
            codecs: offer.codecs,
        };
        self.audience.set_stream(id, self.rate(&stream));
        let common = stream.codecs.iter().filter(|codec| codec.format.is_common);
        self.audience
            .set_common_codecs(id, common.map(|codec| codec.number));
        let gone = known.iter().flat_map(|known| &known.codecs);
        let gone = gone.filter(|codec| stream.codec(codec.number).is_none());
        let gone: Vec<_> = gone.map(|codec| codec.number).collect();
        let has_new = known.as_ref().is_some_and(|known| {
            let mut codecs = stream.codecs.iter();
            codecs.any(|codec| known.codec(codec.number).is_none())
        });
        let other_format = known
            .as_ref()
            .is_some_and(|known| field(&known.caps, None) != field(&stream.caps, None));
        self.streams.insert(id, stream);
        if known.is_none() {
            self.offer_streams_again();
        }
        if other_format {
            self.restart_decoding(id);
        }
        if has_new {
            self.restore_codecs(id, Instant::now());
        }
        let left = match gone.is_empty() {
            true => Vec::new(),
            false => self.audience.withdraw(id, &gone, Instant::now()),
        };
        if other_format {
            self.rebuild_renditions(id);
        }
        // What is only not shown right by every viewer goes on for those who take nothing else.
        for viewer in left.into_iter().filter(|_| other_format) {
            let reason = "the stream changed to a codec that the viewer does not take";
            self.end_session(viewer, Some(reason));
        }
        self.start_signalling_if_ready();
    }

    /// What a stream carries, as far as rates go.
    fn rate(&self, stream: &Stream) -> StreamRate {
        if stream.audio {
            return StreamRate::Fixed(AUDIO_BITRATE);
        }
        match stream.passed() {
            // Nobody knows; paths are tried up to the limit.
            Some(passed) => StreamRate::Passed {
                codec: passed.number,
                rate: self.settings.max_bitrate.into(),
            },
            None => StreamRate::Adaptive,
        }
    }

    /// Says of a stream that comes encoded what becomes of it, if that was not said before: in a message `wigwag-stream`
    /// of the element, and a warning if some viewers will not show it right.
    fn describe_offer(&self, name: &str, encoded: bool, known: Option<&Stream>, offer: &Offer) {
        let numbers = |codecs: &[streams::StreamCodec]| {
            codecs.iter().map(|codec| codec.number).collect::<Vec<_>>()
        };
        let same = |known: &Stream| numbers(&known.codecs) == numbers(&offer.codecs);
        if !encoded || known.is_some_and(same) {
            return;
        }
        let Some(sink) = self.sink.upgrade() else {
            return;
        };
        let passed = offer.codecs[0].is_passed();
        let reason = offer.unshowable.unwrap_or("viewers do not take it");
        let mut handling = gst::Structure::builder("wigwag-stream")
            .field("pad", name)
            .field("codec", offer.comes_as)
            .field("passed-through", passed);
        if !passed {
            handling = handling.field("reason", reason);
        }
        let handling = gst::message::Element::builder(handling.build());
        // Not under a lock: handlers may ask for anything.
        let _ = sink.post_message(handling.src(&sink).build());
        if passed && offer.unshowable.is_some() {
            let lacking = offer.lacking.as_deref();
            self.warn_of_input(&unshowable::warning(name, offer.comes_as, reason, lacking));
        }
    }

    /// Takes what was seen of the order of pictures.
    pub(super) fn on_reordered(&mut self, id: StreamId) {
        self.reordered.insert(id);
        // One that is not known yet is looked at when it is.
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let (caps, name) = (stream.caps.clone(), stream.name.clone());
        let known = (stream.feeds.clone(), stream.liveness.clone());
        self.on_caps(id, name, &caps, known);
    }

    /// Warns of pads through which nothing usable comes, and goes on without them.
    pub(super) fn look_after_pads(&mut self) {
        let sink = self.sink.clone();
        let playing = || {
            let sink = sink.upgrade();
            sink.is_some_and(|sink| sink.current_state() == gst::State::Playing)
        };
        let warnings = self.pads.look(Instant::now(), playing);
        if warnings.is_empty() {
            return;
        }
        for text in warnings {
            self.warn_of_input(&text);
        }
        self.start_signalling_if_ready();
    }

    /// Posts a warning of the element.
    fn warn_of_input(&self, text: &str) {
        if let Some(sink) = self.sink.upgrade() {
            gst::element_warning!(sink, gst::StreamError::Failed, ("{}", text));
        }
    }
}

/// Whether caps are of a stream that was encoded in one go, as far as they say.
fn is_of_one_encoding(one: &gst::CapsRef, other: &gst::CapsRef) -> bool {
    let fields = ["profile", bitstream::PROFILE_LEVEL_ID, "codec_data"];
    field(one, None) == field(other, None)
        && fields
            .iter()
            .all(|name| field(one, Some(name)) == field(other, Some(name)))
}

/// The media type of caps, or a field, as text.
fn field(caps: &gst::CapsRef, name: Option<&str>) -> Option<String> {
    let structure = caps.structure(0)?;
    match name {
        None => Some(structure.name().to_string()),
        Some(name) => {
            let value = structure.value(name).ok()?;
            value.serialize().ok().map(|text| text.to_string())
        }
    }
}
