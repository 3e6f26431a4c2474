//! One viewer: offer, answer, connection, and the frames it is sent. No sockets and no clock.
//!
//! # Contract
//!
//! * [`Session::offer`] makes a session and its offer. The owner sends the offer and hands in the answer
//!   ([`accept_answer`](Session::accept_answer)). Or the viewer offers, and [`Session::answer`] makes
//!   the session and the answer. Then the owner hands in the viewer's candidates, and every datagram
//!   that the viewer sends ([`receive`](Session::receive)).
//! * After any call, the owner takes all [`poll_transmit`](Session::poll_transmit) and
//!   [`poll_event`](Session::poll_event) have, and calls [`wake`](Session::wake) at
//!   [`deadline`](Session::deadline).
//! * Nothing that the viewer does is an error of the owner: a session that cannot go on says so with
//!   [`SessionEvent::Ended`], once, and is silent from then on. That includes a panic in the WebRTC
//!   library.
//! * Time never goes backwards. `rtc` is only touched through `operate`, which drains what each
//!   operation causes, as str0m demands.

mod config;
mod description;
mod end;
mod negotiation;
mod track;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::bwe::BweKind;
use str0m::change::SdpPendingOffer;
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

pub use config::{Certificate, Codec, SessionConfig, StreamConfig};
pub use end::EndReason;
use track::Track;

use crate::demand::{Bitrate, StreamId};
use crate::frame::Frame;

/// From the offer until media may flow.
pub const SET_UP_TIMEOUT: Duration = Duration::from_secs(15);

/// A viewer that sends nothing at all for this long is gone: one that lives checks consent and reports
/// every few seconds (RFC 7675 allows five seconds between checks).
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is due within this time is done at once: the pacer releases packet after packet a microsecond
/// apart, and a batch is cheaper to send than as many wake-ups.
const TOGETHER: Duration = Duration::from_micros(200);

/// Operations of the library in a row. A session that never comes to rest is given up, so that the
/// others are served.
const MAX_STEPS: usize = 20_000;

/// A session with one viewer.
pub struct Session {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    tracks: Vec<Track>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<SessionEvent>,
    state: State,
    started: Instant,
    last_received: Instant,
    library_deadline: Instant,
    now: Instant,
    estimate: Option<Bitrate>,
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
    /// Media may flow.
    Connected,
    /// The viewer cannot go on with this stream without a key frame.
    KeyFrameWanted(StreamId),
    /// What the path to the viewer can take, all streams together.
    Estimate(Bitrate),
    /// The session is over. Nothing follows.
    Ended(EndReason),
}

impl Session {
    /// Takes a candidate of the viewer, as an attribute's text. The empty text is the end of candidates.
    ///
    /// One that cannot be read, or names a host that only the viewer's network knows (`.local`), is
    /// passed over: the viewer is also found by the checks that it sends.
    pub fn add_remote_candidate(&mut self, candidate: &str, now: Instant) {
        let text = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
        if text.is_empty() {
            return;
        }
        match Candidate::from_sdp_string(text) {
            Ok(candidate) => self.operate(now, |rtc| {
                rtc.add_remote_candidate(candidate);
                Ok(())
            }),
            Err(_) => tracing::debug!("passed over a candidate"),
        }
    }

