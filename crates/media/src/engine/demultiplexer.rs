//! Routes from datagrams to sessions, by maps and never by a look at all sessions.
//!
//! A connectivity check names its session by its user name (RFC 8445, section 7.2.2); all else is routed by its source
//! address. A session's destination is only a provisional route: a hostile viewer may name the address of another as its
//! candidate. So a provisional route never displaces another, and a route is validated only once an authentic check came
//! from there. Source addresses can be forged, and overheard checks sent a second time; so a validated route stays with
//! its session as long as checks of that come from there.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::Username;
use stun_types::message::{BINDING, Message, MessageClass};

/// The most routes by address to one session; beyond that the oldest is removed. The checks of a viewer with more
/// candidates are routed by user name.
pub(super) const MAX_ADDRESSES_PER_SESSION: usize = 32;

/// A route on which no check of its session came for this long may become another's. Live sessions have one every three
/// seconds; a viewer that was restarted may come from the port that it had.
pub const ADDRESS_KEPT: Duration = Duration::from_secs(5);

/// Maps to the keys of sessions.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    by_ufrag: HashMap<String, usize>,
    by_source: HashMap<SocketAddr, Route>,
}

/// The session of a source address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) session: usize,
    /// Whether an authentic check came from there; else it is provisional.
    pub(super) validated: bool,
    /// When the last one came.
    last_check: Instant,
}

/// The routes to a session; kept with it, and removed when it ends.
#[derive(Debug, Default)]
pub(super) struct Routes {
    ufrag: String,
    addresses: VecDeque<SocketAddr>,
    /// Where it sent to last: nearly always where it sends to next.
    last: Option<SocketAddr>,
}

impl Demultiplexer {
    /// Adds a route by user name fragment.
    pub(super) fn add(&mut self, session: usize, ufrag: String) -> Routes {
        self.by_ufrag.insert(ufrag.clone(), session);
        Routes {
            ufrag,
            addresses: VecDeque::new(),
            last: None,
        }
    }

    /// Changes the route by user name fragment.
    pub(super) fn set_ufrag(&mut self, session: usize, routes: &mut Routes, ufrag: String) {
        if routes.ufrag == ufrag {
            return;
        }
        if self.by_ufrag.get(&routes.ufrag) == Some(&session) {
            self.by_ufrag.remove(&routes.ufrag);
        }
        routes.ufrag.clone_from(&ufrag);
        self.by_ufrag.insert(ufrag, session);
    }

    /// The session that is named by the user name of a connectivity check, if it is one.
    pub(super) fn by_username(&self, datagram: &[u8]) -> Option<usize> {
        // Binding requests alone begin with these bytes (RFC 8489, 5); a datagram of media costs no more.
        if !datagram.starts_with(&[0, 1]) {
            return None;
        }
        let message = Message::from_bytes(datagram).ok()?;
        if !message.has_class(MessageClass::Request) || !message.has_method(BINDING) {
            return None;
        }
        let user = message.attribute::<Username>().ok()?;
        let (ufrag, _) = user.username().split_once(':')?;
        self.by_ufrag.get(ufrag).copied()
    }

    /// The session of a source address.
    pub(super) fn route(&self, source: SocketAddr) -> Option<Route> {
        self.by_source.get(&source).copied()
    }

    /// The session sends to `destination`, and answers will come from there.
    pub(super) fn add_provisional(
        &mut self,
        session: usize,
        routes: &mut Routes,
        destination: SocketAddr,
        now: Instant,
    ) {
        if routes.last == Some(destination) {
            return;
        }
        routes.last = Some(destination);
        if let Entry::Vacant(free) = self.by_source.entry(destination) {
            free.insert(Route {
                session,
                validated: false,
                last_check: now,
            });
            self.note(session, routes, destination);
        }
    }

    /// An authentic check of the session, or an answer to one, came from `source`.
    pub(super) fn confirm(
        &mut self,
        session: usize,
        routes: &mut Routes,
        source: SocketAddr,
        now: Instant,
    ) {
        let before = self.by_source.get(&source);
        let is_kept = |route: &Route| {
            let silent = now.saturating_duration_since(route.last_check);
            route.validated && route.session != session && silent < ADDRESS_KEPT
        };
        if before.is_some_and(is_kept) {
            return;
        }
        let is_new = before.is_none_or(|route| route.session != session);
        let route = Route {
            session,
            validated: true,
            last_check: now,
        };
        self.by_source.insert(source, route);
        if is_new {
            self.note(session, routes, source);
        }
    }

    /// Forgets a session.
    pub(super) fn remove(&mut self, session: usize, routes: &Routes) {
        if self.by_ufrag.get(&routes.ufrag) == Some(&session) {
            self.by_ufrag.remove(&routes.ufrag);
        }
        for address in &routes.addresses {
            self.forget(session, *address);
        }
    }

