//! The connection, made once both descriptions are there.

use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{MediaKind, Mid};
use str0m::rtp::Ssrc;
use str0m::{Rtc, RtcConfig, bwe};

use super::candidate_pair::RemoteCandidates;
use super::remote_track::TrackReceiver;
use super::track::Track;
use super::{Codec, InternalError, PeerError, Session, SessionConfig, SessionError};
use crate::identity::{Certificate, provider};
use crate::ids::StreamId;
use crate::negotiation::agreement::Agreement;
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::known_formats::KnownFormats;
use crate::negotiation::local_description::LocalSection;
use crate::negotiation::str0m_description::{self, Str0mLine, Str0mSection};
use crate::rtp::extension_values::mid_header::MidNames;
use crate::sdp::description::{Description, Section};
use crate::sdp::format;
use crate::sdp::payload_types::PayloadTypeMapping;
use crate::sdp::remote_description::{self, RemoteTransport, Setup};

/// How often str0m reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// What both descriptions say together, as far as further ones have to agree with it.
pub(super) struct Negotiated {
    pub(super) known: KnownFormats,
    /// The header extensions that str0m knows.
    pub(super) extensions: HeaderExtensions,
    pub(super) remote: RemoteTransport,
    /// Our part in the handshake, which stays.
    pub(super) setup: Setup,
    /// In the order of the descriptions.
    pub(super) places: Vec<Place>,
    /// How often it was agreed.
    pub(super) version: u64,
    /// What stands for which codec in our offers.
    pub(super) codecs: Vec<(Codec, PayloadTypeMapping)>,
    /// str0m's sections, in its order.
    lines: Vec<Str0mLine>,
    names: MidNames,
}

/// One section of the descriptions.
pub(super) struct Place {
    /// As we described it, as far as it was agreed on.
    pub(super) local: LocalSection,
    pub(super) agreement: Agreement,
    /// Whether the peer wants to be sent something in it.
    pub(super) peer_receives: bool,
    /// The section as str0m knows it; none if nothing was ever sent or received in it.
    pub(super) mid: Option<Mid>,
}

/// What two descriptions say together.
pub(super) struct Agreed<'a> {
    pub(super) remote: &'a Description,
    /// Ours.
    pub(super) local: Vec<LocalSection>,
    /// Of each section.
    pub(super) agreements: Vec<Agreement>,
}

/// What a first description of ours offered.
#[derive(Default)]
pub(super) struct FirstOffer {
    /// Whether it was ours.
    pub(super) is_ours: bool,
    /// What stands for which codec in it.
    pub(super) codecs: Vec<(Codec, PayloadTypeMapping)>,
}

impl Place {
    pub(super) fn is_rejected(&self) -> bool {
        matches!(self.agreement, Agreement::Rejected)
    }
}

impl Session {
    /// Makes the connection, now that both descriptions are there.
    pub(super) fn begin(
        &mut self,
        agreed: Agreed<'_>,
        mut known: KnownFormats,
        offer: FirstOffer,
        now: Instant,
    ) -> Result<(), SessionError> {
        let remote = agreed.remote;
        let mut extensions = common_extensions(&agreed.agreements);
        // What is not agreed on now may be later, and cannot be added then.
        extensions.merge_sections(remote.sections.iter());
        extensions.merge_all();
        let remote_transport = read_transport(remote)?;
        // Of what is received, any payload type may be one of media.
        let with_rtx = self.config.retransmission && self.config.receive.is_none();
        known.fix(remote, &offer.codecs, with_rtx);
        let mid_names = MidNames::default();
        let rtc = rtc_config(&self.config, &known, &extensions, &mid_names)
            .set_local_ice_credentials(self.transport.credentials().clone());
        let mut rtc = rtc.build(now);
        for candidate in self.transport.candidates() {
            rtc.add_local_candidate(candidate);
        }
        // Who offers controls, except if the other end cannot (RFC 8445, section 6.1.1).
        let controls = offer.is_ours || remote_transport.is_lite;
        let mut negotiated = Negotiated {
            known,
            setup: Setup::ours(remote_transport.setup),
            remote: remote_transport,
            extensions,
            places: Vec::new(),
            version: 0,
            codecs: offer.codecs,
            lines: Vec::new(),
            names: mid_names,
        };
        self.name_extensions = negotiated.extensions.names();
        self.agree(&mut rtc, &mut negotiated, agreed)?;
        rtc.direct_api().set_ice_controlling(controls);
        self.add_candidates(&mut rtc, remote);
        self.rtc = Some(rtc);
        self.negotiated = Some(negotiated);
        self.str0m_timeout = now;
        Ok(())
    }

