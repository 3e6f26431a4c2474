//! One viewer, without sockets or clock.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec as Str0mCodec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::{RtpHeader, RtpPacket};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

use super::counter::{Packet, StreamCounter};
use super::headers::{self, HeaderCounter};
use super::{
    Counting, ReceiverError, ReceiverReport, ReceiverSettings, StreamKind, keys, packet_header,
};
use crate::key_frame_detection::begins_key_frame;
use crate::session::Codec;

/// Operations of str0m in a row; one that never comes to rest is given up.
const MAX_STEPS: usize = 100_000;

/// A viewer that lost packets asks for a key frame at most this often.
pub(super) const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// One viewer. After any call, its owner takes all that [`poll_transmit`](Self::poll_transmit) has, and
/// calls [`wake`](Self::wake) at [`deadline`](Self::deadline).
pub struct Receiver {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    transmits: Vec<Transmit>,
    streams: Vec<StreamCounter>,
    /// What counts instead, if packets are not decrypted.
    headers: Option<HeaderCounter>,
    started: Instant,
    now: Instant,
    deadline: Instant,
    connected_after: Option<Duration>,
    is_closed: bool,
    failure: Option<ReceiverError>,
    asked: Option<Instant>,
}

impl Receiver {
    /// A viewer that listens on these addresses.
    ///
    /// # Errors
    ///
    /// One of them cannot be a candidate.
    pub fn new(addresses: &[SocketAddr], now: Instant) -> Result<Self, ReceiverError> {
        Self::with(&ReceiverSettings::default(), addresses, now)
    }

    /// A viewer with settings that listens on these addresses.
    ///
    /// # Errors
    ///
    /// One of them cannot be a candidate.
    pub fn with(
        settings: &ReceiverSettings,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, ReceiverError> {
        let (provider, headers) = match settings.counting {
            Counting::Decrypted => (provider(), None),
            Counting::Headers => {
                let source = headers::new_source()?;
                let counter = HeaderCounter::new(source, now);
                (keys::leaving_provider(), Some(counter))
            }
        };
        let rtc = RtcConfig::new()
            .set_crypto_provider(provider)
            .set_rtp_mode(true);
        let mut rtc = settings.codecs(rtc);
        if let Some(certificate) = certificate() {
            rtc = rtc.set_dtls_cert(certificate);
        }
        let mut rtc = rtc.build(now);
        for address in addresses {
            let candidate = Candidate::host(*address, Protocol::Udp)
                .map_err(|_| ReceiverError::Address(*address))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            rtc,
            pending: None,
            transmits: Vec::new(),
            streams: Vec::new(),
            headers,
            started: now,
            now,
            deadline: now,
            connected_after: None,
            is_closed: false,
            failure: None,
            asked: None,
        })
    }

    /// Takes the sender's offer (SDP); returns the answer.
    ///
    /// # Errors
    ///
    /// The offer cannot be used.
    pub fn answer(&mut self, offer: &str, now: Instant) -> Result<String, ReceiverError> {
        let sender = offer;
        let offer = SdpOffer::from_sdp_string(offer).map_err(description)?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(description)?;
        self.operate(now, |_| Ok(()));
        let answer = answer.to_sdp_string();
        if let Some(headers) = &mut self.headers {
            headers.agree(sender, &answer);
        }
        Ok(answer)
    }

    /// Offers to receive streams of these kinds (SDP).
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn offer(&mut self, kinds: &[StreamKind], now: Instant) -> Result<String, ReceiverError> {
        let mut changes = self.rtc.sdp_api();
        for kind in kinds {
            let kind = match kind {
                StreamKind::Video => MediaKind::Video,
                StreamKind::Audio => MediaKind::Audio,
            };
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().ok_or(ReceiverError::Nothing)?;
        self.pending = Some(pending);
        self.operate(now, |_| Ok(()));
        Ok(offer.to_sdp_string())
    }

    /// Takes the sender's answer (SDP).
    ///
    /// # Errors
    ///
    /// It cannot be used, or nothing was offered.
    pub fn accept_answer(&mut self, answer: &str, now: Instant) -> Result<(), ReceiverError> {
        let sender = answer;
        let answer = SdpAnswer::from_sdp_string(answer).map_err(description)?;
        let pending = self.pending.take().ok_or(ReceiverError::Nothing)?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(description)?;
        if let Some(headers) = &mut self.headers {
            headers.agree(sender, sender);
        }
        self.operate(now, |_| Ok(()));
        Ok(())
    }

    /// Takes a candidate of the sender. One that cannot be read is passed over.
    pub fn add_remote_candidate(&mut self, candidate: &str, now: Instant) {
        let text = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
        if let Ok(candidate) = Candidate::from_sdp_string(text) {
            self.operate(now, |rtc| {
                rtc.add_remote_candidate(candidate);
                Ok(())
            });
        }
    }

    /// Takes a datagram that came from `source` to `destination`, which is ours.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if let Some(headers) = &mut self.headers
            && packet_header::is_media(datagram)
        {
            headers.on_media(source, destination, datagram, now);
            return;
        }
        if let Ok(receive) = Receive::new(Protocol::Udp, source, destination, datagram) {
            self.operate(now, |rtc| {
                let input = Input::Receive(now, receive);
                if rtc.accepts(&input) {
                    rtc.handle_input(input)?;
                }
                Ok(())
            });
        }
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Instant) {
        if self.headers.is_some() {
            return self.wake_headers(now);
        }
        self.operate(now, |rtc| rtc.handle_input(Input::Timeout(now)));
        let mut lost = false;
        for stream in &mut self.streams {
            lost |= stream.give_up(now);
        }
        let waited = |asked| now.saturating_duration_since(asked) >= ASK_INTERVAL;
        if lost && self.asked.is_none_or(waited) {
            self.ask_for_key_frames(now);
        }
    }