    fn note(&mut self, session: usize, routes: &mut Routes, address: SocketAddr) {
        routes.addresses.push_back(address);
        if routes.addresses.len() > MAX_ADDRESSES_PER_SESSION {
            // Validated routes are in use; of provisional ones there may be any number.
            let oldest_provisional = routes.addresses.iter().position(|address| {
                let route = self.by_source.get(address);
                route.is_none_or(|route| route.session != session || !route.validated)
            });
            if let Some(oldest) = routes.addresses.remove(oldest_provisional.unwrap_or(0)) {
                self.forget(session, oldest);
            }
        }
    }

    fn forget(&mut self, session: usize, address: SocketAddr) {
        if self
            .route(address)
            .is_some_and(|route| route.session == session)
        {
            self.by_source.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use stun_types::message::MessageWriteVec;
    use stun_types::prelude::*;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn from(demultiplexer: &Demultiplexer, port: u16) -> Option<usize> {
        let route = demultiplexer.route(address(port));
        route.map(|route| route.session)
    }

    fn check(user: &str) -> Vec<u8> {
        let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
        let user = Username::new(user).expect("short enough");
        message.add_attribute(&user).expect("it has room");
        message.finish()
    }

    #[test]
    fn a_check_is_for_the_session_it_names() {
        let mut demultiplexer = Demultiplexer::default();
        let routes = demultiplexer.add(7, "ours".to_owned());
        assert_eq!(demultiplexer.by_username(&check("ours:theirs")), Some(7));
        for username in ["theirs:ours", "ours", ":", "", "our:s"] {
            assert_eq!(demultiplexer.by_username(&check(username)), None);
        }
        demultiplexer.remove(7, &routes);
        assert_eq!(demultiplexer.by_username(&check("ours:theirs")), None);
    }

    #[test]
    fn what_is_no_check_is_nobodys() {
        let mut demultiplexer = Demultiplexer::default();
        demultiplexer.add(7, "ours".to_owned());
        let check = check("ours:theirs");
        for length in 0..check.len() {
            assert_eq!(demultiplexer.by_username(&check[..length]), None);
        }
        for first in 0..=255 {
            for length in [1, 2, 20, 100] {
                assert_eq!(demultiplexer.by_username(&vec![first; length]), None);
            }
        }
    }

    #[test]
    fn provisional_route_never_displaces_and_validated_one_does() {
        let now = Instant::now();
        let mut demultiplexer = Demultiplexer::default();
        let mut hostile = demultiplexer.add(1, "hostile".to_owned());
        let mut honest = demultiplexer.add(2, "honest".to_owned());
        demultiplexer.add_provisional(1, &mut hostile, address(9), now);
        demultiplexer.add_provisional(2, &mut honest, address(9), now);
        assert_eq!(from(&demultiplexer, 9), Some(1));
        demultiplexer.confirm(2, &mut honest, address(9), now);
        assert_eq!(from(&demultiplexer, 9), Some(2));
        demultiplexer.add_provisional(1, &mut hostile, address(8), now);
        demultiplexer.add_provisional(1, &mut hostile, address(9), now);
        assert_eq!(from(&demultiplexer, 9), Some(2));
        demultiplexer.remove(1, &hostile);
        assert_eq!(from(&demultiplexer, 9), Some(2));
        demultiplexer.remove(2, &honest);
        assert_eq!(from(&demultiplexer, 9), None);
        assert!(demultiplexer.by_source.is_empty());
    }

    #[test]
    fn the_addresses_of_a_session_are_bounded_and_the_one_in_use_stays() {
        let now = Instant::now();
        let mut demultiplexer = Demultiplexer::default();
        let mut routes = demultiplexer.add(1, "hostile".to_owned());
        demultiplexer.confirm(1, &mut routes, address(1), now);
        for port in 2..1_000 {
            demultiplexer.add_provisional(1, &mut routes, address(port), now);
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(routes.addresses.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(from(&demultiplexer, 1), Some(1));
        assert_eq!(from(&demultiplexer, 2), None);
        assert_eq!(from(&demultiplexer, 999), Some(1));
        for port in 1_000..2_000 {
            demultiplexer.confirm(1, &mut routes, address(port), now);
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        demultiplexer.remove(1, &routes);
        assert!(demultiplexer.by_source.is_empty() && demultiplexer.by_ufrag.is_empty());
    }

    #[test]
    fn an_address_that_is_in_use_stays_with_its_session() {
        let now = Instant::now();
        let mut demultiplexer = Demultiplexer::default();
        let mut honest = demultiplexer.add(1, "honest".to_owned());
        let mut hostile = demultiplexer.add(2, "hostile".to_owned());
        demultiplexer.confirm(1, &mut honest, address(9), now);
        demultiplexer.confirm(1, &mut honest, address(9), now + ADDRESS_KEPT / 2);
        let later = now + ADDRESS_KEPT;
        demultiplexer.confirm(2, &mut hostile, address(9), later);
        assert_eq!(from(&demultiplexer, 9), Some(1));
        let much_later = now + 2 * ADDRESS_KEPT;
        demultiplexer.confirm(2, &mut hostile, address(9), much_later);
        assert_eq!(from(&demultiplexer, 9), Some(2), "its viewer is gone");
        demultiplexer.remove(1, &honest);
        demultiplexer.remove(2, &hostile);
        assert!(demultiplexer.by_source.is_empty());
    }
}
