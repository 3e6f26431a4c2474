//! Offers and answers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer};
use str0m::format::Codec as LibraryCodec;
use str0m::media::{Direction, Mid, Pt};
use str0m::net::Protocol;
use str0m::{Candidate, Rtc, RtcConfig, bwe};

use super::config::provider;
use super::track::Track;
use super::{
    Codec, EndReason, Session, SessionConfig, SessionEvent, SessionStatistics, State, description,
};
use crate::demand::StreamId;

/// How often the library reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

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

    fn try_offer(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        let mut session = Self::new(config, addresses, now)?;
        let mut changes = session.rtc.sdp_api();
        for stream in &config.streams {
            let Some(kind) = stream.kind() else {
                continue;
            };
            // One stream id and one track id for all, because the library makes the CNAME of the latter,
            // and browsers play in step what shares them; the text then gets track ids of its own.
            let (stream_id, track_id) = (config.name.clone(), config.name.clone());
            let mid = changes.add_media(
                kind,
                Direction::SendOnly,
                Some(stream_id),
                Some(track_id),
                None,
            );
            session
                .tracks
                .push(Track::new(stream.id, kind, mid, config.max_wait));
        }
        let (offer, pending) = changes.apply().ok_or(EndReason::NothingToOffer)?;
        session.pending = Some(pending);
        let offer = description::with_track_ids(&offer.to_sdp_string(), &config.name);
        Ok((session, offer))
    }

    fn try_answer(
        config: &SessionConfig,
        offer: &str,
        preferred: &[(StreamId, u32)],
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        let offer =
            SdpOffer::from_sdp_string(offer).map_err(|_| EndReason::MalformedDescription)?;
        let mut session = Self::new(config, addresses, now)?;
        let answer = session.rtc.sdp_api().accept_offer(offer);
        let answer = answer.map_err(|error| EndReason::from(&error))?;
        let answer = answer.to_sdp_string();
        // The library tells of the viewer's sections only once they are used.
        let mids = answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"));
        let mut free: Vec<_> = mids.map(|mid| Mid::from(mid.trim())).collect();
        for stream in &config.streams {
            let Some(kind) = stream.kind() else {
                continue;
            };
            let wanted = free.iter().position(|mid| {
                let mut track = Track::new(stream.id, kind, *mid, config.max_wait);
                negotiated(&mut session.rtc, config, &mut track, preferred);
                let accepted = track.agreed().is_some();
                if accepted {
                    session.tracks.push(track);
                }
                accepted
            });
            if let Some(place) = wanted {
                free.remove(place);
            }
        }
        if session.tracks.is_empty() {
            return Err(EndReason::NoCommonCodec);
        }
        session.operate(now, |_| Ok(()));
        session.tell_negotiated();
        let answer = description::with_track_ids(&answer, &config.name);
        Ok((session, answer))
    }

    fn new(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, EndReason> {
        let mut rtc = rtc_config(config).build(now);
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
            library_deadline: now,
            now,
            estimate: None,
            statistics: SessionStatistics::default(),
        })
    }

    /// Takes the viewer's answer (SDP). Of the codecs that it takes of a stream, the one that `preferred`
    /// names is agreed on, as it runs already, or else the first in the viewer's order.
    pub fn accept_answer(&mut self, sdp: &str, preferred: &[(StreamId, u32)], now: Instant) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let Ok(answer) = SdpAnswer::from_sdp_string(sdp) else {
            return self.end(EndReason::MalformedDescription);
        };
        let mut tracks = std::mem::take(&mut self.tracks);
        let config = self.config.clone();
        self.operate(now, |rtc| {
            rtc.sdp_api().accept_answer(pending, answer)?;
            for track in &mut tracks {
                negotiated(rtc, &config, track, preferred);
            }
            Ok(())
        });
        self.tracks = tracks;
        if self.tracks.iter().all(|track| track.agreed().is_none()) {
            self.end(EndReason::NoCommonCodec);
        } else {
            self.tell_negotiated();
        }
    }

    fn tell_negotiated(&mut self) {
        if self.state == State::Ended {
            return;
        }
        let agreed = |track: &Track| Some((track.stream(), track.agreed()?));
        let agreed = self.tracks.iter().filter_map(agreed).collect();
        self.events.push_back(SessionEvent::Negotiated(agreed));
    }
}

fn rtc_config(config: &SessionConfig) -> RtcConfig {
    let codecs = || config.streams.iter().flat_map(|stream| &stream.codecs);
    let offers = |codec| codecs().any(|config| config.codec == codec);
    let mut rtc_config = RtcConfig::new()
        .set_crypto_provider(provider())
        .set_dtls_cert(config.certificate.of_library())
        // We packetise, once for all.
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_vp8(offers(Codec::Vp8))
        .enable_vp9(offers(Codec::Vp9))
        .enable_h265(offers(Codec::H265))
        .enable_av1(offers(Codec::Av1))
        .enable_opus(offers(Codec::Opus), false)
        .enable_bwe(config.start_bitrate.map(bwe::Bitrate::bps))
        .set_stats_interval(Some(STATISTICS_INTERVAL));
    let h264 = codecs().any(|config| matches!(config.codec, Codec::H264 { .. }));
    rtc_config.codec_config().enable_h264(h264);
    rtc_config
}

/// Reads what was agreed on about a stream.
fn negotiated(
    rtc: &mut Rtc,
    config: &SessionConfig,
    track: &mut Track,
    preferred: &[(StreamId, u32)],
) {
    let mut accepted = Vec::new();
    let mut streams = config.streams.iter();
    let stream = streams.find(|stream| stream.id == track.stream());
    let media = rtc.media(track.mid());
    if let (Some(stream), Some(media)) = (stream, media)
        && media.direction().is_sending()
    {
        for pt in media.remote_pts() {
            let mut params = rtc.codec_config().params().iter();
            let Some(params) = params.find(|params| params.pt() == *pt) else {
                continue;
            };
            let same = |codec: Codec| match (codec, params.spec().codec) {
                (Codec::H264 { profile_level_id }, LibraryCodec::H264) => {
                    let format = params.spec().format;
                    let profile = format.profile_level_id.map(|id| id >> 8);
                    format.packetization_mode == Some(1) && profile == Some(profile_level_id >> 8)
                }
                (codec, found) => of_library(codec) == found,
            };
            let known = stream.codecs.iter().find(|known| same(known.codec));
            accepted.extend(known.map(|known| (known.number, *pt)));
        }
    }
    let running = |(number, _): &(u32, Pt)| preferred.contains(&(track.stream(), *number));
    if let Some(place) = accepted.iter().position(running) {
        accepted[..=place].rotate_right(1);
    }
    track.accept(accepted);
    track.prepare(rtc, config.retransmission);
}

fn of_library(codec: Codec) -> LibraryCodec {
    match codec {
        Codec::Vp8 => LibraryCodec::Vp8,
        Codec::Vp9 => LibraryCodec::Vp9,
        Codec::H264 { .. } => LibraryCodec::H264,
        Codec::H265 => LibraryCodec::H265,
        Codec::Av1 => LibraryCodec::Av1,
        Codec::Opus => LibraryCodec::Opus,
    }
}
