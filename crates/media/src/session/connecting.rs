//! The connection, made once both descriptions are there.

use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::{RtcConfig, bwe};

use super::agreement::Agreement;
use super::description::Description;
use super::format;
use super::header_extensions::HeaderExtensions;
use super::identity::provider;
use super::local_transport::LocalTransport;
use super::mid_header::MidNames;
use super::remote_description::{self, RemoteTransport, Setup};
use super::remote_track::TrackReceiver;
use super::str0m_description::{self, Str0mSection};
use super::{EndReason, Session, SessionConfig};

/// How often str0m reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

impl Session {
    /// Makes the connection, now that both descriptions are there, and returns our part in the handshake.
    pub(super) fn begin(
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
