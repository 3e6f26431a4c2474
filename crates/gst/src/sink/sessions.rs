//! Sessions with viewers, from the request to the end.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use wigwag_client::{Candidate, Description, PeerId, Sdp, SessionId};
use wigwag_media::audience::NoCodecLeft;
use wigwag_media::engine::{Negotiation, PublicationEvent, ViewerEvent};
use wigwag_media::ids::{PeerKey, StreamId, ViewerId};
use wigwag_media::key_frames::Requested;
use wigwag_media::session::{
    EndReason, InternalError, OfferExtent, PeerError, SessionConfig, SessionError, StreamConfig,
};

use super::consumer::Consumer;
use super::control::Controlled;
use super::session_limits::{Displaced, DisplacedReason};
use super::snapshot::{RefusedSnapshot, SessionSnapshot};
use super::streams::Stream;
use crate::log;

/// How long a frame may wait for a viewer whose path is slower than it was thought to be.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Errors about threads of the engine that failed are posted this often at most.
const ENGINE_FAILURE_INTERVAL: Duration = Duration::from_secs(1);
const ENGINE_FAILED: &str =
    "internal error: a thread that sends failed; the sessions that it had have ended";

/// The name of the media stream in descriptions.
const STREAM_NAME: &str = "wigwag";

/// A session and its viewer.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    consumer: Consumer,
    /// Whether we offer; else the viewer does.
    we_offer: bool,
    /// Whether we offered and the viewer has not answered yet.
    awaits_answer: bool,
    /// The codecs that the viewer takes, whether they can be had now or not.
    accepted_codecs: Vec<(StreamId, Vec<u32>)>,
}

impl Controlled {
    pub(super) fn on_session_requested(
        &mut self,
        id: SessionId,
        peer: &PeerId,
        offer: Option<Sdp>,
    ) {
        if self.viewers.contains_key(&id) {
            gst::warning!(log::SINK, "session {id} is requested again");
            return;
        }
        if self.streams.is_empty() {
            return self.refuse(&id, "there is nothing to send");
        }
        if let Some(reason) = self.publication.refusal() {
            return self.refuse(&id, &reason.to_string());
        }
        let Some(sink) = self.sink.upgrade() else {
            return;
        };
        let viewer = ViewerId(self.next_viewer);
        match self.limits.handle_call(viewer, peer, Instant::now()) {
            Ok(None) => {}
            Ok(Some(displaced)) => self.displace(displaced),
            Err(reason) => return self.refuse(&id, &reason.to_string()),
        }
        self.next_viewer += 1;
        if offer.is_some() {
            self.limits.handle_answer(viewer);
        }
        gst::info!(log::SINK, obj = sink, "session {id} with {peer}");
        let consumer = Consumer::new(id.as_str(), peer.as_str(), viewer, self.snapshot.clone());
        let session = Session {
            id: id.clone(),
            peer: peer.clone(),
            consumer: consumer.clone(),
            we_offer: offer.is_none(),
            awaits_answer: offer.is_none(),
            accepted_codecs: Vec::new(),
        };
        let streams = self.streams.values();
        let snapshot = SessionSnapshot {
            session: id.to_string(),
            pads: streams
                .map(|stream| (stream.id, stream.name.clone()))
                .collect(),
            ..SessionSnapshot::default()
        };
        self.snapshot.set_session(viewer, snapshot);
        self.sessions.insert(viewer, session);
        self.viewers.insert(id, viewer);
        sink.emit_consumer_added(peer.as_str(), &consumer);
        let extent = if offer.is_none() && self.unanswered.take(peer) {
            gst::info!(
                log::SINK,
                obj = sink,
                "{peer} did not answer the last offer; it is offered what every viewer takes"
            );
            OfferExtent::Common
        } else {
            OfferExtent::Full
        };
        let congestion_control = self.settings.congestion_control.is_enabled();
        let config = SessionConfig {
            certificate: self.certificate.clone(),
            name: STREAM_NAME.to_owned(),
            streams: self.stream_configs(),
            start_bitrate: congestion_control.then_some(self.settings.start_bitrate.into()),
            max_wait: MAX_WAIT,
            retransmission: self.settings.retransmission,
            extent,
            receive: None,
        };
        let negotiation = match offer {
            None => Negotiation::Offer,
            Some(offer) => Negotiation::Answer {
                offer: offer.into_string(),
                preferred: self.preferred(),
            },
        };
        self.publication
            .add_viewer(viewer, Arc::new(config), negotiation);
    }

