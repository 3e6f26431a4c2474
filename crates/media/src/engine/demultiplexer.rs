//! Whose datagram it is, by maps and never by a look at all sessions.
//!
//! A connectivity check names the session that it is for (RFC 8445, 7.2.2); all else is known by where it
//! comes from. Where a session sends to is only a guess at where its viewer is: a hostile viewer may name
//! the address of another as its candidate. So a guess never displaces anything, and an address is sure
//! only once an authenticated check came from it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use stun_types::attribute::Username;
use stun_types::message::{BINDING, Message, MessageClass};

/// Addresses that lead to one session; beyond that the oldest is forgotten. A viewer with more
/// candidates than that is found by the checks that it sends.
pub(super) const MAX_ADDRESSES_PER_SESSION: usize = 32;

/// Maps to the keys of sessions.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    by_ufrag: HashMap<String, usize>,
    by_source: HashMap<SocketAddr, Lead>,
}

#[derive(Clone, Copy, Debug)]
struct Lead {
    session: usize,
    sure: bool,
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

    /// The session to which a source leads.
    pub(super) fn from(&self, source: SocketAddr) -> Option<usize> {
        self.by_source.get(&source).map(|lead| lead.session)
    }

    /// The session sends to `destination`, and answers will come from there.
    pub(super) fn guess(&mut self, session: usize, leads: &mut Leads, destination: SocketAddr) {
        if leads.last == Some(destination) {
            return;
        }
        leads.last = Some(destination);
        if let Entry::Vacant(free) = self.by_source.entry(destination) {
            let sure = false;
            free.insert(Lead { session, sure });
            self.note(session, leads, destination);
        }
    }

    /// An authenticated check for the session came from `source`.
    pub(super) fn learn(&mut self, session: usize, leads: &mut Leads, source: SocketAddr) {
        let sure = true;
        let before = self.by_source.insert(source, Lead { session, sure });
        if before.is_none_or(|before| before.session != session) {
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
        if self.from(address) == Some(session) {
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
        let mut demultiplexer = Demultiplexer::default();
        let mut hostile = demultiplexer.add(1, "hostile".to_owned());
        let mut honest = demultiplexer.add(2, "honest".to_owned());
        demultiplexer.guess(1, &mut hostile, address(9));
        demultiplexer.guess(2, &mut honest, address(9));
        assert_eq!(demultiplexer.from(address(9)), Some(1));
        demultiplexer.learn(2, &mut honest, address(9));
        assert_eq!(demultiplexer.from(address(9)), Some(2));
        demultiplexer.guess(1, &mut hostile, address(8));
        demultiplexer.guess(1, &mut hostile, address(9));
        assert_eq!(demultiplexer.from(address(9)), Some(2));
        demultiplexer.remove(1, &hostile);
        assert_eq!(demultiplexer.from(address(9)), Some(2));
        demultiplexer.remove(2, &honest);
        assert_eq!(demultiplexer.from(address(9)), None);
        assert!(demultiplexer.by_source.is_empty());
    }

    #[test]
    fn the_addresses_of_a_session_are_bounded_and_the_one_in_use_stays() {
        let mut demultiplexer = Demultiplexer::default();
        let mut leads = demultiplexer.add(1, "hostile".to_owned());
        demultiplexer.learn(1, &mut leads, address(1));
        for port in 2..1_000 {
            demultiplexer.guess(1, &mut leads, address(port));
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(leads.addresses.len(), MAX_ADDRESSES_PER_SESSION);
        assert_eq!(demultiplexer.from(address(1)), Some(1));
        assert_eq!(demultiplexer.from(address(2)), None);
        assert_eq!(demultiplexer.from(address(999)), Some(1));
        for port in 1_000..2_000 {
            demultiplexer.learn(1, &mut leads, address(port));
        }
        assert_eq!(demultiplexer.by_source.len(), MAX_ADDRESSES_PER_SESSION);
        demultiplexer.remove(1, &leads);
        assert!(demultiplexer.by_source.is_empty() && demultiplexer.by_ufrag.is_empty());
    }
}
