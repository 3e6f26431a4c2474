//! Renditions that run, and what becomes of those that fail.

use std::collections::VecDeque;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_media::audience::Action;
use wigwag_media::encoder_control::EncoderControl;
use wigwag_media::engine::Publication;
use wigwag_media::frame::Frame;
use wigwag_media::ids::{Bitrate, RenditionId, StreamId, ViewerId};

use super::WebRtcSink;
use super::control::Controlled;
use super::encoders::Made;
use super::input::ask_for_key_frame;
use super::messages::{Message, Messages};
use super::signals::SHARED;
use super::snapshot::EncoderSnapshot;
use crate::log;
use crate::rendition::{BuildError, ClockAdvance, Outlet, Plan, Rendition};

/// A rendition that runs, with one encoder after the other until one works.
pub(super) struct Running {
    pub(super) rendition: Rendition,
    /// Distinguishes failures of this pipeline from those of the one before it.
    attempt: u64,
    /// Those that were not tried yet.
    pub(super) encoders_left: VecDeque<gst::ElementFactory>,
    pub(super) viewer: ViewerId,
    /// Sets the rate of its encoder; none if there is no encoder.
    pub(super) control: Option<EncoderControl>,
    pub(super) made: Arc<Made>,
}

impl Controlled {
    /// Does what the audience decided.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.audience.poll_action() {
            match action {
                Action::Start {
                    rendition,
                    rate,
                    viewer,
                } => self.start_rendition(rendition, rate, viewer),
                Action::SetRate { rendition, rate } => {
                    gst::debug!(log::CONGESTION_CONTROL, "{rendition:?} gets {rate} bit/s");
                    if let Some(running) = self.renditions.get_mut(&rendition) {
                        match &mut running.control {
                            Some(control) => control.handle_rate(rate, Instant::now()),
                            None => running.rendition.set_rate(rate),
                        }
                    }
                    self.apply_encoder_events(rendition);
                    for viewer in self.audience.viewers_of(rendition) {
                        self.describe_encoders(viewer);
                    }
                }
                Action::Stop(rendition) => self.stop_rendition(rendition),
                Action::MakeKeyFrame(rendition) => self.make_key_frame(rendition),
                Action::Assign {
                    viewer,
                    rendition,
                    handover,
                } => {
                    self.publication.give(viewer, rendition, handover);
                    self.describe_encoders(viewer);
                }
                Action::SetRates {
                    viewer,
                    current,
                    desired,
                } => self.publication.set_rates(viewer, current, desired),
            }
        }
    }

    /// Stops all renditions, and waits for that a little: encoders must not run on while a program ends.
    pub(super) fn stop_renditions(&mut self, wait_at_most: Duration) {
        for stream in self.streams.values() {
            stream.feeds.clear();
            stream.decoded.clear();
        }
        self.decodings.clear();
        let (stopping, stopped) = channel();
        for (_, running) in std::mem::take(&mut self.renditions) {
            running.rendition.stop(stopping.clone());
        }
        drop(stopping);
        let _ = stopped.recv_timeout(wait_at_most);
    }

    pub(super) fn on_rendition_failed(&mut self, id: RenditionId, attempt: u64, reason: &str) {
        let Some(running) = self.renditions.get_mut(&id) else {
            return;
        };
        if running.attempt != attempt {
            return;
        }
        let left = std::mem::take(&mut running.encoders_left);
        let viewer = running.viewer;
        self.warn(&format!("encoding failed: {reason}"));
        self.stop_rendition(id);
        let rate = self.audience.rate(id).unwrap_or_default();
        if left.is_empty() {
            self.give_up(id, reason);
        } else {
            self.try_encoders(id, rate, viewer, left);
        }
    }

    fn start_rendition(&mut self, id: RenditionId, rate: Bitrate, viewer: ViewerId) {
        let codec = self
            .streams
            .get(&id.stream)
            .and_then(|stream| stream.codec(id.codec));
        let Some(codec) = codec else {
            return self.give_up(id, "its stream is gone");
        };
        // Encoders that ignore requests come last.
        let responsive =
            |factory: &&gst::ElementFactory| !self.unresponsive.contains(factory.name().as_str());
        let (first, last): (Vec<_>, Vec<_>) = codec.encoders.iter().partition(responsive);
        let encoders = first.into_iter().chain(last).cloned().collect();
        self.try_encoders(id, rate, viewer, encoders);
    }

    /// Starts the rendition with the first of these that can be made; the others are for when that fails.
    pub(super) fn try_encoders(
        &mut self,
        id: RenditionId,
        rate: Bitrate,
        viewer: ViewerId,
        mut encoders: VecDeque<gst::ElementFactory>,
    ) {
        let encoded = encoders.is_empty();
        let mut reason = String::new();
        loop {
            let encoder = encoders.pop_front();
            if encoder.is_none() && !encoded {
                return self.give_up(id, &reason);
            }
            match self.build(id, encoder.as_ref()) {
                Ok((rendition, attempt, made)) => {
                    let running = Running {
                        rendition,
                        attempt,
                        encoders_left: encoders,
                        viewer,
                        control: None,
                        made,
                    };
                    return self.play(id, rate, running);
                }
                Err(error) => {
                    reason = error.to_string();
                    self.warn(&reason);
                    if encoded {
                        return self.give_up(id, &reason);
                    }
                }
            }
        }
    }

    fn build(
        &mut self,
        id: RenditionId,
        encoder: Option<&gst::ElementFactory>,
    ) -> Result<(Rendition, u64, Arc<Made>), BuildError> {
        let gone = || BuildError::Missing("stream".to_owned(), "it again");
        let stream = self.streams.get(&id.stream).ok_or_else(gone)?;
        let codec = stream.codec(id.codec).ok_or_else(gone)?;
        let plan = Plan {
            id,
            format: codec.format,
            codec: codec.codec,
            encoded_caps: &codec.encoded_caps,
            encoder,
            timestamp_offset: stream.timestamp_offset,
        };
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        let made = Arc::new(Made::default());
        let outlet = RenditionOutlet {
            rendition: id,
            attempt,
            made: Arc::clone(&made),
            publication: Arc::downgrade(&self.publication),
            messages: self.messages.clone(),
            sink: self.sink.clone(),
            clock_advance: self.clock_advance.clone(),
        };
        Ok((Rendition::build(&plan, Arc::new(outlet))?, attempt, made))
    }

    fn play(&mut self, id: RenditionId, rate: Bitrate, mut running: Running) {
        let Some(stream) = self.streams.get(&id.stream) else {
            return;
        };
        let rendition = &running.rendition;
        let manners = rendition.manners().filter(|_| !stream.audio);
        running.control = manners.map(|manners| EncoderControl::new(manners, rate, Instant::now()));
        let rendition = &running.rendition;
        if let (Some(encoder), Some(sink)) = (rendition.encoder(), self.sink.upgrade()) {
            let peer = self.sessions.get(&running.viewer);
            let peer = peer.map_or(SHARED, |session| session.peer.as_str());
            sink.emit_encoder_setup(peer, &stream.name, encoder);
            rendition.set_rate(rate);
            gst::info!(
                log::SINK,
                obj = sink,
                "{} starts: {} at {rate} bit/s",
                rendition.pipeline().name(),
                encoder
                    .factory()
                    .map(|factory| factory.name().to_string())
                    .unwrap_or_default()
            );
        }
        let decoded = stream.is_decoded_for(id);
        let feeds = if decoded {
            &stream.decoded
        } else {
            &stream.feeds
        };
        feeds.add(id, rendition.source());
        rendition.play();
        self.renditions.insert(id, running);
        if decoded && let Err(reason) = self.decode(id.stream) {
            return self.give_up(id, &reason);
        }
        // One that takes over from another encoder has its viewers already.
        for viewer in self.audience.viewers_of(id) {
            self.describe_encoders(viewer);
        }
    }

    pub(super) fn stop_rendition(&mut self, id: RenditionId) {
        if let Some(stream) = self.streams.get(&id.stream) {
            stream.feeds.remove(id);
            stream.decoded.remove(id);
        }
        self.renditions.remove(&id);
        self.stop_decoding_if_unused(id.stream);
    }

    /// Rebuilds the renditions of a stream that take what comes in, for it comes in another form: what was passed through
    /// in a codec may have to be encoded in it, or the other way round.
    pub(super) fn rebuild_renditions(&mut self, stream: StreamId) {
        let Some(known) = self.streams.get(&stream) else {
            return;
        };
        let all = self.renditions.iter();
        let stale = all.filter(|(id, _)| {
            id.stream == stream && !known.is_decoded_for(**id) && known.codec(id.codec).is_some()
        });
        let stale: Vec<_> = stale.map(|(id, running)| (*id, running.viewer)).collect();
        for (id, viewer) in stale {
            let rate = self.audience.rate(id).unwrap_or_default();
            self.stop_rendition(id);
            self.start_rendition(id, rate, viewer);
        }
    }

    fn give_up(&mut self, id: RenditionId, reason: &str) {
        let stream = self.streams.get(&id.stream);
        let codec = stream.and_then(|stream| stream.codec(id.codec));
        let name = codec.map_or("a codec", |codec| codec.format.name);
        let text = format!("no encoder of {name} works: {reason}");
        self.warn(&text);
        for viewer in self.audience.handle_rendition_failed(id, Instant::now()) {
            self.end_session(viewer, Some(&text));
        }
    }

    fn make_key_frame(&mut self, id: RenditionId) {
        let Some(stream) = self.streams.get(&id.stream) else {
            return;
        };
        if !stream.encoded || stream.is_decoded_for(id) {
            if let Some(running) = self.renditions.get_mut(&id) {
                running.rendition.make_key_frame();
                if let Some(control) = &mut running.control {
                    control.handle_output(running.made.output());
                    control.handle_key_frame_asked(Instant::now());
                }
            }
        } else if let Some(sink) = self.sink.upgrade()
            && let Some(Some(upstream)) = sink.imp().with_input(id.stream, |input| input.upstream())
        {
            ask_for_key_frame(&upstream);
        }
    }

    /// Shows in `stats` what a viewer is sent from.
    fn describe_encoders(&self, viewer: ViewerId) {
        let given = self.audience.assigned(viewer).into_iter();
        let encoders = given.filter_map(|id| Some((id, self.describe_encoder(id)?)));
        let encoders = encoders.collect();
        self.snapshot
            .update_session(viewer, |session| session.encoders = encoders);
    }

    fn describe_encoder(&self, id: RenditionId) -> Option<EncoderSnapshot> {
        let running = self.renditions.get(&id);
        let encoder = running.and_then(|running| running.rendition.encoder());
        let factory = encoder.and_then(ElementExt::factory);
        Some(EncoderSnapshot {
            factory: factory.map(|factory| factory.name().to_string()),
            rate: self.audience.rate(id)?,
        })
    }

    /// Posts a warning of the element.
    pub(super) fn warn(&self, text: &str) {
        if let Some(sink) = self.sink.upgrade() {
            gst::element_warning!(sink, gst::StreamError::Encode, ("{}", text));
        }
    }
}