    pub(super) fn on_description(&mut self, id: &SessionId, description: Description) {
        let kind = match &description {
            Description::Offer(_) => "an offer",
            Description::Answer(_) => "an answer",
        };
        gst::debug!(log::SIGNALLER, "session {id}: {kind} came");
        let Some(viewer) = self.viewers.get(id) else {
            return;
        };
        match description {
            Description::Answer(sdp) => {
                if let Some(session) = self.sessions.get_mut(viewer) {
                    session.awaits_answer = false;
                }
                self.limits.handle_answer(*viewer);
                let preferred = self.preferred();
                self.publication
                    .accept_answer(*viewer, sdp.into_string(), preferred);
            }
            Description::Offer(sdp) => {
                let preferred = self.preferred();
                self.publication
                    .handle_offer(*viewer, sdp.into_string(), preferred);
            }
        }
    }

    pub(super) fn on_media(&mut self, event: PublicationEvent) {
        let (viewer, now) = (event.viewer, Instant::now());
        let Some(session) = self.sessions.get(&viewer) else {
            return;
        };
        match event.kind {
            ViewerEvent::LocalDescription { sdp, is_answer } => {
                let description = if is_answer {
                    Description::Answer(sdp.into())
                } else {
                    Description::Offer(sdp.into())
                };
                gst::debug!(
                    log::SIGNALLER,
                    "session {}: a description is sent",
                    session.id
                );
                self.say(|signaller| signaller.send_description(&session.id, description));
            }
            ViewerEvent::LocalCandidate { candidate, m_line } => {
                let candidate = Candidate {
                    candidate,
                    m_line: Some(m_line),
                    mid: None,
                };
                gst::log!(
                    log::SIGNALLER,
                    "session {}: a candidate is sent",
                    session.id
                );
                self.say(|signaller| signaller.send_candidate(&session.id, candidate));
            }
            ViewerEvent::Negotiated(agreed) => self.on_negotiated(viewer, &agreed, now),
            ViewerEvent::Refused(streams) => self.on_refused(viewer, &streams),
            ViewerEvent::Checked => self.limits.handle_check(viewer),
            ViewerEvent::Connected => {
                gst::info!(log::SINK, "session {} is connected", session.id);
                match self.limits.handle_connection(viewer) {
                    Ok(()) => self.audience.handle_connected(viewer, now),
                    Err(reason) => self.end_session(viewer, Some(&reason.to_string())),
                }
            }
            ViewerEvent::KeyFrameWanted(stream) => {
                let requested = self.audience.handle_key_frame_request(viewer, stream, now);
                if requested == Requested::TooOften {
                    let count = |session: &mut SessionSnapshot| session.key_frames_refused += 1;
                    self.snapshot.update_session(viewer, count);
                }
            }
            ViewerEvent::Switched(rendition) => {
                gst::debug!(log::SINK, "session {} is sent {rendition:?}", session.id);
                self.audience.handle_switched(viewer, rendition, now);
            }
            ViewerEvent::Estimate(rate) => self.audience.handle_estimate(viewer, rate, now),
            ViewerEvent::Ended(reason) => {
                let id = session.id.clone();
                if reason == InternalError::ShardFailed.into() {
                    self.post_engine_failure(now);
                }
                let reason = match reason {
                    EndReason::Failed(SessionError::Peer(PeerError::NoCommonCodec)) => {
                        let streams: Vec<_> = self.streams.keys().copied().collect();
                        self.post_refusals(&streams);
                        self.no_common_codec()
                    }
                    reason => reason.to_string(),
                };
                gst::info!(log::SINK, "session {id} ended: {reason}");
                self.end_session(viewer, Some(&reason));
            }
            _ => {}
        }
    }

    /// Posts an error because a thread of the engine panicked, once for all sessions that it ended.
    fn post_engine_failure(&mut self, now: Instant) {
        let is_recent = |posted| now.saturating_duration_since(posted) < ENGINE_FAILURE_INTERVAL;
        if !self.engine_failure_posted.is_some_and(is_recent) {
            self.engine_failure_posted = Some(now);
            self.fail(&gst::LibraryError::Failed, ENGINE_FAILED);
        }
    }