    /// Takes a datagram that came from `source` to our address `destination`.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, datagram) else {
            return;
        };
        let mut accepted = false;
        self.operate(now, |rtc| {
            let input = Input::Receive(now, receive);
            accepted = rtc.accepts(&input);
            if accepted {
                rtc.handle_input(input)
            } else {
                Ok(())
            }
        });
        if accepted {
            self.last_received = now;
        }
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Instant) {
        let silent = now.saturating_duration_since(self.last_received);
        match self.state {
            State::SettingUp if now >= self.started + SET_UP_TIMEOUT => {
                return self.end(EndReason::SetUpTimedOut);
            }
            State::Connected if silent >= SILENCE_TIMEOUT => {
                return self.end(EndReason::ViewerSilent);
            }
            _ => {}
        }
        self.operate(now, |rtc| rtc.handle_input(Input::Timeout(now)));
    }

    /// When to call [`wake`](Self::wake) at the latest; none once the session ended.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match self.state {
            State::SettingUp => self.started + SET_UP_TIMEOUT,
            State::Connected => self.last_received + SILENCE_TIMEOUT,
            State::Ended => return None,
        };
        Some(own.min(self.library_deadline))
    }

    /// Sends a frame of a stream, in its turn. Every frame of audio counts as a key frame. Frames that the
    /// viewer's path cannot take in time are dropped, up to the next key frame, which is then asked for.
    pub fn send_frame(&mut self, stream: StreamId, frame: &Arc<Frame>, now: Instant) {
        if self.state != State::Connected {
            return;
        }
        let Some(track) = self
            .tracks
            .iter_mut()
            .find(|track| track.stream() == stream)
        else {
            return;
        };
        if track.is_accepted() && !track.push(frame) {
            self.events.push_back(SessionEvent::KeyFrameWanted(stream));
        }
        self.operate(now, |_| Ok(()));
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Frames of a stream that were dropped for this viewer.
    pub fn dropped_frames(&self, stream: StreamId) -> u64 {
        let track = self.tracks.iter().find(|track| track.stream() == stream);
        track.map_or(0, Track::dropped_frames)
    }

    /// Ends the session, and tells the viewer if it can still be told.
    pub fn close(&mut self, now: Instant) {
        self.operate(now, |rtc| rtc.close());
        self.end(EndReason::Closed);
    }

    /// The only way to the library: does one thing, then drains all that follows from it.
    fn operate(&mut self, now: Instant, operation: impl FnOnce(&mut Rtc) -> Result<(), RtcError>) {
        if self.state == State::Ended {
            return;
        }
        self.now = self.now.max(now);
        let done = catch_unwind(AssertUnwindSafe(|| {
            operation(&mut self.rtc)?;
            self.drain()
        }));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.end(EndReason::from(&error)),
            Err(_) => self.end(EndReason::Panicked),
        }
    }

    fn drain(&mut self) -> Result<(), RtcError> {
        for _ in 0..MAX_STEPS {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Event(event) => self.on_event(&event),
                Output::Timeout(at) if at <= self.now + TOGETHER && at > self.library_deadline => {
                    self.library_deadline = at;
                    self.rtc.handle_input(Input::Timeout(at.max(self.now)))?;
                }
                Output::Timeout(at) => {
                    self.library_deadline = at.max(self.now);
                    // What waits goes out once the library is at rest; then it is drained again.
                    if !self.write_frame() {
                        return Ok(());
                    }
                }
            }
        }
        self.end(EndReason::Restless);
        Ok(())
    }

    /// Hands one waiting frame to the library, if it has room; true if it did.
    fn write_frame(&mut self) -> bool {
        if self.state != State::Connected {
            return false;
        }
        let Self { rtc, tracks, .. } = self;
        tracks.iter_mut().any(|track| track.write(rtc))
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Connected if self.state == State::SettingUp => {
                self.state = State::Connected;
                self.events.push_back(SessionEvent::Connected);
                for track in self.tracks.iter().filter(|track| track.is_accepted()) {
                    if track.kind() == MediaKind::Video {
                        let wanted = SessionEvent::KeyFrameWanted(track.stream());
                        self.events.push_back(wanted);
                    }
                }
            }
            Event::KeyframeRequest(request) => {
                let asked = self.tracks.iter().find(|track| track.mid() == request.mid);
                if let Some(track) = asked {
                    let wanted = SessionEvent::KeyFrameWanted(track.stream());
                    self.events.push_back(wanted);
                }
            }
            // The event is an average over seconds; what the statistics say falls at once.
            Event::PeerStats(stats) => {
                let now = stats.bwe_tx.map(|rate| rate.as_u64());
                if let (Some(now), Some(last)) = (now, self.estimate)
                    && now < last
                {
                    self.on_estimate(now);
                }
            }
            Event::EgressBitrateEstimate(
                BweKind::Twcc { estimate, .. } | BweKind::Remb { estimate, .. },
            ) => {
                self.on_estimate(estimate.as_u64());
            }
            Event::Closed => self.end(EndReason::ClosedByViewer),
            _ => {}
        }
    }

    fn on_estimate(&mut self, estimate: Bitrate) {
        if self.estimate != Some(estimate) {
            self.estimate = Some(estimate);
            self.events.push_back(SessionEvent::Estimate(estimate));
        }
    }

    fn end(&mut self, reason: EndReason) {
        if self.state == State::Ended {
            return;
        }
        tracing::debug!(%reason, "a session ended");
        self.state = State::Ended;
        for track in &mut self.tracks {
            track.clear();
        }
        self.events.push_back(SessionEvent::Ended(reason));
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
    use crate::demand::StreamId;

    #[test]
    fn a_panic_inside_ends_only_this_session() {
        let now = Instant::now();
        let config = SessionConfig {
            certificate: Certificate::generate().expect("a certificate"),
            name: "wigwag".to_owned(),
            streams: vec![StreamConfig {
                id: StreamId(0),
                codec: Codec::Vp8,
            }],
            start_bitrate: None,
            max_wait: Duration::from_millis(500),
        };
        let (mut session, _) = Session::offer(&config, &[], now).expect("an offer");
        session.operate(now, |_| panic!("as a hostile viewer might cause"));
        let over = SessionEvent::Ended(EndReason::Panicked);
        assert_eq!(session.poll_event(), Some(over));
        // Whatever comes now is of no consequence.
        session.wake(now + SET_UP_TIMEOUT);
        session.accept_answer("v=0", now + SET_UP_TIMEOUT);
        session.close(now + SET_UP_TIMEOUT);
        assert_eq!(session.poll_event(), None);
    }
}
