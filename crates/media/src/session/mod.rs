//! One peer: offer, answer, connection, the frames that it is sent and the packets that it sends. No sockets and no clock.
//!
//! # Contract
//!
//! * [`Session::offer`] makes a session and its offer. The owner sends the offer and hands in the answer
//!   ([`handle_answer`](Session::handle_answer)). Or the peer offers, and [`Session::answer`] makes
//!   the session and the answer. Then the owner hands in the peer's candidates
//!   ([`handle_candidate`](Session::handle_candidate)), its further offers ([`handle_offer`](Session::handle_offer)), and every
//!   datagram that it sends ([`handle_datagram`](Session::handle_datagram)).
//! * After any call, the owner takes all that [`poll_transmit`](Session::poll_transmit),
//!   [`poll_packet`](Session::poll_packet) and [`poll_event`](Session::poll_event) have, and calls
//!   [`handle_timeout`](Session::handle_timeout) at [`poll_timeout`](Session::poll_timeout).
//! * Nothing that the peer does is an error of the owner: a session that cannot go on says so with
//!   [`SessionEvent::Ended`], once, and is silent from then on. That includes a panic in str0m.
//! * A peer of which no connectivity check nor the answer to one comes for [`SILENCE_TIMEOUT`] is gone. One whose reports on media came many
//!   times a second and stop for [`FEEDBACK_TIMEOUT`] is sent next to nothing until they come again; one
//!   that reports every few seconds, as GStreamer does, is not judged by that.
//! * Time never goes backwards. The connection is only touched through `with_rtc`, which drains what each
//!   operation causes, as str0m demands.

mod candidate_pair;
mod connecting;
mod driver;
mod end;
mod further_offer;
mod local_transport;
mod offer_answer;
mod path;
mod reachability;
mod received_sources;
mod receiving;
mod remote_track;
mod rtx_cache;
mod statistics;
mod track;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::net::{Protocol, Transmit};
use str0m::{Candidate, Input, Rtc};

pub use crate::codec::Codec;
use crate::congestion::estimate::Estimate;
pub use crate::congestion::feedback::FEEDBACK_TIMEOUT;
use crate::congestion::feedback::Feedback;
use crate::congestion::pacer::Pacer;
use crate::congestion::probing::Probing;
use crate::congestion::rate::Rate;
use crate::demand::Handover;
pub use crate::error::{
    ConfigError, InternalError, LimitError, PeerError, SessionError, TransportError,
};
use crate::frame::Frame;
pub use crate::identity::Certificate;
use crate::ids::{Bitrate, RenditionId, StreamId};
pub use crate::negotiation::config::{
    CodecConfig, OfferExtent, PassedThrough, ReceiveConfig, SessionConfig, StreamConfig,
};
use crate::negotiation::header_extensions::NameExtensions;
pub use crate::rtp::extension_values::colour_space::ColourSpace;
pub use crate::rtp::extension_values::timing::{MAX_PLAYOUT_DELAY, PlayoutDelay};
pub use crate::sdp::simulcast::MAX_ENCODINGS;
pub use candidate_pair::{CandidateAddress, CandidateKind, CandidatePair, MAX_CANDIDATES};
use candidate_pair::{Read, RemoteCandidates};
use connecting::Negotiated;
pub use end::EndReason;
pub use further_offer::MAX_SECTIONS;
use local_transport::LocalTransport;
use offer_answer::PendingOffer;
use path::Path;
pub use path::{CHECKS_MOVED, REPORTS_MOVED};
use reachability::Reachability;
use received_sources::ReceivedSources;
pub use received_sources::{
    MAX_PROVEN_SOURCES, MAX_SOURCES_EVER, MAX_STOPPED_SOURCES, MAX_UNPROVEN_SOURCES,
};
pub use receiving::MAX_RECEIVED_PACKETS;
use remote_track::TrackReceiver;
pub use remote_track::{
    CaptureTime, RECEIVED_BITRATE, ReceivedPacket, RemoteFormat, RemoteTrack, ReportedTime,
};
pub use statistics::{SessionStatistics, StreamStatistics};
use track::{Pushed, Track};

/// From the offer until media may flow.
pub const SET_UP_TIMEOUT: Duration = Duration::from_secs(15);

