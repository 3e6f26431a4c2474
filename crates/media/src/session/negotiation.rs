//! Offers and answers.
//!
//! Which formats are agreed on is decided here, by the descriptions' texts; the WebRTC library is told
//! the outcome. Viewers' sections of which we send nothing are answered as idle, not as rejected: a first
//! section that is rejected takes the transport of all with it in browsers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::Protocol;
use str0m::rtp::Extension;
use str0m::{Candidate, RtcConfig, bwe};

use super::agreement::{self, Agreement, Offered};
use super::candidate_pair::RemoteCandidates;
use super::colour_space::{self, ColourSpaceHeader};
use super::config::{PassedThrough, provider};
use super::description::Description;
use super::estimate::Estimate;
use super::feedback::Feedback;
use super::format;
use super::local_description::{self, Content, Telling};
use super::mid_header::{self, MidNames};
use super::pacer::Pacer;
use super::path::Path;
use super::payload_types::PayloadTypes;
use super::probing::Probing;
use super::rate::Rate;
use super::reachability::Reachability;
use super::remote_description;
use super::track::Track;
use super::{EndReason, Session, SessionConfig, SessionEvent, SessionStatistics, State};
use crate::demand::StreamId;

/// How often the library reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// Where header extensions are offered; viewers may put them elsewhere.
const TRANSPORT_SEQUENCE_ID: u8 = 3;
const MID_ID: u8 = 4;
const PLAYOUT_DELAY_ID: u8 = 5;
const CAPTURE_TIME_ID: u8 = 6;
const COLOUR_SPACE_ID: u8 = 7;

/// An offer that is not answered yet.
pub(super) struct PendingOffer {
    library: SdpPendingOffer,
    offered: Offered,
    /// How the library calls the sections.
    mids: Vec<String>,
}

