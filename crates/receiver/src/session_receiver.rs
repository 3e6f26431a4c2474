//! A viewer that decrypts: a session that receives, as any other does.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::Candidate;
use str0m::net::{Protocol, Transmit};

use super::counter::{Packet, StreamCounter};
use super::{ReceiverError, ReceiverReport, ReceiverSettings, StreamKind};
use wigwag_media::rtp::key_frame_detection::begins_key_frame;
use wigwag_media::session::{
    Certificate, Codec, ConfigError, EndReason, OfferExtent, ReceiveConfig, ReceivedPacket,
    RemoteTrack, Session, SessionConfig, SessionError, SessionEvent,
};

/// A viewer that lost packets asks for a key frame at most this often.
pub(super) const ASK_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct SessionReceiver {
    settings: ReceiverSettings,
    addresses: Vec<SocketAddr>,
    /// None before an offer is made or answered.
    session: Option<Session>,
    /// To a further offer.
    answer: Option<String>,
    tracks: Vec<RemoteTrack>,
    streams: Vec<StreamCounter>,
    started: Instant,
    now: Instant,
    connected_after: Option<Duration>,
    is_closed: bool,
    failure: Option<ReceiverError>,
    requested: Option<Instant>,
}

impl SessionReceiver {
    pub(super) fn new(
        settings: &ReceiverSettings,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, ReceiverError> {
        for address in addresses {
            Candidate::host(*address, Protocol::Udp)
                .map_err(|_| ReceiverError::Address(*address))?;
        }
        Ok(Self {
            settings: *settings,
            addresses: addresses.to_vec(),
            session: None,
            answer: None,
            tracks: Vec::new(),
            streams: Vec::new(),
            started: now,
            now,
            connected_after: None,
            is_closed: false,
            failure: None,
            requested: None,
        })
    }

    pub(super) fn answer(&mut self, offer: &str, now: Instant) -> Result<String, ReceiverError> {
        if let Some(session) = &mut self.session {
            session.handle_offer(offer, &[], now);
            self.poll(now);
            let failure = || self.failure.clone().unwrap_or(ReceiverError::Gone);
            return self.answer.take().ok_or_else(failure);
        }
        let config = self.config(&[])?;
        let answered = Session::answer(&config, offer, &[], &self.addresses, now);
        let (session, answer) = answered.map_err(|reason| description(&reason))?;
        self.session = Some(session);
        self.poll(now);
        Ok(answer)
    }

    pub(super) fn offer(
        &mut self,
        kinds: &[StreamKind],
        now: Instant,
    ) -> Result<String, ReceiverError> {
        let offered = Session::offer(&self.config(kinds)?, &self.addresses, now);
        let (session, offer) = offered.map_err(|reason| match reason {
            SessionError::Config(ConfigError::NothingToOffer) => ReceiverError::Nothing,
            other => description(&other),
        })?;
        self.session = Some(session);
        Ok(offer)
    }

    pub(super) fn handle_answer(
        &mut self,
        answer: &str,
        now: Instant,
    ) -> Result<(), ReceiverError> {
        let session = self.session.as_mut().ok_or(ReceiverError::Nothing)?;
        session.handle_answer(answer, &[], now);
        self.poll(now);
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    pub(super) fn handle_candidate(&mut self, candidate: &str, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_candidate(candidate, now);
            self.poll(now);
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if let Some(session) = &mut self.session {
            session.handle_datagram(source, destination, datagram, now);
            self.poll(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
            self.poll(now);
        }
        let mut lost = false;
        for stream in &mut self.streams {
            lost |= stream.give_up(now);
        }
        let waited = |requested| now.saturating_duration_since(requested) >= ASK_INTERVAL;
        if lost && self.requested.is_none_or(waited) {
            self.request_key_frames(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed || self.failure.is_some() {
            return None;
        }
        let session = self.session.as_ref().and_then(Session::poll_timeout);
        let streams = self.streams.iter().filter_map(StreamCounter::deadline);
        streams.chain(session).min()
    }

    pub(super) fn take_transmits(&mut self) -> Vec<Transmit> {
        let session = self.session.as_mut().into_iter();
        session
            .flat_map(|session| std::iter::from_fn(|| session.poll_transmit()))
            .collect()
    }

    pub(super) fn request_key_frames(&mut self, now: Instant) {
        self.requested = Some(now);
        let Some(session) = &mut self.session else {
            return;
        };
        let videos = self.tracks.iter().filter(|it| it.kind == StreamKind::Video);
        for track in videos {
            session.request_key_frame_of(&track.mid, now);
        }
        self.poll(now);
    }

    pub(super) fn close(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.close(now);
        }
        self.is_closed = true;
    }

    pub(super) fn report(&self) -> ReceiverReport {
        ReceiverReport {
            connected_after: self.connected_after,
            is_closed: self.is_closed,
            failure: self.failure.clone(),
            streams: self.streams.iter().map(StreamCounter::report).collect(),
        }
    }

    fn config(&self, kinds: &[StreamKind]) -> Result<SessionConfig, ReceiverError> {
        let certificate =
            certificate().ok_or_else(|| ReceiverError::Connection("no certificate".to_owned()))?;
        Ok(SessionConfig {
            certificate,
            name: String::new(),
            streams: Vec::new(),
            start_bitrate: None,
            max_wait: Duration::ZERO,
            retransmission: true,
            extent: OfferExtent::Full,
            receive: Some(ReceiveConfig {
                codecs: self.settings.codecs(),
                offered: kinds.to_vec(),
            }),
        })
    }

    fn poll(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(packet) = self.session.as_mut().and_then(Session::poll_packet) {
            self.on_packet(&packet);
        }
        while let Some(event) = self.session.as_mut().and_then(Session::poll_event) {
            match event {
                SessionEvent::RemoteTracks(tracks) => self.tracks = tracks,
                SessionEvent::Answer(answer) => self.answer = Some(answer),
                SessionEvent::Connected => {
                    let after = self.now.saturating_duration_since(self.started);
                    self.connected_after.get_or_insert(after);
                }
                SessionEvent::Ended(EndReason::ClosedByViewer) => self.is_closed = true,
                SessionEvent::Ended(reason) => {
                    let failure = || match reason {
                        EndReason::Failed(error @ SessionError::Peer(_)) => description(&error),
                        _ => ReceiverError::Connection(reason.to_string()),
                    };
                    self.failure.get_or_insert_with(failure);
                }
                _ => {}
            }
        }
    }

    fn on_packet(&mut self, packet: &ReceivedPacket) {
        let mut tracks = self.tracks.iter();
        let Some(track) = tracks.find(|track| track.mid == packet.mid) else {
            return;
        };
        let mut formats = track.formats.iter();
        let format = formats.find(|format| format.payload_type == packet.payload_type);
        let key = format.is_some_and(|format| begins_key_frame(format.codec, &packet.payload));
        let name = match &packet.rid {
            Some(rid) => Arc::from(format!("{}:{rid}", packet.mid)),
            None => Arc::clone(&packet.mid),
        };
        let known = |stream: &StreamCounter| *stream.mid() == *name;
        let place = match self.streams.iter().position(known) {
            Some(place) => place,
            None => {
                let stream = StreamCounter::new(&name, track.kind, self.started);
                self.streams.push(stream);
                self.streams.len() - 1
            }
        };
        if let Some(stream) = self.streams.get_mut(place) {
            stream.push(&Packet {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                bytes: packet.payload.len(),
                key,
                arrived: packet.arrived,
            });
        }
    }
}

impl ReceiverSettings {
    fn codecs(&self) -> Vec<Codec> {
        use super::VideoCodec;
        let h264 = [0x42_e01f, 0x42_001f, 0x4d_001f, 0x64_001f];
        let h264 = h264.map(|profile_level_id| Codec::H264 { profile_level_id });
        let video = match self.video_codec {
            Some(VideoCodec::Vp8) => vec![Codec::Vp8],
            Some(VideoCodec::Vp9) => vec![Codec::Vp9 { profile: 0 }],
            Some(VideoCodec::H264) => h264.to_vec(),
            Some(VideoCodec::H265) => vec![Codec::H265 { profile: 1 }],
            Some(VideoCodec::Av1) => vec![Codec::Av1 { profile: 0 }],
            None => {
                let mut all = vec![Codec::Vp8, Codec::Vp9 { profile: 0 }];
                all.extend(h264);
                all.extend([Codec::H265 { profile: 1 }, Codec::Av1 { profile: 0 }]);
                all
            }
        };
        let audio = [Codec::Opus, Codec::Pcmu, Codec::Pcma];
        video.into_iter().chain(audio).collect()
    }
}

fn description(reason: &SessionError) -> ReceiverError {
    ReceiverError::Description(reason.to_string())
}

/// One for all: making a key costs more than all else that a viewer does.
fn certificate() -> Option<Certificate> {
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    CERTIFICATE.get_or_init(Certificate::generate).clone()
}
