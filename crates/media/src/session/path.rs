//! Where media goes: to where str0m says, or to where the viewer has moved.
//!
//! A viewer's address changes when it goes from one network to another, or when a NAT on the way forgets.
//! It goes on from there with connectivity checks of the same session, and str0m validates the new
//! address, but holds on to the old one for a quarter of a minute, because it was the better candidate. So we
//! decide: media goes after the viewer once its reports come from another address, which str0m has
//! validated by a check of its own, and nothing comes from the old one any more. What str0m says next
//! overrules that.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::Transmit;

use crate::rtp::DatagramKind;

/// A viewer that reports from another address has moved, if nothing came from the old one for this long.
pub const REPORTS_MOVED: Duration = Duration::from_secs(1);

/// A viewer whose checks come from another address has moved, if nothing came from the old one for this long:
/// the answers to our own checks, of which there is one every three seconds, would have.
pub const CHECKS_MOVED: Duration = Duration::from_secs(4);

/// Both five_tuple of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FiveTuple {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

#[derive(Debug)]
pub(super) struct Path {
    /// What str0m says.
    said: Option<FiveTuple>,
    /// Where the viewer has moved since.
    moved: Option<FiveTuple>,
    /// When something came from there.
    heard: Instant,
}

impl Path {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            said: None,
            moved: None,
            heard: now,
        }
    }

    /// Directs what str0m sends. Connectivity checks go where str0m says.
    pub(super) fn direct(&mut self, transmit: &mut Transmit, now: Instant) {
        if DatagramKind::of(&transmit.contents) == DatagramKind::Stun {
            return;
        }
        let said = FiveTuple {
            local: transmit.source,
            remote: transmit.destination,
        };
        if self.said != Some(said) {
            self.said = Some(said);
            self.moved = None;
            self.heard = now;
        }
        if let Some(moved) = self.moved {
            transmit.source = moved.local;
            transmit.destination = moved.remote;
        }
    }

    /// Something of the viewer came; true if it has moved there, should the address be valid.
    pub(super) fn on_received(
        &mut self,
        five_tuple: FiveTuple,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let Some(current) = self.moved.or(self.said) else {
            return false;
        };
        if current.remote == five_tuple.remote {
            self.heard = now;
            return false;
        }
        let patience = if DatagramKind::of(datagram) == DatagramKind::Stun {
            CHECKS_MOVED
        } else {
            REPORTS_MOVED
        };
        now.saturating_duration_since(self.heard) >= patience
    }

    /// The viewer is there now.
    pub(super) fn move_to(&mut self, five_tuple: FiveTuple, now: Instant) {
        self.moved = (self.said != Some(five_tuple)).then_some(five_tuple);
        self.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use str0m::net::Protocol;

    use super::*;

    const CHECK: [u8; 4] = [0, 1, 0, 0];
    const REPORT: [u8; 4] = [0x81, 201, 0, 1];
    const SECOND: Duration = Duration::from_secs(1);

    fn five_tuple(port: u16) -> FiveTuple {
        FiveTuple {
            local: ([192, 0, 2, 1], 5_000).into(),
            remote: ([192, 0, 2, 2], port).into(),
        }
    }

    /// Where a datagram goes that str0m sends to this port.
    fn goes(path: &mut Path, contents: &[u8], port: u16, now: Instant) -> u16 {
        let mut transmit = Transmit {
            proto: Protocol::Udp,
            source: five_tuple(port).local,
            destination: five_tuple(port).remote,
            contents: contents.to_vec().into(),
        };
        path.direct(&mut transmit, now);
        transmit.destination.port()
    }

    #[test]
    fn media_follows_reports_from_elsewhere_once_the_old_address_is_silent() {
        let now = Instant::now();
        let mut path = Path::new(now);
        assert!(!path.on_received(five_tuple(2), &REPORT, now + 9 * SECOND));
        assert_eq!(goes(&mut path, &REPORT, 1, now), 1);
        assert!(!path.on_received(five_tuple(1), &CHECK, now + SECOND));
        assert!(!path.on_received(five_tuple(2), &REPORT, now + SECOND));
        assert!(path.on_received(five_tuple(2), &REPORT, now + 2 * SECOND));
        path.move_to(five_tuple(2), now + 2 * SECOND);
        assert_eq!(goes(&mut path, &REPORT, 1, now), 2);
        assert_eq!(goes(&mut path, &CHECK, 1, now), 1, "checks are as they are");
        // And back.
        assert!(path.on_received(five_tuple(1), &REPORT, now + 4 * SECOND));
        path.move_to(five_tuple(1), now + 4 * SECOND);
        assert_eq!(goes(&mut path, &REPORT, 1, now), 1);
    }

    #[test]
    fn checks_alone_are_followed_later() {
        let now = Instant::now();
        let mut path = Path::new(now);
        goes(&mut path, &REPORT, 1, now);
        assert!(!path.on_received(five_tuple(2), &CHECK, now + CHECKS_MOVED - SECOND));
        assert!(path.on_received(five_tuple(2), &CHECK, now + CHECKS_MOVED));
    }

    #[test]
    fn what_the_library_says_next_overrules() {
        let now = Instant::now();
        let mut path = Path::new(now);
        goes(&mut path, &REPORT, 1, now);
        path.move_to(five_tuple(2), now);
        assert_eq!(goes(&mut path, &REPORT, 3, now), 3);
        assert_eq!(goes(&mut path, &REPORT, 3, now), 3);
    }
}