/// A viewer that proves for this long neither by a connectivity check nor by the answer to one that it is
/// there is gone. Nothing else proves it: anybody may send in its name. One that lives answers our checks,
/// every three seconds (RFC 7675 allows five between them).
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most server-reflexive candidates that are sent again if the section that they were for is refused.
const MAX_REFLEXIVE_CANDIDATES: usize = 16;

/// Datagrams that there is room for while none wait: a picture's.
const USUAL_TRANSMITS: usize = 16;

/// A session with one viewer.
pub struct Session {
    /// None until both descriptions are there.
    rtc: Option<Rtc>,
    config: SessionConfig,
    ufrag: String,
    transport: LocalTransport,
    /// Of our descriptions.
    number: u64,
    pending: Option<PendingOffer>,
    /// Whether the first offer of the session was ours.
    offered_first: bool,
    /// How many descriptions of ours there were.
    described: u64,
    /// Streams that are not offered yet.
    added: Vec<StreamId>,
    /// Whether what is sent changed since it was offered.
    offer_due: bool,
    /// None until both descriptions are there.
    negotiated: Option<Negotiated>,
    tracks: Vec<Track>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<SessionEvent>,
    state: State,
    started: Instant,
    last_received: Instant,
    /// Whether a connectivity check or the answer to one came.
    checked: bool,
    str0m_timeout: Instant,
    now: Instant,
    estimate: Estimate,
    feedback: Feedback,
    path: Path,
    probing: Probing,
    pacer: Pacer,
    statistics: SessionStatistics,
    rate: Rate,
    remote_candidates: RemoteCandidates,
    reachability: Reachability,
    /// Those that were found after the description, as attributes' texts.
    reflexive_candidates: Vec<String>,
    /// The section whose transport all share.
    bundle_section: usize,
    receivers: Vec<TrackReceiver>,
    /// What is not taken yet.
    received: VecDeque<ReceivedPacket>,
    received_sources: ReceivedSources,
    /// The identifiers of the header extensions that name a packet's section and encoding.
    name_extensions: NameExtensions,
    remb_sent_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SettingUp,
    Connected,
    Ended,
}

/// What the owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Which codecs the viewer takes of each stream of which it takes any, by the sender's numbers; the first was
    /// agreed on.
    Negotiated(Vec<(StreamId, Vec<u32>)>),
    /// What the peer sends, all of it.
    RemoteTracks(Vec<RemoteTrack>),
    /// To be sent to the peer: a further offer of ours (SDP). See [`Session::set_streams`].
    Offer(String),
    /// To be sent to the peer: the answer (SDP) to a further offer of its own.
    Answer(String),
    /// Which streams the viewer takes nothing of, though it takes others: it has none of their codecs, or does not
    /// want them.
    Refused(Vec<StreamId>),
    /// To be sent to the viewer again, for [`bundle_section`](Session::bundle_section): the section for which it was sent
    /// before was refused.
    LocalCandidate(String),
    /// A connectivity check of the viewer came, or the answer to one: it has our description, and reaches us.
    Checked,
    /// Media may flow.
    Connected,
    /// The viewer cannot go on with this stream without a key frame.
    KeyFrameWanted(StreamId),
    /// Frames of this rendition are sent from now on, in the place of another of its stream.
    Switched(RenditionId),
    /// What the path to the viewer can take, all streams together.
    Estimate(Bitrate),
    /// The session is over. Nothing follows.
    Ended(EndReason),
}

impl Session {
    /// Takes a candidate of the viewer, as an attribute's text. The empty text is the end of candidates.
    ///
    /// One that cannot be read, or names a host that only the viewer's network knows (`.local`), is
    /// passed over: the viewer is also found by the checks that it sends. So is what comes after
    /// [`MAX_CANDIDATES`].
    pub fn handle_candidate(&mut self, candidate: &str, now: Instant) {
        let text = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
        if text.is_empty() {
            return;
        }
        if let Some(candidate) = self.read_candidate(text) {
            if let (Some(pending), None) = (&mut self.pending, &self.rtc) {
                return pending.remote_candidates.push(candidate);
            }
            self.with_rtc(now, |rtc| {
                rtc.add_remote_candidate(candidate);
                Ok(())
            });
        }
    }

    fn read_candidate(&mut self, text: &str) -> Option<Candidate> {
        match self.remote_candidates.read(text) {
            Read::Used(candidate) => return Some(candidate),
            Read::TooMany => self.statistics.candidates_ignored += 1,
            Read::PassedOver => tracing::debug!("passed over a candidate"),
        }
        None
    }

