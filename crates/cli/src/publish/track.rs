//! One track of a source, from the demultiplexer or the camera to the outlet.
//!
//! `pad ! [h264parse !] queue ! appsink` for what comes encoded. Its first samples are held until it is decided
//! whether it is passed through; if it is not, they and all that follow go on to
//! `appsrc ! decodebin ! [videoconvert ! videoflip !] appsink`, in the same pipeline.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::arrival::Arrival;
use super::description::{is_live, is_raw, media_type, name_of, rotation};
use super::event::Failure;
use super::outlet::Kind;
use super::pass_through::{Look, Verdict, by_caps};
use super::source::make;
use super::tracks::Shared;

/// How much of what comes encoded may wait in front of a decoder or viewer: more than tracks of one file are
/// apart.
const MAX_WAITING_TIME: gst::ClockTime = gst::ClockTime::from_seconds(5);
const MAX_WAITING_BYTES: u32 = 32 << 20;

/// The same between the decision and the decoder.
const MAX_DECODER_BYTES: u64 = 4 << 20;

/// How long first pictures are looked at; after that those that came have to do.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// A track and what becomes of it.
pub(super) struct Track {
    kind: Kind,
    shared: Arc<Shared>,
    origin: glib::WeakRef<gst::Pad>,
    /// How `videoflip` has to turn it; empty if it is upright.
    rotation: OnceLock<&'static str>,
    arrival: Mutex<Arrival>,
    state: Mutex<State>,
}

enum State {
    /// Nothing came yet.
    Waiting,
    Looking {
        look: Look,
        held: Vec<gst::Sample>,
        since: Instant,
    },
    /// Passed through, or raw.
    Direct,
    Decoding(gst_app::AppSrc),
}

impl Track {
    /// Attaches a track to a pad of the source's pipeline.
    pub(super) fn attach(shared: &Arc<Shared>, kind: Kind, pad: &gst::Pad) -> Result<(), Failure> {
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
        if media_type(pad).as_deref() == Some("video/x-h264") {
            let parser = make("h264parse")?;
            parser.set_property("config-interval", -1);
            let caps = "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au";
            let filter = make("capsfilter")?;
            filter.set_property_from_str("caps", caps);
            chain.extend([parser, filter]);
        }
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
        self.shared.feed.note();
        let sample = self.timed(sample);
        let (decoder, ready) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let ready = self.advance(&mut state, sample).map_err(|failure| {
                self.shared.fail(failure);
                gst::FlowError::Error
            })?;
            let decoder = match &*state {
                State::Decoding(decoder) => Some(decoder.clone()),
                _ => None,
            };
            (decoder, ready)
        };
        // Not under the lock: both may wait.
        for sample in &ready {
            match &decoder {
                Some(decoder) => decoder.push_sample(sample)?,
                None => self.shared.feed.push(self.kind, sample)?,
            };
        }
        Ok(gst::FlowSuccess::Ok)
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

    /// Takes a sample; gives those that can go on.
    fn advance(
        self: &Arc<Self>,
        state: &mut State,
        sample: gst::Sample,
    ) -> Result<Vec<gst::Sample>, Failure> {
        if let State::Waiting = state {
            if let Some(origin) = self.origin.upgrade() {
                self.shared.feed.set_live(|| is_live(&origin));
                let _ = self.rotation.set(rotation(&origin).unwrap_or_default());
            }
            let verdict = self.first_verdict(&sample);
            if verdict != Verdict::Look {
                *state = self.settle(verdict, &sample)?;
                return Ok(vec![sample]);
            }
            let known = self.shared.passed_before(self.kind, "video/x-h264");
            *state = State::Looking {
                look: if known { Look::again() } else { Look::new() },
                held: Vec::new(),
                since: Instant::now(),
            };
        }
        let State::Looking { look, held, since } = state else {
            return Ok(vec![sample]);
        };
        let mut verdict = {
            let buffer = sample.buffer().ok_or_else(broken)?;
            let data = buffer.map_readable().map_err(|_| broken())?;
            look.picture(&data, buffer.pts())
        };
        held.push(sample);
        if verdict == Verdict::Look && since.elapsed() > LOOK_TIMEOUT {
            verdict = look.finish();
        }
        if verdict == Verdict::Look {
            return Ok(Vec::new());
        }
        let held = std::mem::take(held);
        *state = self.settle(verdict, &held[0])?;
        Ok(held)
    }

