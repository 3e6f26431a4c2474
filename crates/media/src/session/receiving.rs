//! What comes from the network, and what of it str0m gets to see.
//!
//! Anybody may send in a viewer's name. str0m takes whatever comes from the address that it sends to,
//! so what can be told apart at little cost is told apart before.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::media::KeyframeRequestKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Input, bwe};

use super::local_transport::EarlyCheck;
use super::path::FiveTuple;
use super::remote_track::{RECEIVED_BITRATE, REMB_INTERVAL, TrackReceiver};
use super::{InternalError, Session, SessionEvent, State};
use crate::rtp::{DatagramKind, Header, extension};

/// Packets that wait for the owner, who takes them after each datagram.
pub const MAX_RECEIVED_PACKETS: usize = 256;

/// An address that nobody has: str0m looks at the integrity of a check that comes from there.
const UNSPECIFIED_SOURCE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// An empty receiver report (RFC 3550, 6.4.2): of str0m, only what it says to one is asked.
const EMPTY_REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

impl Session {
    /// Takes a datagram that came from `source` to our address `destination`; true if it was meant for
    /// this session.
    ///
    /// Connectivity checks and their answers are meant for it if they are authentic, wherever they come
    /// from; all else if it comes from an address that was validated by a check of ours. Media is taken only if
    /// something is received, from an address that answered one.
    pub fn handle_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let kind = DatagramKind::of(datagram);
        if self.state == State::Ended {
            return false;
        }
        if kind == DatagramKind::Rtp {
            return self.receive_media(source, destination, datagram, now);
        }
        let stun = kind == DatagramKind::Stun;
        if self.rtc.is_none() {
            return self.receive_early(source, destination, datagram);
        }
        let Some(input) = self.accepted(source, destination, datagram, now) else {
            return false;
        };
        if stun && !self.recognises(destination, datagram, now) {
            return false;
        }
        self.with_rtc(now, |rtc| rtc.handle_input(input));
        if stun {
            self.last_received = now;
            self.reachability.on_received(source, datagram);
            self.on_check();
        }
        self.feedback.on_received(datagram, now);
        self.statistics.datagrams_received += 1;
        let five_tuple = FiveTuple {
            local: destination,
            remote: source,
        };
        if self.path.on_received(five_tuple, datagram, now)
            && self
                .accepted(source, destination, &EMPTY_REPORT, now)
                .is_some()
        {
            tracing::debug!("a viewer has moved");
            self.path.move_to(five_tuple, now);
        }
        true
    }

    /// Takes a packet of media. str0m keeps something for each source that it is given, before it knows whether a packet is
    /// authentic: so from addresses that proved to be the peer's alone, and of few sources.
    fn receive_media(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        if self.receivers.is_empty() || !self.reachability.has_answered(source) {
            return false;
        }
        // What str0m keeps of a source is as risky as what it does with a packet.
        match catch_unwind(AssertUnwindSafe(|| self.expect_source(datagram))) {
            Ok(Some(())) => {}
            Ok(None) => return false,
            Err(_) => {
                self.end(InternalError::Panicked);
                return false;
            }
        }
        let Some(input) = self.accepted(source, destination, datagram, now) else {
            return false;
        };
        self.with_rtc(now, |rtc| rtc.handle_input(input));
        self.statistics.datagrams_received += 1;
        true
    }

    /// Has str0m expect the source of a packet; none if it belongs to no section.
    fn expect_source(&mut self, datagram: &[u8]) -> Option<()> {
        let header = Header::read(datagram, None)?;
        // Probes of no stream, which str0m knows.
        if header.source == 0 {
            return Some(());
        }
        if self.received_sources.section(header.source).is_some() {
            return Some(());
        }
        let mut receivers = self.receivers.iter();
        if receivers.any(|receiver| receiver.has_rtx_source(header.source)) {
            return Some(());
        }
        let value = |identifier: Option<u8>| extension(datagram, identifier?);
        let names = self.name_extensions;
        let named = value(names.mid);
        let named = named.and_then(|name| str::from_utf8(name).ok());
        let stopped = self.received_sources.stopped_section(header.source);
        let receiver = match (named, stopped) {
            (Some(name), _) => {
                let mut receivers = self.receivers.iter_mut();
                receivers.find(|receiver| &*receiver.track.mid == name)
            }
            (None, Some(mid)) => {
                let mut receivers = self.receivers.iter_mut();
                receivers.find(|receiver| receiver.mid == mid)
            }
            // The section that alone has such packets.
            (None, None) => {
                let has = |it: &&mut TrackReceiver| it.has_payload_type(header.payload_type);
                let mut receivers = self.receivers.iter_mut().filter(has);
                receivers.next().filter(|_| receivers.next().is_none())
            }
        };
        let (receiver, rtc) = (receiver?, self.rtc.as_mut()?);
        if !receiver.takes(header.payload_type) {
            let encoding = receiver.encoding(value(names.repaired_rid))?;
            return receiver.expect_rtx(encoding, header.source, header.payload_type, rtc);
        }
        let encoding = receiver.encoding(value(names.rid))?;
        let made_way = self
            .received_sources
            .show(header.source, receiver.mid, encoding);
        let made_way = made_way.ok()?;
        if let Some(made_way) = made_way {
            rtc.direct_api().remove_stream_rx(Ssrc::from(made_way));
        }
        receiver.expect(header.source, rtc);
        Some(())
    }

    /// Takes a packet that str0m decrypted.
    pub(super) fn on_packet(&mut self, packet: RtpPacket) {
        let source = *packet.header.ssrc;
        let Some((mid, encoding)) = self.received_sources.section(source) else {
            return;
        };
        if let Some(made_way) = self.received_sources.prove(source)
            && let Some(rtc) = &mut self.rtc
        {
            rtc.direct_api().remove_stream_rx(Ssrc::from(made_way));
        }
        let mut receivers = self.receivers.iter_mut();
        let Some(receiver) = receivers.find(|receiver| receiver.mid == mid) else {
            return;
        };
        receiver.take_source(encoding, source);
        let Some(packet) = receiver.packet(encoding, packet) else {
            return;
        };
        if self.received.len() >= MAX_RECEIVED_PACKETS {
            self.received.pop_front();
        }
        self.received.push_back(packet);
    }

    /// Asks the peer for a key frame of a track (PLI, RFC 4585), which is named by its section: of each of its encodings.
    pub fn request_key_frame_of(&mut self, mid: &str, now: Instant) {
        let mut receivers = self.receivers.iter();
        let Some(receiver) = receivers.find(|receiver| &*receiver.track.mid == mid) else {
            return;
        };
        let sources: Vec<_> = receiver.sources().collect();
        if sources.is_empty() {
            return;
        }
        self.with_rtc(now, |rtc| {
            let mut direct = rtc.direct_api();
            for source in sources {
                if let Some(stream) = direct.stream_rx(&Ssrc::from(source)) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
            rtc.handle_input(Input::Timeout(now))
        });
    }

    /// Says what the peer may send, where nothing else does.
    pub(super) fn send_remb(&mut self, now: Instant) {
        if self.remb_at().is_none_or(|at| now < at) {
            return;
        }
        self.remb_sent_at = Some(now);
        let receivers = self.receivers.iter().filter(|receiver| receiver.has_remb);
        let sources: Vec<_> = receivers.filter_map(|it| it.sources().next()).collect();
        self.with_rtc(now, |rtc| {
            for source in sources {
                let mut direct = rtc.direct_api();
                if let Some(stream) = direct.stream_rx(&Ssrc::from(source)) {
                    stream.request_remb(bwe::Bitrate::bps(RECEIVED_BITRATE));
                }
            }
            rtc.handle_input(Input::Timeout(now))
        });
    }

    /// When to call [`send_remb`](Self::send_remb).
    pub(super) fn remb_at(&self) -> Option<Instant> {
        let is_due = self.state == State::Connected && self.receivers.iter().any(|it| it.has_remb);
        let next = self
            .remb_sent_at
            .map_or(self.now, |sent| sent + REMB_INTERVAL);
        is_due.then_some(next)
    }

    /// Takes what comes before the viewer's answer: connectivity checks, which are answered once it is there.
    fn receive_early(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        // To read a datagram is as risky as to do what it says.
        let accepts = || self.transport.accepts(datagram);
        if !catch_unwind(AssertUnwindSafe(accepts)).unwrap_or(false) {
            return false;
        }
        self.transport.keep(EarlyCheck {
            source,
            destination,
            datagram: datagram.to_vec(),
        });
        self.on_check();
        true
    }

    /// Whether it is a connectivity check of the viewer, or the answer to one of ours: it is signed with a
    /// password of the session.
    pub fn recognises(&self, destination: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        if self.rtc.is_none() {
            let accepts = || self.transport.accepts(datagram);
            return catch_unwind(AssertUnwindSafe(accepts)).unwrap_or(false);
        }
        DatagramKind::of(datagram) == DatagramKind::Stun
            && self
                .accepted(UNSPECIFIED_SOURCE, destination, datagram, now)
                .is_some()
    }

    fn on_check(&mut self) {
        let is_first = !std::mem::replace(&mut self.checked, true);
        if is_first && self.state == State::SettingUp {
            self.events.push_back(SessionEvent::Checked);
        }
    }

    /// The datagram as str0m takes it, if it does.
    fn accepted<'a>(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &'a [u8],
        now: Instant,
    ) -> Option<Input<'a>> {
        // To read a datagram is as risky as to do what it says.
        let accepted = catch_unwind(AssertUnwindSafe(|| {
            let read = Receive::new(Protocol::Udp, source, destination, datagram).ok()?;
            let input = Input::Receive(now, read);
            self.rtc.as_ref()?.accepts(&input).then_some(input)
        }));
        accepted.ok().flatten()
    }
}