    /// Takes a further agreement into the connection. If it was the peer who offered, its credentials differ if ICE is to begin
    /// again.
    pub(super) fn agree_again(
        &mut self,
        agreed: Agreed<'_>,
        peer_offered: bool,
        now: Instant,
    ) -> Result<(), SessionError> {
        let remote = agreed.remote;
        let mut remote_transport = read_transport(remote)?;
        let (Some(mut rtc), Some(mut negotiated)) = (self.rtc.take(), self.negotiated.take())
        else {
            return Err(InternalError::NotMade.into());
        };
        let before = &negotiated.remote;
        if !peer_offered {
            remote_transport.ufrag.clone_from(&before.ufrag);
            remote_transport.password.clone_from(&before.password);
        }
        let restarts = (&before.ufrag, &before.password)
            != (&remote_transport.ufrag, &remote_transport.password);
        // It is that of the connection, whatever a further description says.
        let fingerprints = std::mem::take(&mut negotiated.remote.fingerprints);
        negotiated.remote = RemoteTransport {
            fingerprints,
            ..remote_transport
        };
        self.agree(&mut rtc, &mut negotiated, agreed)?;
        let mut places = negotiated.places.iter();
        let first = places.position(|place| !place.is_rejected());
        self.bundle_section = first.unwrap_or(self.bundle_section);
        if restarts {
            self.transport.restart()?;
            self.ufrag = self.transport.credentials().ufrag.clone();
            let credentials = self.transport.credentials().clone();
            rtc.direct_api().set_local_ice_credentials(credentials);
            self.remote_candidates = RemoteCandidates::default();
        }
        self.add_candidates(&mut rtc, remote);
        self.rtc = Some(rtc);
        self.negotiated = Some(negotiated);
        self.str0m_timeout = now;
        Ok(())
    }

    fn agree(
        &mut self,
        rtc: &mut Rtc,
        negotiated: &mut Negotiated,
        agreed: Agreed<'_>,
    ) -> Result<(), SessionError> {
        negotiated.version += 1;
        let Agreed {
            remote,
            local,
            agreements,
        } = agreed;
        let mut places = Vec::new();
        for (number, (agreement, local)) in agreements.into_iter().zip(local).enumerate() {
            let before = negotiated.places.get(number);
            // Another name is another section in the place of one that was rejected.
            let before = before.filter(|it| it.local.mid == local.mid);
            let mid = before.and_then(|it| it.mid);
            let section = remote.sections.get(number);
            let mid = match (agreement.has_media(), section) {
                (true, Some(section)) => {
                    let version = negotiated.version;
                    let new = || Mid::from(format!("r{number}v{version}").as_str());
                    Some(self.take_section(
                        rtc,
                        negotiated,
                        (mid, new),
                        &local.mid,
                        section,
                        &agreement,
                    )?)
                }
                _ => {
                    self.stop_section(mid, rtc);
                    mid
                }
            };
            if let (Agreement::Data { max_message_bytes }, false) =
                (&agreement, negotiated.has_data())
            {
                negotiated.lines.push(Str0mLine::Data(*max_message_bytes));
            }
            places.push(Place {
                local: match &agreement {
                    Agreement::Rejected => local.rejected(),
                    Agreement::Idle => local.idle(),
                    _ => local,
                },
                peer_receives: section
                    .is_some_and(|section| remote_description::is_receiving(remote, section)),
                agreement,
                mid,
            });
        }
        negotiated.places = places;
        let named = negotiated.places.iter();
        let named = named.filter_map(|place| Some((place.mid?, place.local.mid.clone())));
        negotiated.names.set(named.collect());
        let (remote, setup) = (&negotiated.remote, negotiated.setup);
        let text = str0m_description::offer(remote, setup, &negotiated.lines);
        let offer = SdpOffer::from_sdp_string(&text).map_err(|_| PeerError::UnusableDescription)?;
        let accepted = rtc.sdp_api().accept_offer(offer);
        accepted.map_err(|error| SessionError::from(&error))?;
        Ok(())
    }

