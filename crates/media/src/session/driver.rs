//! The one place that touches str0m: it drains what each operation causes, catches panics,
//! and takes what str0m reports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::bwe::BweKind;
use str0m::media::MediaKind;
use str0m::net::Transmit;
use str0m::{Event, Input, Output, Rtc, RtcError, bwe};

use super::track::Track;
use super::{EndReason, InternalError, Session, SessionError, SessionEvent, State};
use crate::ids::{Bitrate, StreamId};

/// What is due within this time is done at once: the pacer releases packet after packet a microsecond
/// apart, and a batch is cheaper to send than as many wake-ups.
const TIMER_SLACK: Duration = Duration::from_micros(200);

/// Operations of str0m in a row. A session that never comes to rest is given up, so that the
/// others are served.
const MAX_STEPS: usize = 20_000;

impl Session {
    /// The only way to str0m: does one thing, then drains all that follows from it. Before there is a connection,
    /// nothing is done.
    pub(super) fn with_rtc(
        &mut self,
        now: Instant,
        operation: impl FnOnce(&mut Rtc) -> Result<(), RtcError>,
    ) {
        if self.state == State::Ended {
            return;
        }
        self.now = self.now.max(now);
        let done = catch_unwind(AssertUnwindSafe(|| {
            let Some(rtc) = &mut self.rtc else {
                return Ok(());
            };
            operation(rtc)?;
            self.poll_rtc()
        }));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.end(SessionError::from(&error)),
            Err(_) => self.end(InternalError::Panicked),
        }
    }

    fn poll_rtc(&mut self) -> Result<(), RtcError> {
        // A time that does not go forward is no progress.
        let mut stepped = None;
        for _ in 0..MAX_STEPS {
            let Some(rtc) = &mut self.rtc else {
                return Ok(());
            };
            match rtc.poll_output()? {
                Output::Transmit(transmit) => self.on_transmit(transmit),
                Output::Event(Event::RtpPacket(packet)) => self.on_packet(packet),
                Output::Event(event) => self.on_event(&event),
                Output::Timeout(at)
                    if at <= self.now + TIMER_SLACK && stepped.is_none_or(|last| at > last) =>
                {
                    stepped = Some(at);
                    rtc.handle_input(Input::Timeout(at.max(self.now)))?;
                }
                Output::Timeout(at) => {
                    self.str0m_timeout = at.max(self.now);
                    // What waits goes out once str0m is at rest; then it is drained again.
                    if !self.write_packets() {
                        return Ok(());
                    }
                    // str0m looks at what was written when it is given the time, which never goes back for it.
                    let time = stepped.map_or(self.now, |last| last.max(self.now));
                    if let Some(rtc) = &mut self.rtc {
                        rtc.handle_input(Input::Timeout(time))?;
                    }
                }
            }
        }
        self.end(InternalError::DidNotConverge);
        Ok(())
    }

    /// Hands packets of a waiting frame to str0m, if they may go out; true if it did.
    fn write_packets(&mut self) -> bool {
        if self.state != State::Connected {
            return false;
        }
        let Self {
            rtc: Some(rtc),
            tracks,
            feedback,
            probing,
            pacer,
            now,
            started,
            ..
        } = self
        else {
            return false;
        };
        if feedback.begins_pause(*now) {
            // What is half sent now would go on past the pause, and is old by its end.
            let begun = tracks.iter_mut().filter(|track| track.has_begun());
            begun.for_each(Track::clear);
        }
        let paced = pacer.may_send(*now);
        let may_go = |track: &Track| track.waits() && (paced || track.kind() == MediaKind::Audio);
        if !tracks.iter().any(may_go) {
            return false;
        }
        let age = *now - *started;
        let may_begin = feedback.may_begin(*now);
        let written = tracks.iter_mut().find_map(|track| {
            let begins = !track.has_begun();
            if begins && !may_begin {
                return None;
            }
            let track = track.write(rtc, pacer, age, *now)?;
            if begins {
                feedback.on_begun(*now);
            }
            Some(track)
        });
        let Some(track) = written else {
            return false;
        };
        // What waits goes before probes, so that these find a stream to go by.
        if track.takes_rtx()
            && let Some(desired) = probing.is_possible()
        {
            set_desired(rtc, desired);
        }
        true
    }

    fn on_transmit(&mut self, transmit: Transmit) {
        if let Some(packet) = self.statistics.count_sent(&transmit) {
            self.feedback.on_media_sent(self.now);
            for track in &mut self.tracks {
                track.on_sent(&packet);
            }
        }
        self.transmits.push_back(transmit);
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Connected if self.state == State::SettingUp => {
                self.state = State::Connected;
                self.statistics.connected_after = Some(self.now - self.started);
                self.events.push_back(SessionEvent::Connected);
                let accepted = self.tracks.iter().filter(|track| track.agreed().is_some());
                let streams: Vec<_> = accepted.map(Track::stream).collect();
                for stream in streams {
                    self.request_key_frame(stream);
                }
            }
            Event::KeyframeRequest(request) => {
                let asked = self.tracks.iter().find(|track| track.mid() == request.mid);
                if let Some(stream) = asked.map(Track::stream) {
                    self.request_key_frame(stream);
                }
            }
            Event::MediaEgressStats(stats) => {
                let transport = self.config.start_bitrate.is_some();
                self.statistics.on_stream_measured(stats, transport);
                let mut tracks = self.tracks.iter_mut();
                if let Some(track) = tracks.find(|track| track.mid() == stats.mid) {
                    track.on_measured(stats);
                }
            }
            Event::PeerStats(stats) => {
                self.count_measured(stats);
                let measured = stats.bwe_tx.map(|rate| rate.as_u64());
                if let Some(measured) = measured
                    && self.pacer.is_on()
                {
                    self.pacer.set_estimate(measured);
                }
                let changed = self
                    .estimate
                    .on_measured(measured, stats.egress_loss_fraction);
                self.report_estimate(changed);
                self.look_at_waiting_frames();
                let reported = self.estimate.reported();
                let desired =
                    reported.and_then(|estimate| self.probing.on_estimate(estimate, self.now));
                if let (Some(desired), Some(rtc)) = (desired, &mut self.rtc) {
                    set_desired(rtc, desired);
                }
            }
            Event::EgressBitrateEstimate(
                BweKind::Twcc { estimate, .. } | BweKind::Remb { estimate, .. },
            ) => {
                let changed = self.estimate.on_average(estimate.as_u64());
                self.report_estimate(changed);
            }
            Event::Closed => self.end(EndReason::ClosedByViewer),
            _ => {}
        }
    }

    pub(super) fn request_key_frame(&mut self, stream: StreamId) {
        let track = self.tracks.iter().find(|track| track.stream() == stream);
        let video = track.is_some_and(|track| track.kind() == MediaKind::Video);
        if video && self.state != State::Ended {
            self.events.push_back(SessionEvent::KeyFrameWanted(stream));
        }
    }

    pub(super) fn look_at_waiting_frames(&mut self) {
        // That frames wait for a viewer that nothing arrives at tells nothing of a path, and others would be slowed down for it.
        if self.feedback.is_paused(self.now) {
            return;
        }
        let waits = self.tracks.iter().map(Track::wait);
        let wait = waits.max().unwrap_or_default();
        let changed = self.estimate.on_wait(wait, self.now);
        self.report_estimate(changed);
    }

    fn report_estimate(&mut self, changed: Option<Bitrate>) {
        if self.state != State::Ended {
            self.events.extend(changed.map(SessionEvent::Estimate));
        }
    }

    pub(super) fn end(&mut self, reason: impl Into<EndReason>) {
        if self.state == State::Ended {
            return;
        }
        let reason = reason.into();
        tracing::debug!(%reason, "a session ended");
        self.state = State::Ended;
        for track in &mut self.tracks {
            track.clear();
        }
        self.events.push_back(SessionEvent::Ended(reason));
    }
}

/// Padding is no substitute for media: only probes go beyond what is sent.
pub(super) fn set_desired(rtc: &mut Rtc, desired: Bitrate) {
    let desired = bwe::Bitrate::bps(desired);
    rtc.bwe().set_bitrate(bwe::Bitrate::ZERO, desired);
}
