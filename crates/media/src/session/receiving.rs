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
use super::remote_track::{RECEIVED_BITRATE, REMB_INTERVAL};
use super::{Session, SessionEvent, State};
use crate::rtp::{DatagramKind, Header, extension};

/// Packets that wait for the owner, who takes them after each datagram.
pub const MAX_RECEIVED_PACKETS: usize = 256;

/// Sources of a session that neither the description nor a packet names a section of.
pub const MAX_UNSIGNALLED_SOURCES: usize = 8;

/// Sources whose section is remembered; that of others is found for each packet.
const MAX_SOURCES: usize = 64;

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
        if self.pending.is_some() {
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

    /// Takes a packet of media. str0m keeps something for each source that it sees, before it knows whether the packet is
    /// authentic: so from addresses that proved to be the peer's alone.
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
        self.expect_unsignalled(datagram);
        let Some(input) = self.accepted(source, destination, datagram, now) else {
            return false;
        };
        self.with_rtc(now, |rtc| rtc.handle_input(input));
        self.statistics.datagrams_received += 1;
        true
    }

    /// Finds the section of a source that neither the description nor the packet names one of, by its payload type, if only one
    /// section has that.
    fn expect_unsignalled(&mut self, datagram: &[u8]) {
        let Some(header) = Header::read(datagram, None) else {
            return;
        };
        let is_known = self
            .sources
            .iter()
            .any(|(known, _)| *known == header.source);
        if is_known || self.unsignalled_sources >= MAX_UNSIGNALLED_SOURCES {
            return;
        }
        let names_section = self.mid_extension.and_then(|id| extension(datagram, id));
        if names_section.is_some() {
            return;
        }
        let mut takers = self.receivers.iter();
        let mut next = || takers.find(|receiver| receiver.takes(header.payload_type));
        let (Some(receiver), None) = (next(), next()) else {
            return;
        };
        let Some(rtc) = &mut self.rtc else {
            return;
        };
        let ssrc = Ssrc::from(header.source);
        if rtc.direct_api().stream_rx(&ssrc).is_none() {
            receiver.expect(header.source, None, rtc);
            self.unsignalled_sources += 1;
        }
    }

    /// Takes a packet that str0m decrypted.
    pub(super) fn on_packet(&mut self, packet: RtpPacket) {
        let source = *packet.header.ssrc;
        let known = self.sources.iter().find(|(known, _)| *known == source);
        let receiver = match known {
            Some((_, receiver)) => Some(*receiver),
            None => self.find_receiver(&packet),
        };
        let Some(receiver) = receiver.and_then(|place| self.receivers.get(place)) else {
            return;
        };
        if self.received.len() >= MAX_RECEIVED_PACKETS {
            self.received.pop_front();
        }
        self.received.push_back(receiver.packet(packet));
    }

    fn find_receiver(&mut self, packet: &RtpPacket) -> Option<usize> {
        let ssrc = packet.header.ssrc;
        let mut direct = self.rtc.as_mut()?.direct_api();
        let mid = direct.stream_rx(&ssrc).map(|stream| stream.mid());
        let mid = mid.or(packet.header.ext_vals.mid)?;
        let mut receivers = self.receivers.iter();
        let place = receivers.position(|receiver| receiver.mid == mid)?;
        if self.sources.len() >= MAX_SOURCES {
            self.sources.remove(0);
        }
        self.sources.push((*ssrc, place));
        Some(place)
    }

    /// Asks the peer for a key frame of a track (PLI, RFC 4585), which is named by its section.
    pub fn request_key_frame_of(&mut self, mid: &str, now: Instant) {
        let mut receivers = self.receivers.iter();
        let Some(receiver) = receivers.find(|receiver| &*receiver.track.mid == mid) else {
            return;
        };
        let mid = receiver.mid;
        self.with_rtc(now, |rtc| {
            let mut direct = rtc.direct_api();
            if let Some(stream) = direct.stream_rx_by_mid(mid, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
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
        let mids: Vec<_> = receivers.map(|receiver| receiver.mid).collect();
        self.with_rtc(now, |rtc| {
            for mid in mids {
                let mut direct = rtc.direct_api();
                if let Some(stream) = direct.stream_rx_by_mid(mid, None) {
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
        let Some(pending) = &mut self.pending else {
            return false;
        };
        // To read a datagram is as risky as to do what it says.
        let accepts = || pending.transport.accepts(datagram);
        if !catch_unwind(AssertUnwindSafe(accepts)).unwrap_or(false) {
            return false;
        }
        pending.transport.keep(EarlyCheck {
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
        if let Some(pending) = &self.pending {
            let accepts = || pending.transport.accepts(datagram);
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
