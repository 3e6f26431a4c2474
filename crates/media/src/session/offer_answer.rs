//! Offers and answers.
//!
//! Which formats are agreed on is decided here, by the descriptions' texts; str0m is given the outcome, once both are there:
//! what is sent is declared, and then it is given [an offer](crate::negotiation::str0m_description) of that alone. Viewers' sections of
//! which we send nothing are answered as idle, not as rejected: a first section that is rejected takes the transport of all
//! with it in browsers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Candidate;
use str0m::media::Mid;

use super::candidate_pair::RemoteCandidates;
use super::connecting::{Agreed, FirstOffer, Place, common_extensions};
use super::local_transport::LocalTransport;
use super::path::Path;
use super::reachability::Reachability;
use super::received_sources::ReceivedSources;
use super::track::Track;
use super::{
    ConfigError, InternalError, PeerError, SET_UP_TIMEOUT, Session, SessionConfig, SessionError,
    SessionEvent, SessionStatistics, State,
};
use crate::congestion::estimate::Estimate;
use crate::congestion::feedback::Feedback;
use crate::congestion::pacer::Pacer;
use crate::congestion::probing::Probing;
use crate::congestion::rate::Rate;
use crate::identity::random_number;
use crate::ids::StreamId;
use crate::negotiation::agreement::Agreement;
use crate::negotiation::answering;
use crate::negotiation::config::PassedThrough;
use crate::negotiation::header_extensions::{HeaderExtensions, NameExtensions};
use crate::negotiation::known_formats::KnownFormats;
use crate::negotiation::local_description::{LocalDescription, LocalSection, Sources};
use crate::negotiation::offered::{Offered, OfferedContent};
use crate::sdp::description::Description;
use crate::sdp::remote_description::{self, Setup};

