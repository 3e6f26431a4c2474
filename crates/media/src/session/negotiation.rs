//! Offers and answers.
//!
//! Which formats are agreed on is decided here, by the descriptions' texts; str0m is told the outcome, once both are there:
//! what is sent is declared, and then it is given [an offer](super::str0m_description) of that alone. Viewers' sections of
//! which we send nothing are answered as idle, not as rejected: a first section that is rejected takes the transport of all
//! with it in browsers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{MediaKind, Mid};
use str0m::{Candidate, RtcConfig, bwe};

use super::agreement::{self, Agreement, Offered};
use super::candidate_pair::RemoteCandidates;
use super::config::PassedThrough;
use super::description::Description;
use super::estimate::Estimate;
use super::feedback::Feedback;
use super::format;
use super::header_extensions::HeaderExtensions;
use super::identity::{provider, random_number};
use super::local_description::{Content, LocalDescription, LocalSection, Sources};
use super::local_transport::LocalTransport;
use super::mid_header::MidNames;
use super::pacer::Pacer;
use super::path::Path;
use super::payload_types::PayloadTypes;
use super::probing::Probing;
use super::rate::Rate;
use super::reachability::Reachability;
use super::remote_description::{self, RemoteTransport, Setup};
use super::remote_track::TrackReceiver;
use super::str0m_description::{self, Str0mSection};
use super::track::Track;
use super::{
    EndReason, SET_UP_TIMEOUT, Session, SessionConfig, SessionEvent, SessionStatistics, State,
};
use crate::ids::StreamId;