    pub(super) fn on_session_ended(&mut self, id: &SessionId, reason: Option<&str>) {
        if let Some(viewer) = self.viewers.get(id).copied() {
            gst::info!(
                log::SINK,
                "session {id} was ended: {}",
                reason.unwrap_or("no reason given")
            );
            self.publication.remove_viewer(viewer);
            self.forget_session(viewer);
        }
    }

    /// Ends a session and tells the viewer why.
    pub(super) fn end_session(&mut self, viewer: ViewerId, reason: Option<&str>) {
        self.publication.remove_viewer(viewer);
        if let Some(session) = self.sessions.get(&viewer) {
            let reason = reason.map(str::to_owned);
            self.say(|signaller| signaller.end_session(&session.id, reason));
        }
        self.forget_session(viewer);
    }

    /// Ends a session that makes way for another.
    fn displace(&mut self, displaced: Displaced) {
        let Displaced { viewer, reason } = displaced;
        if let Some(session) = self.sessions.get_mut(&viewer) {
            gst::info!(log::SINK, "session {} ends: {reason}", session.id);
            // It may have been about to answer.
            session.awaits_answer &= reason == DisplacedReason::CalledAgain;
        }
        self.end_session(viewer, Some(&reason.to_string()));
    }

    /// What viewers get that leave the choice: what is passed through, and else what runs already.
    fn preferred(&self) -> Vec<(StreamId, u32)> {
        let passed = |stream: &Stream| Some((stream.id, stream.passed()?.number));
        let mut preferred: Vec<_> = self.streams.values().filter_map(passed).collect();
        for (stream, codec) in self.audience.running() {
            if !preferred.iter().any(|(known, _)| *known == stream) {
                preferred.push((stream, codec));
            }
        }
        preferred
    }

    fn on_negotiated(&mut self, viewer: ViewerId, taken: &[(StreamId, Vec<u32>)], now: Instant) {
        if let Some(session) = self.sessions.get_mut(&viewer) {
            session.accepted_codecs = taken.to_vec();
        }
        // A stream or a codec of it may have been removed while the viewer was deciding.
        let known = |(id, codecs): &(StreamId, Vec<u32>)| {
            let stream = self.streams.get(id)?;
            let codecs = codecs.iter().copied();
            let codecs = codecs.filter(|codec| stream.codec(*codec).is_some());
            let codecs: Vec<_> = codecs.collect();
            (!codecs.is_empty()).then_some((*id, codecs))
        };
        let taken: Vec<_> = taken.iter().filter_map(known).collect();
        let is_there = self.audience.has_viewer(viewer);
        if taken.is_empty() && !is_there {
            return self.end_session(viewer, Some("there is nothing to send any more"));
        }
        let Some(session) = self.sessions.get(&viewer) else {
            return;
        };
        let names: Vec<_> = taken
            .iter()
            .filter_map(|(stream, _)| Some(&self.streams.get(stream)?.name))
            .collect();
        self.snapshot.update_session(viewer, |session| {
            session
                .refused
                .retain(|refused| !names.contains(&&refused.pad));
        });
        let peer = PeerKey(self.peer_hasher.hash_one(session.peer.as_str()));
        let joined = match is_there {
            true => self.audience.handle_renegotiated(viewer, &taken, now),
            false => self.audience.handle_joined(viewer, peer, &taken, now),
        };
        match joined {
            Ok(left) => {
                let reason = "its codec gave way to one that every viewer has";
                for viewer in left {
                    self.end_session(viewer, Some(reason));
                }
            }
            Err(none) if is_there => {
                let reason = self.no_codec_left(&none);
                gst::warning!(log::SINK, "session {} goes without: {reason}", session.id);
            }
            Err(none) => {
                let reason = self.no_codec_left(&none);
                gst::warning!(log::SINK, "session {} is refused: {reason}", session.id);
                self.end_session(viewer, Some(&reason));
            }
        }
    }

    /// The streams as they are offered.
    fn stream_configs(&self) -> Vec<StreamConfig> {
        let streams = self.streams.values();
        let streams = streams.map(|stream| stream.config(self.settings.playout_delay));
        streams.collect()
    }