    /// Sends or receives in a section from now on, as was agreed. Returns how str0m knows it.
    fn take_section(
        &mut self,
        rtc: &mut Rtc,
        negotiated: &mut Negotiated,
        (mid, new): (Option<Mid>, impl FnOnce() -> Mid),
        name: &str,
        section: &Section,
        agreement: &Agreement,
    ) -> Result<Mid, SessionError> {
        let (Some(kind), Some(extensions)) = (agreement.kind(), agreement.extensions()) else {
            return Err(InternalError::NotMade.into());
        };
        let is_received = matches!(agreement, Agreement::Received(_));
        let mut tracks = self.tracks.iter_mut();
        let track = tracks.find(|track| Some((track.stream(), kind)) == agreement.stream());
        let is_new = mid.is_none();
        let mid = mid.or_else(|| track.as_ref().map(|track| track.mid()));
        let mid = mid.unwrap_or_else(new);
        if is_new {
            let declared = negotiated.declare(rtc, &self.config.certificate, mid, kind);
            declared.ok_or(InternalError::NotMade)?;
        }
        if let Some(track) = track.filter(|track| !track.is_prepared()) {
            let mut direct = rtc.direct_api();
            // Of another stream that was sent in this section.
            let other = direct.stream_tx_by_mid(mid, None).map(|other| other.ssrc());
            other.map(|other| direct.remove_stream_tx(other));
            track.prepare(rtc, self.config.retransmission);
        }
        let sent = agreement.stream();
        self.tracks
            .retain(|track| track.mid() != mid || Some((track.stream(), kind)) == sent);
        if let Agreement::Received(received) = agreement {
            let before = self.receivers.iter().position(|it| it.mid == mid);
            let before = before.map(|place| self.receivers.remove(place));
            let mut receiver = TrackReceiver::new(mid, name, section, received);
            if let Some(before) = before {
                receiver.go_on_from(&before);
            }
            for named in receiver.expect_named(section, rtc) {
                self.received_sources.name(named, mid);
            }
            self.receivers.push(receiver);
        }
        negotiated.set(Str0mSection {
            mid,
            kind,
            formats: agreement.placeholders(),
            extensions: extensions.among(&negotiated.extensions),
            is_received,
        });
        Ok(mid)
    }

    /// Neither sends nor receives in a section any more.
    fn stop_section(&mut self, mid: Option<Mid>, rtc: &mut Rtc) {
        let Some(mid) = mid else {
            return;
        };
        let tracks = self.tracks.iter_mut().filter(|track| track.mid() == mid);
        tracks.for_each(Track::stop);
        let place = self.receivers.iter().position(|it| it.mid == mid);
        let receiver = place.map(|place| self.receivers.remove(place));
        let rtx = receiver.iter().flat_map(TrackReceiver::rtx_sources);
        for source in self.received_sources.stop_section(mid, rtx) {
            rtc.direct_api().remove_stream_rx(Ssrc::from(source));
        }
    }

    fn add_candidates(&mut self, rtc: &mut Rtc, remote: &Description) {
        for candidate in remote_description::candidates(remote) {
            if let Some(candidate) = self.read_candidate(&candidate) {
                rtc.add_remote_candidate(candidate);
            }
        }
    }
}

impl Negotiated {
    /// Where each stream is sent.
    pub(super) fn bound(&self, tracks: &[Track]) -> Vec<(StreamId, usize)> {
        let places = tracks.iter().filter_map(|track| {
            let mut places = self.places.iter();
            let place = places.position(|place| place.mid == Some(track.mid()))?;
            Some((track.stream(), place))
        });
        places.collect()
    }

    fn has_data(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| matches!(line, Str0mLine::Data(_)))
    }

    /// Declares a section. str0m numbers those of media by themselves, and looks for data channels where they were first: so the
    /// first section after them is the second of two that are declared, of which one goes.
    fn declare(
        &mut self,
        rtc: &mut Rtc,
        certificate: &Certificate,
        mid: Mid,
        kind: MediaKind,
    ) -> Option<()> {
        let takes_place_of_data = matches!(self.lines.last(), Some(Str0mLine::Data(_)));
        let between = Mid::from("between");
        if takes_place_of_data {
            certificate.declare_media(rtc, between, kind)?;
        }
        certificate.declare_media(rtc, mid, kind)?;
        if takes_place_of_data {
            rtc.direct_api().remove_media(between);
        }
        Some(())
    }

    fn set(&mut self, section: Str0mSection) {
        let mut lines = self.lines.iter_mut();
        let known = lines.find_map(|line| match line {
            Str0mLine::Media(known) if known.mid == section.mid => Some(known),
            _ => None,
        });
        match known {
            Some(known) => *known = section,
            None => self.lines.push(Str0mLine::Media(section)),
        }
    }
}

fn read_transport(remote: &Description) -> Result<RemoteTransport, SessionError> {
    let is_rejected = |section: &_| remote_description::is_rejected(remote, section);
    let transport = RemoteTransport::read(remote, is_rejected);
    Ok(transport.ok_or(PeerError::UnusableDescription)?)
}

/// The header extensions of all sections, in which an identifier means one thing.
pub(super) fn common_extensions(agreements: &[Agreement]) -> HeaderExtensions {
    let mut all = HeaderExtensions::default();
    for extensions in agreements.iter().filter_map(Agreement::extensions) {
        all.merge(extensions);
    }
    all
}

fn rtc_config(
    config: &SessionConfig,
    known: &KnownFormats,
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
    for mapping in known.mappings() {
        format::add_placeholder(rtc_config.codec_config(), mapping);
    }
    if config.receive.is_some() {
        // What a further description may name. Whether such a packet was sent before is known by its source.
        for mapping in known.unused() {
            format::add_placeholder(rtc_config.codec_config(), &mapping);
        }
    }
    rtc_config
}
