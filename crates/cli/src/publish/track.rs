//! One track of a source, from the demultiplexer or the camera to the outlet.
//!
//! `pad ! queue ! appsink`. What the sink takes goes to it as it comes, encoded too: it looks at it, and transcodes it for
//! those who need that. All else goes on to `appsrc ! decodebin ! [videoconvert ! videoflip !] appsink`, in the same
//! pipeline.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::arrival::Arrival;
use super::description::{is_live, is_raw, name_of, rotation};
use super::elements::{add, broken, make};
use super::event::Failure;
use super::kind::Kind;
use super::source_state::SourceState;

/// How much of what comes encoded may wait in front of a decoder or viewer: more than tracks of one file are
/// apart.
const MAX_WAITING_TIME: gst::ClockTime = gst::ClockTime::from_seconds(5);
const MAX_WAITING_BYTES: u32 = 32 << 20;

/// The same in front of a decoder.
const MAX_DECODER_BYTES: u64 = 4 << 20;

/// A track and what becomes of it.
pub(super) struct Track {
    kind: Kind,
    shared: Arc<SourceState>,
    origin: glib::WeakRef<gst::Pad>,
    /// How `videoflip` has to turn it; empty if it is upright.
    rotation: OnceLock<&'static str>,
    arrival: Mutex<Arrival>,
    state: Mutex<State>,
}

enum State {
    /// Nothing came yet.
    Waiting,
    /// As it comes.
    Direct,
    Decoding(gst_app::AppSrc),
}

/// What becomes of a track.
enum Verdict {
    /// It goes to the sink as it comes.
    Direct,
    /// It is decoded before; the text says why.
    Decode(String),
}

impl Track {
    /// Attaches a track to a pad of the source's pipeline.
    pub(super) fn attach(
        shared: &Arc<SourceState>,
        kind: Kind,
        pad: &gst::Pad,
    ) -> Result<(), Failure> {
        let pipeline = shared.pipeline()?;
        let track = Arc::new(Self {
            kind,
            shared: Arc::clone(shared),
            origin: pad.downgrade(),
            rotation: OnceLock::new(),
            arrival: Mutex::default(),
            state: Mutex::new(State::Waiting),
        });
        let mut chain = Vec::new();
        let queue = make("queue")?;
        queue.set_property("max-size-buffers", 0u32);
        queue.set_property("max-size-bytes", MAX_WAITING_BYTES);
        queue.set_property("max-size-time", MAX_WAITING_TIME);
        chain.push(queue);
        let sink = app_sink(None, {
            let (on_sample, on_end) = (Arc::clone(&track), track);
            (
                move |sample| on_sample.on_sample(sample),
                move || on_end.on_end(),
            )
        });
        chain.push(sink.upcast());
        add(&pipeline, &chain)?;
        let entry = chain[0].static_pad("sink").ok_or_else(broken)?;
        pad.link(&entry).map_err(|_| broken())?;
        Ok(())
    }

    fn on_sample(
        self: &Arc<Self>,
        sample: gst::Sample,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.shared.feed.note(self.kind);
        let media_type = sample.caps().and_then(|caps| caps.structure(0));
        self.shared
            .count(media_type.map_or("", |caps| caps.name().as_str()));
        let sample = self.timed(sample);
        let decoder = self.decoder(&sample).map_err(|failure| {
            self.shared.fail(failure);
            gst::FlowError::Error
        })?;
        // Not under the lock: both may wait.
        match decoder {
            Some(decoder) => decoder.push_sample(&sample),
            None => self.shared.feed.push(self.kind, &sample),
        }
    }

    /// The sample with a time. A source of which nothing else is known and that sets none is live.
    fn timed(&self, sample: gst::Sample) -> gst::Sample {
        let mut arrival = self.arrival.lock().unwrap_or_else(PoisonError::into_inner);
        if arrival.note(&sample) {
            return sample;
        }
        let feed = &self.shared.feed;
        feed.set_live(|| true);
        arrival.stamp(sample, feed.now(), feed.is_live())
    }

