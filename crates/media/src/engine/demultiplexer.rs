//! Whose datagram it is, by maps and never by a look at all sessions.
//!
//! A connectivity check names the session that it is for (RFC 8445, 7.2.2); all else is known by where it
//! comes from. Where a session sends to is only a guess at where its viewer is: a hostile viewer may name
//! the address of another as its candidate. So a guess never displaces anything, and an address is sure
//! only once an authentic check came from it. Source addresses can be forged, and checks sent again by who
//! overheard them; so an address that is sure stays with its session as long as that is heard from there.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::Username;
use stun_types::message::{BINDING, Message, MessageClass};

/// Addresses that lead to one session; beyond that the oldest is forgotten. A viewer with more
/// candidates than that is found by the checks that it sends.
pub(super) const MAX_ADDRESSES_PER_SESSION: usize = 32;

/// An address from which its session was not heard for this long may become another's. Sessions that live
/// are heard every three seconds; a viewer that was started anew may come from the port that it had.
pub const ADDRESS_KEPT: Duration = Duration::from_secs(5);

/// Maps to the keys of sessions.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    by_ufrag: HashMap<String, usize>,
    by_source: HashMap<SocketAddr, Lead>,
}

/// Where a source leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) session: usize,
    /// Whether an authentic check came from there; else it is a guess.
    pub(super) sure: bool,
    /// When the last one came.
    heard: Instant,
}

/// What leads to a session; kept with it, and given back when it goes.
#[derive(Debug, Default)]
pub(super) struct Leads {
    ufrag: String,
    addresses: VecDeque<SocketAddr>,
    /// Where it sent to last: nearly always where it sends to next.
    last: Option<SocketAddr>,
}

impl Demultiplexer {
    /// Leads checks with this user name fragment to a session.
    pub(super) fn add(&mut self, session: usize, ufrag: String) -> Leads {
        self.by_ufrag.insert(ufrag.clone(), session);
        Leads {
            ufrag,
            addresses: VecDeque::new(),
            last: None,
        }
    }

