//! Where somebody awaits our connectivity checks.
//!
//! A viewer names addresses, and checks are sent to them. Whether anybody there has to do with the viewer is known once one
//! is answered from there, which takes the number that only the check had. A check of the viewer's own shows less, since addresses can
//! be forged: it is worth one of ours.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// Addresses that are remembered; beyond that the one that was named first is forgotten.
const MAX_ADDRESSES: usize = 32;

/// Checks to an address for as many that came from there.
const MAX_OWED: u8 = 4;

#[derive(Debug, Default)]
pub(super) struct Reachability {
    known: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    address: SocketAddr,
    answered: bool,
    owed: u8,
}

impl Reachability {
    /// An authentic check of the viewer came, or the answer to one of ours.
    pub(super) fn on_received(&mut self, source: SocketAddr, datagram: &[u8]) {
        // Requests begin with 0x0001, successes with 0x0101 (RFC 8489, section 5).
        let (is_check, is_answer) = (datagram.starts_with(&[0, 1]), datagram.starts_with(&[1, 1]));
        let place = self.known.iter().position(|known| known.address == source);
        let known = match place.and_then(|place| self.known.get_mut(place)) {
            Some(known) => known,
            None => {
                if self.known.len() >= MAX_ADDRESSES {
                    let unanswered = self.known.iter().position(|known| !known.answered);
                    self.known.remove(unanswered.unwrap_or(0));
                }
                self.known.push_back(Known {
                    address: source,
                    answered: false,
                    owed: 0,
                });
                let Some(known) = self.known.back_mut() else {
                    return;
                };
                known
            }
        };
        known.answered |= is_answer;
        known.owed = (known.owed + u8::from(is_check)).min(MAX_OWED);
    }

    /// Whether a check of ours was answered from there.
    pub(super) fn has_answered(&self, address: SocketAddr) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.address == address && known.answered)
    }

    /// Whether a check to there is awaited; one that is owed counts as sent.
    pub(super) fn takes_check_at(&mut self, destination: SocketAddr) -> bool {
        let mut known = self.known.iter_mut();
        let Some(known) = known.find(|known| known.address == destination) else {
            return false;
        };
        let takes = known.answered || known.owed > 0;
        known.owed = known.owed.saturating_sub(1);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: [u8; 4] = [0, 1, 0, 0];
    const ANSWER: [u8; 4] = [1, 1, 0, 0];

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn address_that_answered_takes_any_number_of_checks() {
        let mut reachability = Reachability::default();
        assert!(!reachability.takes_check_at(address(1)));
        reachability.on_received(address(1), &ANSWER);
        assert!((0..100).all(|_| reachability.takes_check_at(address(1))));
        assert!(!reachability.takes_check_at(address(2)));
    }

    #[test]
    fn address_that_checks_takes_as_many() {
        let mut reachability = Reachability::default();
        let mut checks = |came: u8| {
            (0..came).for_each(|_| reachability.on_received(address(1), &CHECK));
            let sent = (0..100).filter(|_| reachability.takes_check_at(address(1)));
            sent.count()
        };
        assert_eq!([checks(1), checks(0), checks(3)], [1, 0, 3]);
        assert_eq!(checks(100), usize::from(MAX_OWED));
    }

    #[test]
    fn addresses_are_bounded_and_those_that_answered_stay() {
        let mut reachability = Reachability::default();
        reachability.on_received(address(1), &ANSWER);
        for port in 2..1_000 {
            reachability.on_received(address(port), &CHECK);
        }
        assert_eq!(reachability.known.len(), MAX_ADDRESSES);
        assert!(reachability.takes_check_at(address(1)));
    }
}