    fn rotation(&self) -> &'static str {
        self.rotation.get().copied().unwrap_or_default()
    }

    fn first_verdict(&self, sample: &gst::Sample) -> Verdict {
        let Some(structure) = sample.caps().and_then(|caps| caps.structure(0)) else {
            return Verdict::Decode("nothing is known of it".to_owned());
        };
        if is_raw(structure.name()) {
            return Verdict::PassThrough;
        }
        if self.shared.decoded_before(self.kind) {
            // Its viewers have agreed on what the sink encodes.
            return Verdict::Decode("it was before".to_owned());
        }
        if !self.rotation().is_empty() {
            return Verdict::Decode("it is rotated".to_owned());
        }
        by_caps(structure)
    }

    /// Says what becomes of the track, and prepares it.
    fn settle(self: &Arc<Self>, verdict: Verdict, sample: &gst::Sample) -> Result<State, Failure> {
        let caps = sample.caps_owned().ok_or_else(broken)?;
        let structure = caps.structure(0).ok_or_else(broken)?;
        let name = name_of(structure);
        match verdict {
            Verdict::Decode(reason) => {
                let text = format!("{name} is decoded and encoded anew: {reason}");
                let decoder = self.decode(&caps)?;
                let known = self.shared.decoded_before(self.kind);
                self.shared
                    .settled(self.kind, None, (!known).then_some(text));
                Ok(State::Decoding(decoder))
            }
            _ if is_raw(structure.name()) => {
                let text = format!("{name} is encoded");
                let known = self.shared.decoded_before(self.kind);
                self.shared
                    .settled(self.kind, None, (!known).then_some(text));
                Ok(State::Direct)
            }
            _ => {
                let text = format!("{name} is passed through as it is");
                let known = self.shared.passed_before(self.kind, structure.name());
                let text = (!known).then_some(text);
                self.shared.settled(self.kind, Some(structure.name()), text);
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

    fn on_end(self: &Arc<Self>) {
        let held = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = match &mut *state {
                State::Looking { look, held, .. } => {
                    let held = std::mem::take(held);
                    let verdict = look.finish();
                    held.first()
                        .map(|first| self.settle(verdict, first))
                        .map(|settled| (settled, held.clone()))
                }
                _ => None,
            };
            match settled {
                Some((Ok(settled), held)) => {
                    *state = settled;
                    held
                }
                Some((Err(failure), _)) => return self.shared.fail(failure),
                None => Vec::new(),
            }
        };
        let decoder = match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Decoding(decoder) => Some(decoder.clone()),
            _ => None,
        };
        for sample in &held {
            let pushed = match &decoder {
                Some(decoder) => decoder.push_sample(sample),
                None => self.shared.feed.push(self.kind, sample),
            };
            if pushed.is_err() {
                return;
            }
        }
        if let Some(decoder) = decoder {
            let _ = decoder.end_of_stream();
        }
    }
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

/// Adds elements to a pipeline, linked in a row, in its state.
pub(super) fn add(pipeline: &gst::Pipeline, chain: &[gst::Element]) -> Result<(), Failure> {
    let added = pipeline
        .add_many(chain)
        .and_then(|()| gst::Element::link_many(chain));
    added.map_err(|_: glib::BoolError| broken())?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|_| broken())?;
    }
    Ok(())
}

/// What ought not to happen: it is said and the command ends, but nothing panics.
pub(super) fn broken() -> Failure {
    Failure {
        text: "its pipeline could not be built".to_owned(),
        lasting: true,
    }
}
