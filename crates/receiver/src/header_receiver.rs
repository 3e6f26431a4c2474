//! A viewer that counts by headers: its packets are never decrypted.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

use super::headers::HeaderCounter;
use super::{ReceiverError, ReceiverReport, ReceiverSettings, StreamKind, keys};
use wigwag_media::rtp::DatagramKind;

/// Operations of str0m in a row; one that never comes to rest is given up.
const MAX_STEPS: usize = 100_000;

/// str0m connects; all else is done by what stands in clear.
pub(super) struct HeaderReceiver {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    transmits: Vec<Transmit>,
    headers: HeaderCounter,
    started: Instant,
    now: Instant,
    deadline: Instant,
    connected_after: Option<Duration>,
    is_closed: bool,
    failure: Option<ReceiverError>,
}

impl HeaderReceiver {
    pub(super) fn new(
        settings: &ReceiverSettings,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, ReceiverError> {
        let headers = HeaderCounter::new(fastrand::u32(..), now);
        let rtc = RtcConfig::new()
            .set_crypto_provider(keys::leaving_provider())
            .set_rtp_mode(true);
        let mut rtc = settings.codecs_of_str0m(rtc);
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
            headers,
            started: now,
            now,
            deadline: now,
            connected_after: None,
            is_closed: false,
            failure: None,
        })
    }

    pub(super) fn answer(&mut self, offer: &str, now: Instant) -> Result<String, ReceiverError> {
        if self.connected_after.is_some() {
            return Err(description("a further offer, which takes --decrypt"));
        }
        let sender = offer;
        let offer = SdpOffer::from_sdp_string(offer).map_err(description)?;
        let answer = self.rtc.sdp_api().accept_offer(offer);
        let answer = answer.map_err(description)?.to_sdp_string();
        self.with_rtc(now, |_| Ok(()));
        self.headers.agree(sender, &answer);
        Ok(answer)
    }

    pub(super) fn offer(
        &mut self,
        kinds: &[StreamKind],
        now: Instant,
    ) -> Result<String, ReceiverError> {
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
        self.with_rtc(now, |_| Ok(()));
        Ok(offer.to_sdp_string())
    }

    pub(super) fn handle_answer(
        &mut self,
        answer: &str,
        now: Instant,
    ) -> Result<(), ReceiverError> {
        let sender = answer;
        let answer = SdpAnswer::from_sdp_string(answer).map_err(description)?;
        let pending = self.pending.take().ok_or(ReceiverError::Nothing)?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(description)?;
        self.headers.agree(sender, sender);
        self.with_rtc(now, |_| Ok(()));
        Ok(())
    }

    pub(super) fn handle_candidate(&mut self, candidate: &str, now: Instant) {
        let text = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
        if let Ok(candidate) = Candidate::from_sdp_string(text) {
            self.with_rtc(now, |rtc| {
                rtc.add_remote_candidate(candidate);
                Ok(())
            });
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if DatagramKind::of(datagram) == DatagramKind::Rtp {
            return self.headers.on_media(source, destination, datagram, now);
        }
        if let Ok(receive) = Receive::new(Protocol::Udp, source, destination, datagram) {
            self.with_rtc(now, |rtc| {
                let input = Input::Receive(now, receive);
                if rtc.accepts(&input) {
                    rtc.handle_input(input)?;
                }
                Ok(())
            });
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        // What str0m has to do is dearer than our reports, and due less often.
        if self.deadline <= now {
            self.with_rtc(now, |rtc| rtc.handle_input(Input::Timeout(now)));
        }
        if self.is_closed || self.failure.is_some() {
            return;
        }
        let transmits = &mut self.transmits;
        self.headers.wake(now, |from, to, report| {
            transmits.push(transmit(from, to, report));
        });
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed || self.failure.is_some() {
            return None;
        }
        let headers = self.headers.deadline().into_iter();
        headers.chain([self.deadline]).min()
    }

    pub(super) fn take_transmits(&mut self) -> Vec<Transmit> {
        std::mem::take(&mut self.transmits)
    }

    pub(super) fn request_key_frames(&mut self, now: Instant) {
        let transmits = &mut self.transmits;
        self.headers.ask_for_key_frames(now, |from, to, report| {
            transmits.push(transmit(from, to, report));
        });
    }

    pub(super) fn send_reports(&mut self, write: impl FnOnce(&[u32]) -> Vec<u8>) {
        let transmits = &mut self.transmits;
        self.headers.send_reports(write, |from, to, report| {
            transmits.push(transmit(from, to, report));
        });
    }

    #[cfg(fuzzing)]
    pub(super) fn forge_reports(&mut self, reports: &[u8]) -> Option<Vec<u8>> {
        self.headers.forge(reports)
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.with_rtc(now, Rtc::close);
        self.is_closed = true;
    }

    pub(super) fn report(&self) -> ReceiverReport {
        ReceiverReport {
            connected_after: self.connected_after,
            is_closed: self.is_closed,
            failure: self.failure.clone(),
            streams: self.headers.streams().collect(),
        }
    }

    fn with_rtc(&mut self, now: Instant, operation: impl FnOnce(&mut Rtc) -> Result<(), RtcError>) {
        if self.is_closed || self.failure.is_some() {
            return;
        }
        self.now = self.now.max(now);
        if let Err(error) = operation(&mut self.rtc).and_then(|()| self.poll_rtc()) {
            self.failure = Some(ReceiverError::Connection(error.to_string()));
        }
        if let Some(keys) = keys::take() {
            self.headers.set_keys(&keys::leaving_provider(), &keys);
        }
    }

    fn poll_rtc(&mut self) -> Result<(), RtcError> {
        for _ in 0..MAX_STEPS {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    // str0m's reports know of no media, and GStreamer takes such ones for broken.
                    let is_report = DatagramKind::of(&transmit.contents) == DatagramKind::Rtcp;
                    if !(is_report && self.headers.is_reporting()) {
                        self.transmits.push(transmit);
                    }
                }
                Output::Event(event) => self.on_event(&event),
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

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Connected => {
                let after = self.now.saturating_duration_since(self.started);
                self.connected_after.get_or_insert(after);
            }
            Event::SenderFeedback(feedback) => self.headers.on_sender_report(feedback),
            Event::Closed => self.is_closed = true,
            _ => {}
        }
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
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(wigwag_media::crypto_provider())))
}

/// One for all: making a key costs more than all else that a viewer does.
fn certificate() -> Option<DtlsCert> {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    CERTIFICATE
        .get_or_init(|| provider().dtls_provider.generate_certificate())
        .clone()
}