/// How often str0m reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// An offer that is not answered yet.
pub(super) struct PendingOffer {
    pub(super) transport: LocalTransport,
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
        let mut session = Self::new(config, &transport, now);
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
        let text = describe(config, &transport, Setup::Either, sections)?;
        session.pending = Some(PendingOffer {
            transport,
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
        self.begin(&pending.transport, &answer, &names, &agreements, true, now)?;
        let candidates = std::mem::take(&mut pending.remote_candidates);
        self.with_rtc(now, |rtc| {
            candidates
                .into_iter()
                .for_each(|it| rtc.add_remote_candidate(it));
            Ok(())
        });
        for early in pending.transport.take_early() {
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
        let mut payload_types = PayloadTypes::default();
        let agreements = agreement::answer(&offer, config, preferred, &mut payload_types)?;
        let transport = LocalTransport::new(addresses)?;
        let mut session = Self::new(config, &transport, now);
        let all = common_extensions(&agreements);
        let mut sections = Vec::new();
        for (place, (section, agreement)) in offer.sections.iter().zip(&agreements).enumerate() {
            let mid = remote_description::mid(section, place);
            let sources = session.draw_sources()?;
            let stream = agreement.stream();
            if let Some((stream, kind)) = stream {
                let str0m_mid = Mid::from(place.to_string().as_str());
                let mut track = Track::new(config, stream, kind, str0m_mid).with_sources(sources);
                track.accept(agreement);
                session.tracks.push(track);
            }
            sections.push(LocalSection {
                media: section.media.clone(),
                mid,
                track: place,
                passed_through: stream.and_then(|(stream, _)| passed_through(config, stream)),
                content: agreement.content(section, config, &all, sources),
            });
        }
        let names: Vec<_> = sections.iter().map(|section| section.mid.clone()).collect();
        let setup = session.begin(&transport, &offer, &names, &agreements, false, now)?;
        session.with_rtc(now, |_| Ok(()));
        session.report_agreed();
        let answer = describe(config, &transport, setup, sections)?;
        Ok((session, answer))
    }

    /// Makes the connection, now that both descriptions are there, and returns our part in the handshake.
    fn begin(
        &mut self,
        transport: &LocalTransport,
        remote: &Description,
        names: &[String],
        agreements: &[Agreement],
        offered: bool,
        now: Instant,
    ) -> Result<Setup, EndReason> {
        let is_rejected = |section: &_| remote_description::is_rejected(remote, section);
        let remote_transport = RemoteTransport::read(remote, is_rejected);
        let remote_transport = remote_transport.ok_or(EndReason::UnusableDescription)?;
        let setup = Setup::ours(remote_transport.setup);
        let all = common_extensions(agreements);
        let mid_names = MidNames::default();
        let mut rtc = rtc_config(&self.config, agreements, &all, &mid_names)
            .set_local_ice_credentials(transport.credentials().clone())
            .build(now);
        for candidate in transport.candidates() {
            rtc.add_local_candidate(candidate);
        }
        let mut sections = Vec::new();
        let mut named = Vec::new();
        for (place, (agreement, name)) in agreements.iter().zip(names).enumerate() {
            let (Some(kind), Some(extensions)) = (agreement.kind(), agreement.extensions()) else {
                continue;
            };
            let mut tracks = self.tracks.iter_mut();
            let track = tracks.find(|track| Some((track.stream(), kind)) == agreement.stream());
            let mid = match &track {
                Some(track) => track.mid(),
                None => Mid::from(format!("r{place}").as_str()),
            };
            let declared = self.config.certificate.declare_media(&mut rtc, mid, kind);
            declared.ok_or(EndReason::Internal)?;
            if let Some(track) = track {
                track.prepare(&mut rtc, self.config.retransmission);
            }
            if let (Agreement::Received(received), Some(section)) =
                (agreement, remote.sections.get(place))
            {
                let receiver = TrackReceiver::new(mid, name, section, received);
                receiver.expect_named(section, &mut rtc);
                self.receivers.push(receiver);
            }
            named.push((mid, name.clone()));
            sections.push(Str0mSection {
                mid,
                kind,
                formats: agreement.placeholders(),
                extensions: extensions.among(&all),
                is_received: matches!(agreement, Agreement::Received(_)),
            });
        }
        mid_names.set(named);
        self.mid_extension = all.mid();
        let max_message_bytes = agreements.iter().find_map(|agreement| match agreement {
            Agreement::Data { max_message_bytes } => Some(*max_message_bytes),
            _ => None,
        });
        let text = str0m_description::offer(&remote_transport, setup, &sections, max_message_bytes);
        let offer = SdpOffer::from_sdp_string(&text).map_err(|_| EndReason::UnusableDescription)?;
        let accepted = rtc.sdp_api().accept_offer(offer);
        accepted.map_err(|error| EndReason::from(&error))?;
        // Who offers controls, except if the other end cannot (RFC 8445, section 6.1.1).
        let controls = offered || remote_transport.is_lite;
        rtc.direct_api().set_ice_controlling(controls);
        for candidate in remote_description::candidates(remote) {
            if let Some(candidate) = self.read_candidate(&candidate) {
                rtc.add_remote_candidate(candidate);
            }
        }
        self.rtc = Some(rtc);
        self.str0m_timeout = now;
        Ok(setup)
    }

    fn new(config: &SessionConfig, transport: &LocalTransport, now: Instant) -> Self {
        Self {
            ufrag: transport.credentials().ufrag.clone(),
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
            sources: Vec::new(),
            unsignalled_sources: 0,
            mid_extension: None,
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

/// Our description.
fn describe(
    config: &SessionConfig,
    transport: &LocalTransport,
    setup: Setup,
    sections: Vec<LocalSection>,
) -> Result<String, EndReason> {
    let credentials = transport.credentials();
    let number = random_number().ok_or(EndReason::Internal)?;
    let candidates = transport.candidates();
    let description = LocalDescription {
        name: &config.name,
        // Others read it as a signed number of 64 bits (RFC 9429, section 5.2.1).
        number: number >> 1,
        canonical_name: config.certificate.canonical_name(),
        ufrag: &credentials.ufrag,
        password: &credentials.pass,
        fingerprint: config.certificate.fingerprint(),
        setup,
        candidates: candidates.map(|it| it.to_sdp_string()).collect(),
        sections,
    };
    Ok(description.write())
}

/// The header extensions of all sections, in which an identifier means one thing.
fn common_extensions(agreements: &[Agreement]) -> HeaderExtensions {
    let mut all = HeaderExtensions::default();
    for extensions in agreements.iter().filter_map(Agreement::extensions) {
        all.merge(extensions);
    }
    all
}

fn rtc_config(
    config: &SessionConfig,
    agreements: &[Agreement],
    extensions: &HeaderExtensions,
    names: &MidNames,
) -> RtcConfig {
    let mut rtc_config = RtcConfig::new()
        .set_crypto_provider(provider())
        .set_dtls_cert(config.certificate.for_str0m())
        // We packetise, once for all.
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        .enable_bwe(config.start_bitrate.map(bwe::Bitrate::bps))
        .set_stats_interval(Some(STATISTICS_INTERVAL));
    rtc_config = extensions.configure(rtc_config, names);
    // Sections share the formats that they have in common.
    let mut known = Vec::new();
    for claim in agreements.iter().flat_map(Agreement::claims) {
        if !known.contains(&claim.number) {
            known.push(claim.number);
            format::add_placeholder(rtc_config.codec_config(), &claim);
        }
    }
    rtc_config
}