    /// The session that is named by the user name of a connectivity check, if it is one.
    pub(super) fn checked(&self, datagram: &[u8]) -> Option<usize> {
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

    /// Where a source leads.
    pub(super) fn lead(&self, source: SocketAddr) -> Option<Lead> {
        self.by_source.get(&source).copied()
    }

    /// The session sends to `destination`, and answers will come from there.
    pub(super) fn guess(
        &mut self,
        session: usize,
        leads: &mut Leads,
        destination: SocketAddr,
        now: Instant,
    ) {
        if leads.last == Some(destination) {
            return;
        }
        leads.last = Some(destination);
        if let Entry::Vacant(free) = self.by_source.entry(destination) {
            free.insert(Lead {
                session,
                sure: false,
                heard: now,
            });
            self.note(session, leads, destination);
        }
    }

    /// An authentic check of the session, or an answer to one, came from `source`.
    pub(super) fn learn(
        &mut self,
        session: usize,
        leads: &mut Leads,
        source: SocketAddr,
        now: Instant,
    ) {
        let before = self.by_source.get(&source);
        let is_kept = |lead: &Lead| {
            let silent = now.saturating_duration_since(lead.heard);
            lead.sure && lead.session != session && silent < ADDRESS_KEPT
        };
        if before.is_some_and(is_kept) {
            return;
        }
        let is_new = before.is_none_or(|lead| lead.session != session);
        let lead = Lead {
            session,
            sure: true,
            heard: now,
        };
        self.by_source.insert(source, lead);
        if is_new {
            self.note(session, leads, source);
        }
    }

    /// Forgets a session.
    pub(super) fn remove(&mut self, session: usize, leads: &Leads) {
        if self.by_ufrag.get(&leads.ufrag) == Some(&session) {
            self.by_ufrag.remove(&leads.ufrag);
        }
        for address in &leads.addresses {
            self.forget(session, *address);
        }
    }

    fn note(&mut self, session: usize, leads: &mut Leads, address: SocketAddr) {
        leads.addresses.push_back(address);
        if leads.addresses.len() > MAX_ADDRESSES_PER_SESSION {
            // What is sure is in use; of guesses there may be any number.
            let oldest_guess = leads.addresses.iter().position(|address| {
                let lead = self.by_source.get(address);
                lead.is_none_or(|lead| lead.session != session || !lead.sure)
            });
            if let Some(oldest) = leads.addresses.remove(oldest_guess.unwrap_or(0)) {
                self.forget(session, oldest);
            }
        }
    }

    fn forget(&mut self, session: usize, address: SocketAddr) {
        if self
            .lead(address)
            .is_some_and(|lead| lead.session == session)
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
        let lead = demultiplexer.lead(address(port));
        lead.map(|lead| lead.session)
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
        let leads = demultiplexer.add(7, "ours".to_owned());
        assert_eq!(demultiplexer.checked(&check("ours:theirs")), Some(7));
        for stranger in ["theirs:ours", "ours", ":", "", "our:s"] {
            assert_eq!(demultiplexer.checked(&check(stranger)), None);
        }
        demultiplexer.remove(7, &leads);
        assert_eq!(demultiplexer.checked(&check("ours:theirs")), None);
    }

    #[test]
    fn what_is_no_check_is_nobodys() {
        let mut demultiplexer = Demultiplexer::default();
        demultiplexer.add(7, "ours".to_owned());
        let check = check("ours:theirs");
        for length in 0..check.len() {
            assert_eq!(demultiplexer.checked(&check[..length]), None);
        }
        for first in 0..=255 {
            for length in [1, 2, 20, 100] {
                assert_eq!(demultiplexer.checked(&vec![first; length]), None);
            }
        }
    }

    #[test]
    fn a_guess_never_displaces_and_what_is_sure_does() {
        let now = Instant::now();
        let mut demultiplexer = Demultiplexer::default();
        let mut hostile = demultiplexer.add(1, "hostile".to_owned());
        let mut honest = demultiplexer.add(2, "honest".to_owned());
        demultiplexer.guess(1, &mut hostile, address(9), now);
        demultiplexer.guess(2, &mut honest, address(9), now);
        assert_eq!(from(&demultiplexer, 9), Some(1));
        demultiplexer.learn(2, &mut honest, address(9), now);
        assert_eq!(from(&demultiplexer, 9), Some(2));
        demultiplexer.guess(1, &mut hostile, address(8), now);
        demultiplexer.guess(1, &mut hostile, address(9), now);
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
        let mut leads = demultiplexer.add(1, "hostile".to_owned());
        demultiplexer.learn(1, &mut leads, address(1), now);
        for port in 2..1_000 {
            demultiplexer.guess(1, &mut leads, address(port), now);
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(leads.addresses.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(from(&demultiplexer, 1), Some(1));
        assert_eq!(from(&demultiplexer, 2), None);
        assert_eq!(from(&demultiplexer, 999), Some(1));
        for port in 1_000..2_000 {
            demultiplexer.learn(1, &mut leads, address(port), now);
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        demultiplexer.remove(1, &leads);
        assert!(demultiplexer.by_source.is_empty() && demultiplexer.by_ufrag.is_empty());
    }

    #[test]
    fn an_address_that_is_in_use_stays_with_its_session() {
        let now = Instant::now();
        let mut demultiplexer = Demultiplexer::default();
        let mut honest = demultiplexer.add(1, "honest".to_owned());
        let mut hostile = demultiplexer.add(2, "hostile".to_owned());
        demultiplexer.learn(1, &mut honest, address(9), now);
        demultiplexer.learn(1, &mut honest, address(9), now + ADDRESS_KEPT / 2);
        let later = now + ADDRESS_KEPT;
        demultiplexer.learn(2, &mut hostile, address(9), later);
        assert_eq!(from(&demultiplexer, 9), Some(1));
        let much_later = now + 2 * ADDRESS_KEPT;
        demultiplexer.learn(2, &mut hostile, address(9), much_later);
        assert_eq!(from(&demultiplexer, 9), Some(2), "its viewer is gone");
        demultiplexer.remove(1, &honest);
        demultiplexer.remove(2, &hostile);
        assert!(demultiplexer.by_source.is_empty());
    }
}