    /// Pads were added or removed: every viewer is offered what there is now.
    pub(super) fn offer_streams_again(&self) {
        let streams: Arc<[_]> = self.stream_configs().into();
        let pads = self.streams.values();
        let pads: BTreeMap<_, _> = pads
            .map(|stream| (stream.id, stream.name.clone()))
            .collect();
        for (viewer, session) in &self.sessions {
            gst::debug!(log::SINK, "session {}: the pads changed", session.id);
            self.snapshot
                .update_session(*viewer, |session| session.pads.clone_from(&pads));
            self.publication.set_streams(*viewer, Arc::clone(&streams));
        }
    }

    fn no_codec_left(&self, none: &NoCodecLeft) -> String {
        let stream = self.streams.get(&none.stream);
        let codec = |number: &u32| Some(stream?.codec(*number)?.format.spelled());
        let names: Vec<_> = none.codecs.iter().filter_map(codec).collect();
        format!(
            "a stream is sent in {}, which is as many codecs as may be at once, and the viewer takes none of them",
            names.join(" and ")
        )
    }

    /// The codecs of a stream changed: each viewer gets what it takes of what there is now.
    pub(super) fn restore_codecs(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        for (viewer, session) in &self.sessions {
            let taken = session
                .accepted_codecs
                .iter()
                .find(|(stream, _)| *stream == id);
            let taken = taken.map_or(&[][..], |(_, codecs)| codecs);
            let codecs = taken.iter().copied();
            let codecs: Vec<_> = codecs
                .filter(|codec| stream.codec(*codec).is_some())
                .collect();
            if !codecs.is_empty() {
                self.audience.restore(*viewer, id, &codecs, now);
            }
        }
    }

    /// Says which streams a viewer goes without.
    fn on_refused(&mut self, viewer: ViewerId, streams: &[StreamId]) {
        let Some(session) = self.sessions.get(&viewer) else {
            return;
        };
        let we_offer = session.we_offer;
        let mut refused = Vec::new();
        for id in streams {
            let Some(stream) = self.streams.get(id) else {
                continue;
            };
            gst::warning!(
                log::SINK,
                "session {}: the viewer does not take {} ({}); it gets the rest",
                session.id,
                stream.name,
                stream.codec_names()
            );
            refused.push(RefusedSnapshot {
                pad: stream.name.clone(),
                audio: stream.audio,
                codecs: stream.described_codecs(),
            });
        }
        self.snapshot
            .update_session(viewer, |session| session.refused = refused);
        // A viewer that offers may have asked for less.
        if we_offer {
            self.post_refusals(streams);
        }
    }

    /// Posts, once for each stream that comes encoded, that there are viewers that do not take it.
    fn post_refusals(&mut self, streams: &[StreamId]) {
        for id in streams {
            let Some(stream) = self.streams.get_mut(id) else {
                continue;
            };
            if stream.encoded && !std::mem::replace(&mut stream.refusal_posted, true) {
                let (name, codecs) = (&stream.name, stream.codec_names());
                let text = format!(
                    "{name} comes encoded and is offered as {codecs}, of which a viewer takes none; it goes without"
                );
                self.warn(&text);
            }
        }
    }

    fn no_common_codec(&self) -> String {
        let names = self.streams.values().map(Stream::codec_names);
        let names: Vec<_> = names.collect();
        let reason = PeerError::NoCommonCodec;
        format!("{reason}: the viewer takes none of {}", names.join(", "))
    }

    fn refuse(&self, id: &SessionId, reason: &str) {
        gst::warning!(log::SINK, "session {id} is refused: {reason}");
        self.say(|signaller| signaller.end_session(id, Some(reason.to_owned())));
    }

    fn forget_session(&mut self, viewer: ViewerId) {
        self.audience.handle_left(viewer, Instant::now());
        self.limits.handle_end(viewer);
        self.snapshot.remove_session(viewer);
        let Some(session) = self.sessions.remove(&viewer) else {
            return;
        };
        self.viewers.remove(&session.id);
        if session.awaits_answer {
            self.unanswered.remember(&session.peer);
        }
        if let Some(sink) = self.sink.upgrade() {
            sink.emit_consumer_removed(session.peer.as_str(), &session.consumer);
        }
    }

    fn say(&self, what: impl FnOnce(&dyn wigwag_client::Signaller)) {
        if let Some(signaller) = &self.signaller {
            what(signaller);
        }
    }
}