/// An offer of ours that is not answered yet.
pub(super) struct PendingOffer {
    /// Those that came before the answer, if it is the first.
    pub(super) remote_candidates: Vec<Candidate>,
    pub(super) offered: Offered,
    pub(super) sections: Vec<LocalSection>,
    /// Streams that got a track by it.
    pub(super) new_tracks: Vec<StreamId>,
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
    ) -> Result<(Self, String), SessionError> {
        catch_unwind(AssertUnwindSafe(|| Self::try_offer(config, addresses, now)))
            .unwrap_or(Err(InternalError::Panicked.into()))
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
    ) -> Result<(Self, String), SessionError> {
        catch_unwind(AssertUnwindSafe(|| {
            Self::try_answer(config, offer, preferred, addresses, now)
        }))
        .unwrap_or(Err(InternalError::Panicked.into()))
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
            Ok(Ok(())) => {
                self.report_agreed();
                self.offer_if_due();
            }
            Ok(Err(reason)) => self.end(reason),
            Err(_) => self.end(InternalError::Panicked),
        }
    }

    fn try_offer(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), SessionError> {
        let (offered, places) = Offered::new(config)?;
        if offered.sections.is_empty() {
            return Err(ConfigError::NothingToOffer.into());
        }
        let transport = LocalTransport::new(addresses)?;
        let mut session = Self::new(config, transport, now);
        let received = config.streams.len()..;
        let mut sections = Vec::new();
        for (section, place) in offered
            .sections
            .iter()
            .zip(places.into_iter().chain(received))
        {
            let local = session.offered_section(section, place)?;
            if let OfferedContent::Sent(offered) = &section.content {
                let sources = session.draw_sources()?;
                let str0m_mid = Mid::from(place.to_string().as_str());
                let track = Track::new(config, offered.stream, offered.kind, str0m_mid);
                session.tracks.push(track.with_sources(sources));
            }
            sections.push(session.with_sources(local));
        }
        session.offered_first = true;
        let text = session.describe(Setup::Either, sections.clone());
        session.pending = Some(PendingOffer {
            remote_candidates: Vec::new(),
            offered,
            sections,
            new_tracks: Vec::new(),
        });
        Ok((session, text))
    }

    fn try_accept_answer(
        &mut self,
        sdp: &str,
        preferred: &[(StreamId, u32)],
        pending: PendingOffer,
        now: Instant,
    ) -> Result<(), SessionError> {
        let answer = Description::parse(sdp).map_err(|_| PeerError::MalformedDescription)?;
        let preferred = self.with_codecs_sent(preferred);
        let mut first = KnownFormats::default();
        let known = match &mut self.negotiated {
            Some(negotiated) => &mut negotiated.known,
            None => &mut first,
        };
        let offered = &pending.offered;
        let agreements = offered.agree(&answer, &self.config, &preferred, known)?;
        if self.negotiated.is_none() && !agreements.iter().any(Agreement::has_media) {
            return Err(PeerError::NoCommonCodec.into());
        }
        for agreement in &agreements {
            let mut tracks = self.tracks.iter_mut();
            let track =
                tracks.find(|track| agreement.stream() == Some((track.stream(), track.kind())));
            if let Some(track) = track.filter(|track| !track.has_accepted(agreement)) {
                track.accept(agreement);
            }
        }
        let is_first = self.negotiated.is_none();
        if is_first {
            self.repeat_candidates(&agreements);
        }
        let agreed = Agreed {
            remote: &answer,
            local: pending.sections,
            agreements,
        };
        if !is_first {
            if let Some(negotiated) = &mut self.negotiated {
                negotiated.codecs = pending.offered.codecs;
            }
            self.agree_again(agreed, false, now)?;
            self.with_rtc(now, |_| Ok(()));
            return Ok(());
        }
        let offer = FirstOffer {
            is_ours: true,
            codecs: pending.offered.codecs,
        };
        self.begin(agreed, first, offer, now)?;
        let candidates = pending.remote_candidates;
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
    ) -> Result<(Self, String), SessionError> {
        let offer = Description::parse(offer).map_err(|_| PeerError::MalformedDescription)?;
        if !goes_on(&offer, &[]) {
            return Err(PeerError::UnusableDescription.into());
        }
        let transport = LocalTransport::new(addresses)?;
        let mut session = Self::new(config, transport, now);
        let mut known = KnownFormats::default();
        let agreements = answering::answer(&offer, config, preferred, &mut known, &[]);
        if !agreements.iter().any(Agreement::has_media) {
            return Err(PeerError::NoCommonCodec.into());
        }
        let all = common_extensions(&agreements);
        let sections = session.local_sections(&offer, &agreements, &all)?;
        let agreed = Agreed {
            remote: &offer,
            local: sections.clone(),
            agreements,
        };
        session.begin(agreed, known, FirstOffer::default(), now)?;
        session.with_rtc(now, |_| Ok(()));
        session.report_agreed();
        let setup = session.setup();
        let answer = session.describe(setup, sections);
        Ok((session, answer))
    }

    /// Takes a further offer of the peer (SDP), which may add sections, stop them, change their directions, or have ICE begin
    /// again. The answer comes as an [event](SessionEvent::Answer). One that does not go on from the descriptions before ends the
    /// session.
    ///
    /// Where both ends offer at once, the offer counts of the end that made the first of the session: one that comes while such
    /// an offer of ours waits for its answer is passed over, and the peer takes it back (RFC 9429, section 4.1.10.2); else ours is
    /// taken back, and made again afterwards.
    pub fn handle_offer(&mut self, sdp: &str, preferred: &[(StreamId, u32)], now: Instant) {
        if self.state == State::Ended {
            return;
        }
        if self.pending.is_some() {
            if self.offered_first {
                return tracing::debug!("passed over an offer that crossed one of ours");
            }
            self.take_back_offer();
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.try_answer_again(sdp, preferred, now)
        }));
        match done {
            Ok(Ok(answer)) => {
                self.report_agreed();
                self.events.push_back(SessionEvent::Answer(answer));
                self.with_rtc(now, |_| Ok(()));
                self.offer_if_due();
            }
            Ok(Err(reason)) => self.end(reason),
            Err(_) => self.end(InternalError::Panicked),
        }
    }

    fn try_answer_again(
        &mut self,
        offer: &str,
        preferred: &[(StreamId, u32)],
        now: Instant,
    ) -> Result<String, SessionError> {
        let offer = Description::parse(offer).map_err(|_| PeerError::MalformedDescription)?;
        let preferred = self.with_codecs_sent(preferred);
        let negotiated = self.negotiated.as_mut();
        let negotiated = negotiated.ok_or(PeerError::UnusableDescription)?;
        if !goes_on(&offer, &negotiated.places) {
            return Err(PeerError::UnusableDescription.into());
        }
        let bound = negotiated.bound(&self.tracks);
        let known = &mut negotiated.known;
        let agreements = answering::answer(&offer, &self.config, &preferred, known, &bound);
        let all = negotiated.extensions.clone();
        let sections = self.local_sections(&offer, &agreements, &all)?;
        let agreed = Agreed {
            remote: &offer,
            local: sections.clone(),
            agreements,
        };
        self.agree_again(agreed, true, now)?;
        let setup = self.setup();
        Ok(self.describe(setup, sections))
    }

    /// What is answered about each section of an offer. Streams that are sent for the first time get a track.
    fn local_sections(
        &mut self,
        offer: &Description,
        agreements: &[Agreement],
        extensions: &HeaderExtensions,
    ) -> Result<Vec<LocalSection>, SessionError> {
        let negotiated = self.negotiated.as_ref();
        let version = negotiated.map_or(0, |it| it.version);
        let before = negotiated.map_or(&[][..], |it| &it.places);
        let before: Vec<_> = before.iter().map(|it| it.local.stream).collect();
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
                stream: stream
                    .map(|(stream, _)| stream)
                    .or_else(|| before.get(place).copied().flatten()),
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
    pub(super) fn describe(&mut self, setup: Setup, sections: Vec<LocalSection>) -> String {
        self.described += 1;
        let credentials = self.transport.credentials();
        let candidates = self.transport.candidates();
        let description = LocalDescription {
            name: &self.config.name,
            number: self.number,
            // The first is 2, as of browsers.
            version: self.described + 1,
            canonical_name: self.config.certificate.canonical_name(),
            ufrag: &credentials.ufrag,
            password: &credentials.pass,
            fingerprint: self.config.certificate.fingerprint(),
            setup,
            candidates: candidates.map(|it| it.to_sdp_string()).collect(),
            sections,
        };
        description.write()
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
            offered_first: false,
            described: 0,
            added: Vec::new(),
            offer_due: false,
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
            name_extensions: NameExtensions::default(),
            remb_sent_at: None,
        }
    }

    /// Sources for another stream, which no other of the session has.
    pub(super) fn draw_sources(&self) -> Result<Sources, SessionError> {
        loop {
            let number = random_number().ok_or(InternalError::NotMade)?;
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
        // They are still to be offered.
        let streams = streams.filter(|stream| !self.added.contains(stream));
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

pub(super) fn passed_through(config: &SessionConfig, stream: StreamId) -> Option<PassedThrough> {
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
            let before = &place.local;
            place.is_rejected() || (section.media == before.media && name == before.mid)
        })
    });
    let names = offer.sections.iter().enumerate();
    let mut names: Vec<_> = names
        .map(|(at, it)| remote_description::mid(it, at))
        .collect();
    names.sort_unstable();
    same && names.windows(2).all(|pair| pair[0] != pair[1])
}