    /// When to call [`wake`](Self::wake); none once it is over.
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_closed || self.failure.is_some() {
            return None;
        }
        let streams = self.streams.iter().filter_map(StreamCounter::deadline);
        let headers = self.headers.as_ref().and_then(HeaderCounter::deadline);
        streams.chain(headers).chain([self.deadline]).min()
    }

    /// The next datagrams to send.
    pub fn poll_transmit(&mut self) -> impl Iterator<Item = Transmit> {
        self.transmits.drain(..)
    }

    /// Asks for a key frame of every stream of video.
    pub fn ask_for_key_frames(&mut self, now: Instant) {
        if let Some(headers) = &mut self.headers {
            let transmits = &mut self.transmits;
            headers.ask_for_key_frames(now, |from, to, report| {
                transmits.push(transmit(from, to, report));
            });
            return;
        }
        self.asked = Some(now);
        let mids: Vec<_> = self
            .streams
            .iter()
            .filter(|stream| stream.kind() == StreamKind::Video)
            .map(|stream| Mid::from(stream.mid()))
            .collect();
        self.operate(now, |rtc| {
            for mid in mids {
                if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, None) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
            rtc.handle_input(Input::Timeout(now))
        });
    }

    /// Sends reports (RTCP) that `write` makes of the sources (SSRC) of all streams that came, encrypted as its own are. Only a
    /// viewer that counts by headers can.
    pub fn send_reports(&mut self, write: impl FnOnce(&[u32]) -> Vec<u8>) {
        if let Some(headers) = &mut self.headers {
            let transmits = &mut self.transmits;
            headers.send_reports(write, |from, to, report| {
                transmits.push(transmit(from, to, report));
            });
        }
    }

    /// A datagram of reports (RTCP) as they are given, encrypted by the viewer's keys; none if it counts by decrypting, is not
    /// connected yet, or they are too short.
    #[cfg(fuzzing)]
    pub fn forge_reports(&mut self, reports: &[u8]) -> Option<Vec<u8>> {
        self.headers.as_mut()?.forge(reports)
    }

    /// Ends it, and tells the sender.
    pub fn close(&mut self, now: Instant) {
        self.operate(now, Rtc::close);
        self.is_closed = true;
    }

    /// What was counted so far.
    pub fn report(&self) -> ReceiverReport {
        ReceiverReport {
            connected_after: self.connected_after,
            is_closed: self.is_closed,
            failure: self.failure.clone(),
            streams: match &self.headers {
                Some(headers) => headers.streams().collect(),
                None => self.streams.iter().map(StreamCounter::report).collect(),
            },
        }
    }

    /// What str0m has to do is dearer than our reports, and due less often.
    fn wake_headers(&mut self, now: Instant) {
        if self.deadline <= now {
            self.operate(now, |rtc| rtc.handle_input(Input::Timeout(now)));
        }
        if self.is_closed || self.failure.is_some() {
            return;
        }
        if let Some(headers) = &mut self.headers {
            let transmits = &mut self.transmits;
            headers.wake(now, |from, to, report| {
                transmits.push(transmit(from, to, report));
            });
        }
    }

    fn operate(&mut self, now: Instant, operation: impl FnOnce(&mut Rtc) -> Result<(), RtcError>) {
        if self.is_closed || self.failure.is_some() {
            return;
        }
        self.now = self.now.max(now);
        if let Err(error) = operation(&mut self.rtc).and_then(|()| self.drain()) {
            self.failure = Some(ReceiverError::Connection(error.to_string()));
        }
        if let Some(headers) = &mut self.headers
            && let Some(keys) = keys::take()
        {
            headers.set_keys(&keys::leaving_provider(), &keys);
        }
    }

    fn drain(&mut self) -> Result<(), RtcError> {
        for _ in 0..MAX_STEPS {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    // str0m's reports know of no media, and GStreamer takes such ones for broken.
                    let reporting = self
                        .headers
                        .as_ref()
                        .is_some_and(HeaderCounter::is_reporting);
                    if !(reporting && packet_header::is_report(&transmit.contents)) {
                        self.transmits.push(transmit);
                    }
                }
                Output::Event(event) => self.on_event(event),
                Output::Timeout(at) if at <= self.now && at > self.deadline => {
                    self.deadline = at;
                    self.rtc.handle_input(Input::Timeout(self.now))?;
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return Ok(());
                }
            }
        }
        self.failure = Some(ReceiverError::Connection("it never rests".to_owned()));
        Ok(())
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                let after = self.now.saturating_duration_since(self.started);
                self.connected_after.get_or_insert(after);
            }
            Event::RtpPacket(packet) => self.on_packet(&packet),
            Event::SenderFeedback(feedback) => {
                if let Some(headers) = &mut self.headers {
                    headers.on_sender_report(&feedback);
                }
            }
            Event::Closed => self.is_closed = true,
            _ => {}
        }
    }

    fn on_packet(&mut self, packet: &RtpPacket) {
        let codec = self.codec(packet.header.payload_type);
        let Some(mid) = self.mid_of(&packet.header) else {
            return;
        };
        let Some(stream) = self.stream(mid) else {
            return;
        };
        let key = codec.is_some_and(|codec| begins_key_frame(codec, &packet.payload));
        stream.push(&Packet {
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            bytes: packet.payload.len(),
            key,
            arrived: packet.timestamp,
        });
    }

    fn codec(&self, payload_type: Pt) -> Option<Codec> {
        let mut known = self.rtc.codec_config().params().iter();
        let agreed = known.find(|params| params.pt() == payload_type)?;
        Some(match agreed.spec().codec {
            Str0mCodec::Vp8 => Codec::Vp8,
            Str0mCodec::Vp9 => Codec::Vp9 { profile: 0 },
            Str0mCodec::H264 => Codec::H264 {
                // Every profile begins its key frames alike.
                profile_level_id: 0,
            },
            Str0mCodec::H265 => Codec::H265 { profile: 1 },
            Str0mCodec::Av1 => Codec::Av1 { profile: 0 },
            Str0mCodec::Opus => Codec::Opus,
            _ => return None,
        })
    }

    /// The section of a packet, which not every packet names.
    fn mid_of(&mut self, header: &RtpHeader) -> Option<Mid> {
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx(&header.ssrc);
        stream.map(|stream| stream.mid()).or(header.ext_vals.mid)
    }

    fn stream(&mut self, mid: Mid) -> Option<&mut StreamCounter> {
        let known = |stream: &StreamCounter| *stream.mid() == *mid;
        let place = match self.streams.iter().position(known) {
            Some(place) => place,
            None => {
                let kind = match self.rtc.media(mid)?.kind() {
                    MediaKind::Audio => StreamKind::Audio,
                    MediaKind::Video => StreamKind::Video,
                };
                self.streams
                    .push(StreamCounter::new(&mid, kind, self.started));
                self.streams.len() - 1
            }
        };
        self.streams.get_mut(place)
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

fn transmit(source: SocketAddr, destination: SocketAddr, report: Vec<u8>) -> Transmit {
    Transmit {
        proto: Protocol::Udp,
        source,
        destination,
        contents: report.into(),
    }
}

fn description(error: impl std::fmt::Display) -> ReceiverError {
    ReceiverError::Description(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(crate::crypto_provider())))
}

/// One for all: making a key costs more than all else that a viewer does.
fn certificate() -> Option<DtlsCert> {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    CERTIFICATE
        .get_or_init(|| provider().dtls_provider.generate_certificate())
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let now = Instant::now();
        let nowhere = "0.0.0.0:1".parse().expect("an address");
        let refused = Receiver::new(&[nowhere], now).map(|_| ());
        assert_eq!(refused, Err(ReceiverError::Address(nowhere)));
        let mut receiver = Receiver::new(&[], now).expect("a viewer");
        assert!(receiver.answer("nonsense", now).is_err());
        assert_eq!(receiver.offer(&[], now), Err(ReceiverError::Nothing));
        assert!(receiver.accept_answer("v=0", now).is_err());
        receiver.add_remote_candidate("nonsense", now);
        assert_eq!(receiver.report(), ReceiverReport::default());
    }
}