struct RenditionOutlet {
    rendition: RenditionId,
    attempt: u64,
    made: Arc<Made>,
    publication: Weak<Publication>,
    messages: Messages,
    sink: glib::WeakRef<WebRtcSink>,
    clock_advance: ClockAdvance,
}

impl Outlet for RenditionOutlet {
    fn frame(&self, frame: Arc<Frame>) {
        let key = frame.key;
        self.made.count(&frame);
        if let Some(publication) = self.publication.upgrade() {
            publication.send_frame(frame);
        }
        if key && self.is_video() {
            self.messages.send(Message::KeyFrameMade(self.rendition));
        }
    }

    fn failed(&self, reason: String) {
        let message = Message::RenditionFailed {
            rendition: self.rendition,
            attempt: self.attempt,
            reason,
        };
        self.messages.send(message);
    }

    fn clock(&self) -> Option<(gst::Clock, gst::ClockTime)> {
        let sink = self.sink.upgrade()?;
        Some((sink.clock()?, sink.base_time()?))
    }

    fn clock_advance(&self) -> &ClockAdvance {
        &self.clock_advance
    }
}

impl RenditionOutlet {
    /// Each frame of sound is a key frame, of which nobody needs to be told.
    fn is_video(&self) -> bool {
        crate::codec::Format::of_number(self.rendition.codec).is_some_and(|format| !format.audio)
    }
}