    /// Whether somebody at an address of the viewer awaits a connectivity check that is about to be sent there: it answered one
    /// of ours, or sent one itself, and each that it sent is answered by one of ours at most. All other addresses are what the viewer says.
    pub fn takes_check_at(&mut self, destination: SocketAddr) -> bool {
        self.reachability.takes_check_at(destination)
    }

    /// Takes a server-reflexive candidate: `mapped` is how `base`, where the owner listens, looks from
    /// outside. Returns its text (`candidate:…`) for the viewer, if it is of use and was not known.
    pub fn add_reflexive_candidate(
        &mut self,
        base: SocketAddr,
        mapped: SocketAddr,
        now: Instant,
    ) -> Option<String> {
        let candidate = Candidate::server_reflexive(mapped, base, Protocol::Udp).ok()?;
        let mut text = None;
        if self.rtc.is_some() {
            let further = candidate.clone();
            self.with_rtc(now, |rtc| {
                let known = rtc.add_local_candidate(further);
                text = known.map(Candidate::to_sdp_string);
                Ok(())
            });
        }
        // Also for further descriptions.
        let described = self.transport.add(candidate);
        if self.rtc.is_none() {
            text = described;
        }
        if self.rtc.is_none() && self.reflexive_candidates.len() < MAX_REFLEXIVE_CANDIDATES {
            self.reflexive_candidates.extend(text.clone());
        }
        text
    }

    /// The place of the section that candidates are for: that whose transport all share.
    pub fn bundle_section(&self) -> usize {
        self.bundle_section
    }

    /// The user name fragment of ours by which the viewer's first checks tell whose they are (RFC 8445,
    /// section 7.2.2: it stands before the colon).
    pub fn local_ufrag(&self) -> String {
        self.ufrag.clone()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let silent = now.saturating_duration_since(self.last_received);
        match self.state {
            State::SettingUp if now >= self.started + SET_UP_TIMEOUT => {
                return self.end(TransportError::SetUpTimedOut);
            }
            State::Connected if silent >= SILENCE_TIMEOUT => {
                return self.end(TransportError::ConsentExpired);
            }
            _ => {}
        }
        self.with_rtc(now, |rtc| rtc.handle_input(Input::Timeout(now)));
        self.send_remb(now);
    }

