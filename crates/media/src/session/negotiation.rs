//! Offers and answers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Candidate;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::media::{Direction, Mid};
use str0m::net::Protocol;

use super::description;
use super::track::Track;
use super::{EndReason, Session, SessionConfig, State};

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
    /// media section of the offer that wants its kind and takes its codec.
    ///
    /// # Errors
    ///
    /// The offer cannot be used, or takes none of the codecs; an address makes no sense; or the library
    /// failed.
    pub fn answer(
        config: &SessionConfig,
        offer: &str,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), EndReason> {
        catch_unwind(AssertUnwindSafe(|| {
            Self::try_answer(config, offer, addresses, now)
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
            // One stream id and one track id for all, because the library makes the CNAME of the latter,
            // and browsers play in step what shares them; the text then gets track ids of its own.
            let (stream_id, track_id) = (config.name.clone(), config.name.clone());
            let mid = changes.add_media(
                stream.codec.kind(),
                Direction::SendOnly,
                Some(stream_id),
                Some(track_id),
                None,
            );
            session
                .tracks
                .push(Track::new(*stream, mid, config.max_wait));
        }
        let (offer, pending) = changes.apply().ok_or(EndReason::NothingToOffer)?;
        session.pending = Some(pending);
        let offer = description::with_track_ids(&offer.to_sdp_string(), &config.name);
        Ok((session, offer))
    }

    fn try_answer(
        config: &SessionConfig,
        offer: &str,
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
            let wanted = free.iter().position(|mid| {
                let mut track = Track::new(*stream, *mid, config.max_wait);
                track.negotiated(&mut session.rtc);
                let accepted = track.is_accepted();
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
        let answer = description::with_track_ids(&answer, &config.name);
        Ok((session, answer))
    }

    fn new(
        config: &SessionConfig,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, EndReason> {
        let mut rtc = config.rtc_config().build(now);
        for address in addresses {
            let candidate = Candidate::host(*address, Protocol::Udp)
                .map_err(|_| EndReason::UnusableAddress(*address))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            rtc,
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
        })
    }

    /// Takes the viewer's answer (SDP).
    pub fn accept_answer(&mut self, sdp: &str, now: Instant) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let Ok(answer) = SdpAnswer::from_sdp_string(sdp) else {
            return self.end(EndReason::MalformedDescription);
        };
        let mut tracks = std::mem::take(&mut self.tracks);
        self.operate(now, |rtc| {
            rtc.sdp_api().accept_answer(pending, answer)?;
            for track in &mut tracks {
                track.negotiated(rtc);
            }
            Ok(())
        });
        self.tracks = tracks;
        if self.tracks.iter().all(|track| !track.is_accepted()) {
            self.end(EndReason::NoCommonCodec);
        }
    }
}
