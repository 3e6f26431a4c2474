//! Offers and answers.
//!
//! Which formats are agreed on is decided here, by the descriptions' texts; str0m is given the outcome, once both are there:
//! what is sent is declared, and then it is given [an offer](super::str0m_description) of that alone. Viewers' sections of
//! which we send nothing are answered as idle, not as rejected: a first section that is rejected takes the transport of all
//! with it in browsers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Candidate;
use str0m::media::{MediaKind, Mid};

use super::agreement::{self, Agreement};
use super::answering;
use super::candidate_pair::RemoteCandidates;
use super::config::PassedThrough;
use super::connecting::{Place, common_extensions};
use super::description::Description;
use super::estimate::Estimate;
use super::feedback::Feedback;
use super::header_extensions::HeaderExtensions;
use super::identity::random_number;
use super::known_formats::KnownFormats;
use super::local_description::{Content, LocalDescription, LocalSection, Sources};
use super::local_transport::LocalTransport;
use super::offered::Offered;
use super::pacer::Pacer;
use super::path::Path;
use super::probing::Probing;
use super::rate::Rate;
use super::reachability::Reachability;
use super::received_sources::ReceivedSources;
use super::remote_description::{self, Setup};
use super::track::Track;
use super::{
    EndReason, SET_UP_TIMEOUT, Session, SessionConfig, SessionEvent, SessionStatistics, State,
};
use crate::ids::StreamId;

/// An offer that is not answered yet.
pub(super) struct PendingOffer {
    /// Those that came before the answer.
    pub(super) remote_candidates: Vec<Candidate>,
    offered: Offered,
    /// How the sections are called.
    names: Vec<String>,
}

impl Session {
    /// Makes a session in which we offer, and the offer (SDP). `addresses` are where the owner listens,
    /// on addresses that the viewer may reach.
    ///
    /// # Errors
    ///
    /// The configuration or an address makes no sense; or str0m failed.
    pub fn offer(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        catch_unwind(AssertUnwindSafe(|| Self::try_offer(config, addresses, now)))
            .unwrap_or(Err(EndReason::Panicked))
    }

    /// Makes a session in which the viewer offers (SDP), and our answer. Each stream goes to the first
    /// media section of the offer that wants its kind and takes one of its codecs: the one that
    /// `preferred` names, as it runs already, or else the first in the viewer's order.
    ///
    /// # Errors
    ///
    /// The offer cannot be used, or takes none of the codecs; an address makes no sense; or str0m
    /// failed.
    pub fn answer(
        config: &SessionConfig,
        offer: &str,
        preferred: &[(StreamId, u32)],
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        catch_unwind(AssertUnwindSafe(|| {
            Self::try_answer(config, offer, preferred, addresses, now)
        }))
        .unwrap_or(Err(EndReason::Panicked))
    }