impl Session {
    /// Makes a session in which we offer, and the offer (SDP). `addresses` are where the owner listens,
    /// on addresses that the viewer may reach.
    ///
    /// # Errors
    ///
    /// The configuration or an address makes no sense; or the library failed.
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
    /// The offer cannot be used, or takes none of the codecs; an address makes no sense; or the library
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
    pub fn accept_answer(&mut self, sdp: &str, preferred: &[(StreamId, u32)], now: Instant) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        // Reading a viewer's text is as risky as what the library does.
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.try_accept_answer(sdp, preferred, pending, now)
        }));
        match done {
            Ok(Ok(())) => {
                self.tell_negotiated();
                self.report_refused();
            }
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
        let names = MidNames::default();
        let mut session = Self::new(config, &offered.payload_types, &names, addresses, now)?;
        let mut changes = session.rtc.sdp_api();
        for section in &offered.sections {
            // One stream id and one track id for all, because the library makes the CNAME of the latter,
            // and browsers play in step what shares them; the text then gets track ids of its own.
            let (stream_id, track_id) = (config.name.clone(), config.name.clone());
            let direction = Direction::SendOnly;
            let mid = changes.add_media(
                section.kind,
                direction,
                Some(stream_id),
                Some(track_id),
                None,
            );
            let track = Track::new(config, section.stream, section.kind, mid);
            session.tracks.push(track);
        }
        let (offer, pending) = changes.apply().ok_or(EndReason::NothingToOffer)?;
        let library =
            Description::parse(&offer.to_sdp_string()).map_err(|_| EndReason::LibraryFailed)?;
        let mut tellings = Vec::new();
        let mut named = Vec::new();
        for (section, track) in offered.sections.iter().zip(&session.tracks) {
            let place = section.place;
            let mid = match section.kind {
                MediaKind::Video => format!("video{place}"),
                MediaKind::Audio => format!("audio{place}"),
            };
            named.push((track.mid(), mid.clone()));
            tellings.push(Telling {
                mid,
                track: place,
                passed_through: passed_through(config, section.stream),
                content: Content::Sent(section.formats(config)),
            });
        }
        names.set(named);
        let text = local_description::for_viewer(&library, &config.name, &tellings, true);
        let mids = session.tracks.iter().map(|track| track.mid().to_string());
        session.pending = Some(PendingOffer {
            library: pending,
            mids: mids.collect(),
            offered,
        });
        Ok((session, text))
    }

    fn try_accept_answer(
        &mut self,
        sdp: &str,
        preferred: &[(StreamId, u32)],
        pending: PendingOffer,
        now: Instant,
    ) -> Result<(), EndReason> {
        let answer = Description::parse(sdp).map_err(|_| EndReason::MalformedDescription)?;
        let agreements = pending.offered.agree(&answer, &self.config, preferred)?;
        // Of an answer that refuses all, Firefox leaves out what the library needs.
        if agreements
            .iter()
            .all(|agreement| agreement.stream().is_none())
        {
            return Err(EndReason::NoCommonCodec);
        }
        self.repeat_candidates(&agreements);
        let told: Vec<_> = agreements.iter().map(Agreement::told).collect();
        let told: Vec<_> = pending.mids.into_iter().zip(told).collect();
        let text =
            remote_description::for_library(&answer, &told, |text| self.uses_candidate(text));
        let answer =
            SdpAnswer::from_sdp_string(&text).map_err(|_| EndReason::UnusableDescription)?;
        let mut tracks = std::mem::take(&mut self.tracks);
        let retransmission = self.config.retransmission;
        self.operate(now, |rtc| {
            rtc.sdp_api().accept_answer(pending.library, answer)?;
            for (track, agreement) in tracks.iter_mut().zip(&agreements) {
                track.accept(agreement);
                track.prepare(rtc, retransmission);
            }
            Ok(())
        });
        self.tracks = tracks;
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
        let names = MidNames::default();
        let mut session = Self::new(config, &payload_types, &names, addresses, now)?;
        let mut tellings = Vec::new();
        let mut told = Vec::new();
        let mut named = Vec::new();
        for (place, (section, agreement)) in offer.sections.iter().zip(&agreements).enumerate() {
            let mid = remote_description::mid(section, place);
            let of_library = place.to_string();
            named.push((Mid::from(of_library.as_str()), mid.clone()));
            tellings.push(Telling {
                mid,
                track: place,
                passed_through: agreement
                    .stream()
                    .and_then(|(stream, _)| passed_through(config, stream)),
                content: agreement.content(section, config),
            });
            told.push((of_library, agreement.told()));
        }
        names.set(named);
        let text =
            remote_description::for_library(&offer, &told, |text| session.uses_candidate(text));
        let offer = SdpOffer::from_sdp_string(&text).map_err(|_| EndReason::UnusableDescription)?;
        let answer = session.rtc.sdp_api().accept_offer(offer);
        let answer = answer
            .map_err(|error| EndReason::from(&error))?
            .to_sdp_string();
        for ((of_library, _), agreement) in told.iter().zip(&agreements) {
            if let Some((stream, kind)) = agreement.stream() {
                let mid = Mid::from(of_library.as_str());
                let mut track = Track::new(config, stream, kind, mid);
                track.accept(agreement);
                track.prepare(&mut session.rtc, config.retransmission);
                session.tracks.push(track);
            }
        }
        session.operate(now, |_| Ok(()));
        session.tell_negotiated();
        session.report_refused();
        let answer = Description::parse(&answer).map_err(|_| EndReason::LibraryFailed)?;
        let answer = local_description::for_viewer(&answer, &config.name, &tellings, false);
        Ok((session, answer))
    }

    fn new(
        config: &SessionConfig,
        payload_types: &PayloadTypes,
        names: &MidNames,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, EndReason> {
        let mut rtc = rtc_config(config, payload_types, names).build(now);
        for address in addresses {
            let candidate = Candidate::host(*address, Protocol::Udp)
                .map_err(|_| EndReason::UnusableAddress(*address))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            ufrag: rtc.direct_api().local_ice_credentials().ufrag,
            rtc,
            config: config.clone(),
            pending: None,
            tracks: Vec::with_capacity(config.streams.len()),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            state: State::SettingUp,
            started: now,
            last_received: now,
            checked: false,
            library_deadline: now,
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
        })
    }

    fn uses_candidate(&mut self, text: &str) -> bool {
        self.read_candidate(text).is_some()
    }

    fn tell_negotiated(&mut self) {
        if self.state == State::Ended {
            return;
        }
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

fn rtc_config(config: &SessionConfig, payload_types: &PayloadTypes, names: &MidNames) -> RtcConfig {
    let mid = Extension::with_serializer(mid_header::URI_FOR_LIBRARY, names.clone());
    let mut rtc_config = RtcConfig::new()
        .set_crypto_provider(provider())
        .set_dtls_cert(config.certificate.of_library())
        // We packetise, once for all.
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        .set_extension(MID_ID, mid)
        .set_extension(CAPTURE_TIME_ID, Extension::AbsoluteCaptureTime)
        .enable_bwe(config.start_bitrate.map(bwe::Bitrate::bps))
        .set_stats_interval(Some(STATISTICS_INTERVAL));
    if config.start_bitrate.is_some() {
        rtc_config =
            rtc_config.set_extension(TRANSPORT_SEQUENCE_ID, Extension::TransportSequenceNumber);
    }
    if config
        .streams
        .iter()
        .any(|stream| stream.playout_delay.is_some())
    {
        rtc_config = rtc_config.set_extension(PLAYOUT_DELAY_ID, Extension::PlayoutDelay);
    }
    let codecs = config.streams.iter().flat_map(|stream| &stream.codecs);
    if codecs.into_iter().any(|codec| codec.colour_space.is_some()) {
        let uri = colour_space::URI_FOR_LIBRARY;
        let header = Extension::with_serializer(uri, ColourSpaceHeader);
        rtc_config = rtc_config.set_extension(COLOUR_SPACE_ID, header);
    }
    for claim in payload_types.iter() {
        format::add_placeholder(rtc_config.codec_config(), claim);
    }
    rtc_config
}