    /// When to call [`wake`](Self::handle_timeout) at the latest; none once the session ended.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.state {
            State::SettingUp => self.started + SET_UP_TIMEOUT,
            State::Connected => self.last_received + SILENCE_TIMEOUT,
            State::Ended => return None,
        };
        let waits = self.tracks.iter().any(Track::waits);
        let paced = self.pacer.resumes_at().filter(|_| waits);
        let own = paced.map_or(own, |paced| paced.min(own));
        let own = self.remb_at().map_or(own, |at| at.min(own));
        Some(own.min(self.str0m_timeout))
    }

    /// Decides which rendition the viewer gets of a stream from now on; before, it is level 0 of the codec
    /// agreed on. One of a codec that the viewer does not take is passed over.
    ///
    /// The viewer is sent the old one until the first key frame of the new, which is asked for as `handover` says. When
    /// it cannot take the old one in time and the new one is smaller, the old one stops at once.
    pub fn assign(&mut self, rendition: RenditionId, handover: Handover, now: Instant) {
        let stream = rendition.stream;
        let track = self
            .tracks
            .iter_mut()
            .find(|track| track.stream() == stream);
        let Some(track) = track else {
            return;
        };
        let wants_key_frame = track.give(rendition, handover, now);
        // Also if it was sent that already: who gives it may not know.
        if track.given() == Some(rendition) {
            self.events.push_back(SessionEvent::Switched(rendition));
        }
        if wants_key_frame {
            self.request_key_frame(stream);
        }
    }

    /// Sends a frame in its turn, if the viewer gets its rendition; else it is passed over, and false is returned: then nothing
    /// was done. Every audio frame counts as a key frame. Frames that the viewer's path cannot take in time are dropped, up
    /// to the next key frame, which is then asked for.
    pub fn send_frame(&mut self, frame: &Arc<Frame>, now: Instant) -> bool {
        if self.state != State::Connected {
            return false;
        }
        let stream = frame.rendition.stream;
        let track = self
            .tracks
            .iter_mut()
            .find(|track| track.stream() == stream);
        let Some(track) = track else {
            return false;
        };
        let before = track.given();
        let pushed = track.push(frame, now);
        let given = track.given().filter(|given| before != Some(*given));
        self.events.extend(given.map(SessionEvent::Switched));
        if pushed == Pushed::PassedOver {
            return false;
        }
        // Nobody needs a key frame for a viewer that nothing arrives at.
        if pushed == Pushed::KeyFrameNeeded && !self.feedback.is_paused(now) {
            self.request_key_frame(stream);
        }
        self.with_rtc(now, |_| Ok(()));
        self.look_at_waiting_frames();
        true
    }

    /// The renditions whose frames the session takes: what the viewer is sent, and what it switches to.
    pub fn subscriptions(&self) -> impl Iterator<Item = RenditionId> {
        self.tracks.iter().flat_map(Track::subscriptions)
    }

    /// A number that changes with [`subscriptions`](Self::subscriptions).
    pub fn subscriptions_revision(&self) -> u32 {
        let tracks = self.tracks.iter();
        tracks.fold(0, |sum, track| sum.wrapping_add(track.revision()))
    }

    /// Tells what is being sent, all streams together, and what would be if the path allowed: the path is
    /// probed towards the latter.
    pub fn set_rates(&mut self, current: Bitrate, desired: Bitrate, now: Instant) {
        let desired = desired.max(current);
        let told = self.probing.desire(desired);
        self.with_rtc(now, |rtc| {
            if let Some(desired) = told {
                driver::set_desired(rtc, desired);
            }
            Ok(())
        });
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let Some(mut transmit) = self.transmits.pop_front() else {
            // The most that ever waited is far more than usual, and there are hundreds of sessions. Larger pictures are no
            // reason to give the room back after each.
            if self.transmits.capacity() > 4 * USUAL_TRANSMITS {
                self.transmits.shrink_to(USUAL_TRANSMITS);
            }
            return None;
        };
        self.path.direct(&mut transmit, self.now);
        Some(transmit)
    }

    /// The next packet of what the peer sends, in the order in which they came. The owner takes all after each datagram:
    /// beyond [`MAX_RECEIVED_PACKETS`] the oldest are dropped.
    pub fn poll_packet(&mut self) -> Option<ReceivedPacket> {
        self.received.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Whether the session ended.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended
    }

    /// What was counted since the session was made. What the viewer reports is at most a tenth of a
    /// second behind.
    pub fn statistics(&self) -> SessionStatistics {
        let streams = self.tracks.iter().map(|track| track.statistics(self.now));
        SessionStatistics {
            bitrate: self.rate.bitrate(self.statistics.bytes_sent, self.now),
            estimate: self.estimate.reported(),
            ..self.statistics.with_streams(streams.collect())
        }
    }

    /// Ends the session, and tells the viewer if it can still be told.
    pub fn close(&mut self, now: Instant) {
        self.with_rtc(now, |rtc| rtc.close());
        self.end(EndReason::Closed);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamId;

    #[test]
    fn a_panic_inside_ends_only_this_session() {
        let now = Instant::now();
        let config = SessionConfig {
            certificate: Certificate::generate().expect("a certificate"),
            name: "wigwag".to_owned(),
            streams: vec![StreamConfig {
                id: StreamId(0),
                codecs: vec![CodecConfig {
                    number: 0,
                    alternate_number: None,
                    codec: Codec::Vp8,
                    colour_space: None,
                }],
                playout_delay: None,
                passed_through: None,
            }],
            start_bitrate: None,
            max_wait: Duration::from_millis(500),
            retransmission: true,
            extent: OfferExtent::Full,
            receive: None,
        };
        let (mut session, _) = Session::offer(&config, &[], now).expect("an offer");
        let library = str0m::RtcConfig::new().set_crypto_provider(crate::identity::provider());
        session.rtc = Some(library.build(now));
        session.with_rtc(now, |_| panic!("as a hostile viewer might cause"));
        let over = SessionEvent::Ended(InternalError::Panicked.into());
        assert_eq!(session.poll_event(), Some(over));
        // Whatever comes now is of no consequence.
        session.handle_timeout(now + SET_UP_TIMEOUT);
        session.handle_answer("v=0", &[], now + SET_UP_TIMEOUT);
        session.close(now + SET_UP_TIMEOUT);
        assert_eq!(session.poll_event(), None);
    }
}