    /// Takes the viewer's answer (SDP). Of the codecs that it takes of a stream, the one that `preferred`
    /// names is agreed on, as it runs already, or else the first in the viewer's order.
    pub fn handle_answer(&mut self, sdp: &str, preferred: &[(StreamId, u32)], now: Instant) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if self.state == State::Ended {
            return;
        }
        // Reading a viewer's text is as risky as what str0m does.
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.try_accept_answer(sdp, preferred, pending, now)
        }));
        match done {
            Ok(Ok(())) => self.report_agreed(),
            Ok(Err(reason)) => self.end(reason),
            Err(_) => self.end(EndReason::Panicked),
        }
    }

    fn try_offer(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        let offered = Offered::new(config)?;
        if offered.sections.is_empty() && offered.received.is_empty() {
            return Err(EndReason::NothingToOffer);
        }
        let transport = LocalTransport::new(addresses)?;
        let mut session = Self::new(config, transport, now);
        let mut sections = Vec::new();
        for section in &offered.sections {
            let place = section.place;
            let mid = match section.kind {
                MediaKind::Video => format!("video{place}"),
                MediaKind::Audio => format!("audio{place}"),
            };
            let sources = session.draw_sources()?;
            let str0m_mid = Mid::from(place.to_string().as_str());
            let track = Track::new(config, section.stream, section.kind, str0m_mid);
            session.tracks.push(track.with_sources(sources));
            sections.push(LocalSection {
                media: agreement::media(section.kind).to_owned(),
                mid,
                track: place,
                passed_through: passed_through(config, section.stream),
                content: Content::Sent {
                    formats: section.formats(config),
                    extensions: HeaderExtensions::offered(config, section.kind),
                    sources,
                },
            });
        }
        for (number, received) in offered.received.iter().enumerate() {
            let place = config.streams.len() + number;
            let media = agreement::media(received.kind);
            sections.push(LocalSection {
                media: media.to_owned(),
                mid: format!("{media}{place}"),
                track: place,
                passed_through: None,
                content: Content::Received {
                    formats: received.formats(),
                    extensions: received.extensions.clone(),
                },
            });
        }
        let names = sections.iter().map(|section| section.mid.clone()).collect();
        let text = session.describe(Setup::Either, sections)?;
        session.pending = Some(PendingOffer {
            remote_candidates: Vec::new(),
            offered,
            names,
        });
        Ok((session, text))
    }

    fn try_accept_answer(
        &mut self,
        sdp: &str,
        preferred: &[(StreamId, u32)],
        mut pending: PendingOffer,
        now: Instant,
    ) -> Result<(), EndReason> {
        let answer = Description::parse(sdp).map_err(|_| EndReason::MalformedDescription)?;
        let agreements = pending.offered.agree(&answer, &self.config, preferred)?;
        if !agreements.iter().any(Agreement::has_media) {
            return Err(EndReason::NoCommonCodec);
        }
        self.repeat_candidates(&agreements);
        for (track, agreement) in self.tracks.iter_mut().zip(&agreements) {
            track.accept(agreement);
        }
        let names = std::mem::take(&mut pending.names);
        self.begin(&answer, &names, &agreements, true, now)?;
        let candidates = std::mem::take(&mut pending.remote_candidates);
        self.with_rtc(now, |rtc| {
            candidates
                .into_iter()
                .for_each(|it| rtc.add_remote_candidate(it));
            Ok(())
        });
        for early in self.transport.take_early() {
            self.handle_datagram(early.source, early.destination, &early.datagram, now);
        }
        Ok(())
    }

    fn try_answer(
        config: &SessionConfig,
        offer: &str,
        preferred: &[(StreamId, u32)],
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        let offer = Description::parse(offer).map_err(|_| EndReason::MalformedDescription)?;
        if !goes_on(&offer, &[]) {
            return Err(EndReason::UnusableDescription);
        }
        let transport = LocalTransport::new(addresses)?;
        let mut session = Self::new(config, transport, now);
        let mut known = KnownFormats::default();
        let agreements = answering::answer(&offer, config, preferred, &mut known, &[]);
        if !agreements.iter().any(Agreement::has_media) {
            return Err(EndReason::NoCommonCodec);
        }
        let all = common_extensions(&agreements);
        let sections = session.local_sections(&offer, &agreements, &all)?;
        let names: Vec<_> = sections.iter().map(|section| section.mid.clone()).collect();
        session.begin(&offer, &names, &agreements, false, now)?;
        session.with_rtc(now, |_| Ok(()));
        session.report_agreed();
        let setup = session.setup();
        let answer = session.describe(setup, sections)?;
        Ok((session, answer))
    }

    /// Takes a further offer of the peer (SDP), which may add sections, stop them, change their directions, or have ICE begin
    /// again. The answer comes as an [event](SessionEvent::Answer). One that comes while an offer of ours waits for its answer, or
    /// does not go on from the descriptions before, ends the session.
    pub fn handle_offer(&mut self, sdp: &str, preferred: &[(StreamId, u32)], now: Instant) {
        if self.state == State::Ended {
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.try_answer_again(sdp, preferred, now)
        }));
        match done {
            Ok(Ok(answer)) => {
                self.report_agreed();
                self.events.push_back(SessionEvent::Answer(answer));
                self.with_rtc(now, |_| Ok(()));
            }
            Ok(Err(reason)) => self.end(reason),
            Err(_) => self.end(EndReason::Panicked),
        }
    }

    fn try_answer_again(
        &mut self,
        offer: &str,
        preferred: &[(StreamId, u32)],
        now: Instant,
    ) -> Result<String, EndReason> {
        let offer = Description::parse(offer).map_err(|_| EndReason::MalformedDescription)?;
        let negotiated = self.negotiated.as_mut();
        let negotiated = negotiated.ok_or(EndReason::UnusableDescription)?;
        if !goes_on(&offer, &negotiated.places) {
            return Err(EndReason::UnusableDescription);
        }
        let bound = negotiated.bound(&self.tracks);
        let known = &mut negotiated.known;
        let agreements = answering::answer(&offer, &self.config, preferred, known, &bound);
        let all = negotiated.extensions.clone();
        let sections = self.local_sections(&offer, &agreements, &all)?;
        let names: Vec<_> = sections.iter().map(|section| section.mid.clone()).collect();
        self.agree_again(&offer, &names, &agreements, now)?;
        self.describe(self.setup(), sections)
    }

    /// What is answered about each section of an offer. Streams that are sent for the first time get a track.
    fn local_sections(
        &mut self,
        offer: &Description,
        agreements: &[Agreement],
        extensions: &HeaderExtensions,
    ) -> Result<Vec<LocalSection>, EndReason> {
        let version = self.negotiated.as_ref().map_or(0, |it| it.version);
        let mut sections = Vec::new();
        for (place, (section, agreement)) in offer.sections.iter().zip(agreements).enumerate() {
            let stream = agreement.stream();
            let mut sources = Sources::default();
            if let Some((stream, kind)) = stream {
                let mut tracks = self.tracks.iter_mut();
                match tracks.find(|track| track.stream() == stream) {
                    Some(track) => {
                        if !track.has_accepted(agreement) {
                            track.accept(agreement);
                        }
                        sources = track.sources();
                    }
                    None => {
                        sources = self.draw_sources()?;
                        let mid = Mid::from(format!("t{place}v{version}").as_str());
                        let track = Track::new(&self.config, stream, kind, mid);
                        let mut track = track.with_sources(sources);
                        track.accept(agreement);
                        self.tracks.push(track);
                    }
                }
            }
            let config = &self.config;
            sections.push(LocalSection {
                media: section.media.clone(),
                mid: remote_description::mid(section, place),
                track: place,
                passed_through: stream.and_then(|(stream, _)| passed_through(config, stream)),
                content: agreement.content(section, config, extensions, sources),
            });
        }
        Ok(sections)
    }

    /// Our part in the handshake.
    fn setup(&self) -> Setup {
        let negotiated = self.negotiated.as_ref();
        negotiated.map_or(Setup::Either, |negotiated| negotiated.setup)
    }

    /// Our description.
    fn describe(&self, setup: Setup, sections: Vec<LocalSection>) -> Result<String, EndReason> {
        let credentials = self.transport.credentials();
        let candidates = self.transport.candidates();
        let version = self.negotiated.as_ref().map_or(0, |it| it.version);
        let description = LocalDescription {
            name: &self.config.name,
            number: self.number,
            // The first is 2, as of browsers.
            version: version.saturating_sub(1) + 2,
            canonical_name: self.config.certificate.canonical_name(),
            ufrag: &credentials.ufrag,
            password: &credentials.pass,
            fingerprint: self.config.certificate.fingerprint(),
            setup,
            candidates: candidates.map(|it| it.to_sdp_string()).collect(),
            sections,
        };
        Ok(description.write())
    }

    fn new(config: &SessionConfig, transport: LocalTransport, now: Instant) -> Self {
        Self {
            ufrag: transport.credentials().ufrag.clone(),
            number: transport.number(),
            transport,
            negotiated: None,
            rtc: None,
            config: config.clone(),
            pending: None,
            tracks: Vec::with_capacity(config.streams.len()),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            state: State::SettingUp,
            started: now,
            last_received: now,
            checked: false,
            // There is nothing to do for it before there is a connection.
            str0m_timeout: now + SET_UP_TIMEOUT,
            now,
            estimate: Estimate::new(),
            feedback: Feedback::default(),
            path: Path::new(now),
            probing: Probing::new(),
            pacer: Pacer::new(config.start_bitrate),
            statistics: SessionStatistics::default(),
            rate: Rate::default(),
            remote_candidates: RemoteCandidates::default(),
            reachability: Reachability::default(),
            reflexive_candidates: Vec::new(),
            bundle_section: 0,
            receivers: Vec::new(),
            received: VecDeque::new(),
            received_sources: ReceivedSources::default(),
            mid_extension: None,
            remb_sent_at: None,
        }
    }

    /// Sources for another stream, which no other of the session has.
    fn draw_sources(&self) -> Result<Sources, EndReason> {
        loop {
            let number = random_number().ok_or(EndReason::Internal)?;
            let sources = Sources {
                media: number as u32,
                rtx: (number >> 32) as u32,
            };
            let both = [sources.media, sources.rtx];
            let mut taken = self.tracks.iter().map(Track::sources);
            let is_taken = taken.any(|it| both.contains(&it.media) || both.contains(&it.rtx));
            // str0m sends probes from source 0.
            if !both.contains(&0) && both[0] != both[1] && !is_taken {
                return Ok(sources);
            }
        }
    }

    /// What is sent and what is received.
    fn report_agreed(&mut self) {
        if self.state == State::Ended {
            return;
        }
        if !self.config.streams.is_empty() {
            self.report_negotiated();
            self.report_refused();
        }
        if !self.receivers.is_empty() {
            let tracks = self.receivers.iter().map(|it| it.track.clone());
            let event = SessionEvent::RemoteTracks(tracks.collect());
            self.events.push_back(event);
        }
    }

    fn report_negotiated(&mut self) {
        let taken = self
            .tracks
            .iter()
            .map(|track| (track.stream(), track.taken()));
        let taken = taken.filter(|(_, codecs)| !codecs.is_empty()).collect();
        self.events.push_back(SessionEvent::Negotiated(taken));
    }

    /// Streams that the viewer takes nothing of, in what was offered or what it offers.
    fn report_refused(&mut self) {
        let taken = |stream: &StreamId| {
            let mut tracks = self.tracks.iter();
            tracks.any(|track| track.stream() == *stream && track.agreed().is_some())
        };
        let streams = self.config.streams.iter().map(|stream| stream.id);
        let refused: Vec<_> = streams.filter(|stream| !taken(stream)).collect();
        if self.state != State::Ended && !refused.is_empty() {
            self.events.push_back(SessionEvent::Refused(refused));
        }
    }

    /// The first section that the viewer takes speaks for all from now on; what was said for another is lost.
    fn repeat_candidates(&mut self, agreements: &[Agreement]) {
        let rejected = |agreement: &Agreement| matches!(agreement, Agreement::Rejected);
        let first = agreements.iter().position(|agreement| !rejected(agreement));
        let Some(first @ 1..) = first else {
            return;
        };
        self.bundle_section = first;
        let again = self.reflexive_candidates.iter().cloned();
        self.events.extend(again.map(SessionEvent::LocalCandidate));
    }
}

fn passed_through(config: &SessionConfig, stream: StreamId) -> Option<PassedThrough> {
    let mut streams = config.streams.iter();
    let config = streams.find(|config| config.id == stream)?;
    config.passed_through.clone()
}

/// Whether the sections of an offer have names of their own, and it has all of the descriptions before, and others only in the place of rejected ones or after all
/// (RFC 3264, section 8).
fn goes_on(offer: &Description, before: &[Place]) -> bool {
    let same = before.iter().enumerate().all(|(number, place)| {
        offer.sections.get(number).is_some_and(|section| {
            let name = remote_description::mid(section, number);
            place.is_rejected || (section.media == place.media && name == place.name)
        })
    });
    let names = offer.sections.iter().enumerate();
    let mut names: Vec<_> = names
        .map(|(at, it)| remote_description::mid(it, at))
        .collect();
    names.sort_unstable();
    same && names.windows(2).all(|pair| pair[0] != pair[1])
}