    /// What decodes the track, if anything does; decided by its first sample.
    fn decoder(self: &Arc<Self>, sample: &gst::Sample) -> Result<Option<gst_app::AppSrc>, Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting = &*state {
            if let Some(origin) = self.origin.upgrade() {
                self.shared.feed.set_live(|| is_live(&origin));
                let _ = self.rotation.set(rotation(&origin).unwrap_or_default());
            }
            *state = self.settle(sample)?;
        }
        Ok(match &*state {
            State::Decoding(decoder) => Some(decoder.clone()),
            State::Waiting | State::Direct => None,
        })
    }

    fn rotation(&self) -> &'static str {
        self.rotation.get().copied().unwrap_or_default()
    }

    fn verdict(&self, caps: &gst::Caps, structure: &gst::StructureRef) -> Verdict {
        let decode = |reason: &str| Verdict::Decode(reason.to_owned());
        if is_raw(structure.name()) {
            return Verdict::Direct;
        }
        if self.shared.decoded_before(self.kind) {
            // Its viewers have agreed on what is encoded of that.
            return decode("it was before");
        }
        if !self.rotation().is_empty() {
            return decode("it is rotated");
        }
        match takes(self.kind, caps) {
            true => Verdict::Direct,
            false => decode("viewers do not take it"),
        }
    }

    /// Says what becomes of the track, and prepares it.
    fn settle(self: &Arc<Self>, sample: &gst::Sample) -> Result<State, Failure> {
        let caps = sample.caps_owned().ok_or_else(broken)?;
        let structure = caps.structure(0).ok_or_else(broken)?;
        let name = name_of(structure);
        let known = self.shared.decoded_before(self.kind);
        let new = |text: String| (!known).then_some(text);
        match self.verdict(&caps, structure) {
            Verdict::Decode(reason) => {
                let text = format!("{name} is transcoded: {reason}");
                let decoder = self.decode(&caps)?;
                self.shared.settled(self.kind, None, new(text));
                Ok(State::Decoding(decoder))
            }
            Verdict::Direct if is_raw(structure.name()) => {
                let text = format!("{name} is encoded");
                self.shared.settled(self.kind, None, new(text));
                Ok(State::Direct)
            }
            // The sink says what it makes of it.
            Verdict::Direct => {
                self.shared.settled(self.kind, Some(structure.name()), None);
                Ok(State::Direct)
            }
        }
    }

    /// Adds the elements that decode.
    fn decode(self: &Arc<Self>, caps: &gst::Caps) -> Result<gst_app::AppSrc, Failure> {
        let pipeline = self.shared.pipeline()?;
        let entry = gst_app::AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .handle_segment_change(true)
            .block(true)
            .max_bytes(MAX_DECODER_BYTES)
            .build();
        let decoder = make("decodebin")?;
        let raw = match self.kind {
            Kind::Video => "video/x-raw",
            Kind::Audio => "audio/x-raw",
        };
        let (feed, kind) = (Arc::clone(&self.shared), self.kind);
        let sink = app_sink(
            Some(&gst::Caps::new_empty_simple(raw)),
            (
                move |sample: gst::Sample| feed.feed.push(kind, &sample),
                || {},
            ),
        );
        let mut chain: Vec<gst::Element> = Vec::new();
        if !self.rotation().is_empty() {
            let flip = make("videoflip")?;
            flip.set_property_from_str("video-direction", self.rotation());
            chain.extend([make("videoconvert")?, flip]);
        }
        chain.push(sink.upcast());
        add(&pipeline, &chain)?;
        let raw_entry = chain[0].static_pad("sink").ok_or_else(broken)?;
        decoder.connect_pad_added(move |_, pad| {
            // A decoder of one track has one pad.
            let _ = pad.link(&raw_entry);
        });
        add(&pipeline, &[entry.clone().upcast(), decoder])?;
        Ok(entry)
    }

    fn on_end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Decoding(decoder) = &*state {
            let _ = decoder.end_of_stream();
        }
    }
}

/// Whether the sink takes what has these caps.
fn takes(kind: Kind, caps: &gst::Caps) -> bool {
    let sink: gstwigwag::WebRtcSink = glib::Object::new();
    let name = match kind {
        Kind::Video => "video_%u",
        Kind::Audio => "audio_%u",
    };
    let template = sink.pad_template(name);
    template.is_some_and(|template| template.caps().can_intersect(caps))
}

/// An end that gives samples to the first function, and the end to the second.
fn app_sink(
    caps: Option<&gst::Caps>,
    (on_sample, on_end): (
        impl Fn(gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> + Send + 'static,
        impl Fn() + Send + 'static,
    ),
) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .max_buffers(1)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                    on_sample(sample)
                })
                .eos(move |_| on_end())
                .build(),
        )
        .build();
    sink.set_caps(caps);
    sink
}
