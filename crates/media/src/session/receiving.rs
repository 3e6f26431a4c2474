//! What comes from the network, and what of it str0m gets to see.
//!
//! Anybody may send in a viewer's name. str0m takes whatever comes from the address that it sends to,
//! so what can be told apart at little cost is told apart before.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Input;
use str0m::net::{Protocol, Receive};

use super::local_transport::EarlyCheck;
use super::path::{FiveTuple, is_stun};
use super::{Session, SessionEvent, State};

/// An address that nobody has: str0m looks at the integrity of a check that comes from there.
const UNSPECIFIED_SOURCE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// An empty receiver report (RFC 3550, 6.4.2): of str0m, only what it says to one is asked.
const EMPTY_REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

impl Session {
    /// Takes a datagram that came from `source` to our address `destination`; true if it was meant for
    /// this session.
    ///
    /// Connectivity checks and their answers are meant for it if they are authentic, wherever they come
    /// from; all else if it comes from an address that was validated by a check of ours. Media is never: we
    /// only send. That will change with the first session that goes both ways.
    pub fn handle_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        if self.state == State::Ended || is_media(datagram) {
            return false;
        }
        let stun = is_stun(datagram);
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
        is_stun(datagram)
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

/// RTP, and not RTCP (RFC 7983, 7, and RFC 5761, 4).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second))
}
