//! Peers whose last session ended before they answered the offer.

use std::collections::VecDeque;

use wigwag_client::PeerId;

/// The most peers that are remembered; the oldest makes way.
const MAX_PEERS: usize = 1_024;

/// Peers that are offered less at their next try: some fail at an offer of which they do not know all.
#[derive(Debug, Default)]
pub(super) struct Unanswered(VecDeque<PeerId>);

impl Unanswered {
    /// Remembers a peer that left an offer unanswered.
    pub(super) fn remember(&mut self, peer: &PeerId) {
        self.take(peer);
        if self.0.len() >= MAX_PEERS {
            self.0.pop_front();
        }
        self.0.push_back(peer.clone());
    }

    /// Whether a peer did so last time. It counts once.
    pub(super) fn take(&mut self, peer: &PeerId) -> bool {
        let place = self.0.iter().position(|known| known == peer);
        place.is_some_and(|place| self.0.remove(place).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> PeerId {
        PeerId::from(number.to_string().as_str())
    }

    #[test]
    fn peer_that_did_not_answer_is_remembered_for_one_try() {
        let mut unanswered = Unanswered::default();
        unanswered.remember(&peer(1));
        unanswered.remember(&peer(1));
        assert!(!unanswered.take(&peer(2)));
        assert!(unanswered.take(&peer(1)));
        assert!(!unanswered.take(&peer(1)));
    }

    #[test]
    fn peers_beyond_the_limit_make_the_oldest_forgotten() {
        let mut unanswered = Unanswered::default();
        (0..=MAX_PEERS).for_each(|number| unanswered.remember(&peer(number)));
        assert!(!unanswered.take(&peer(0)));
        assert!(unanswered.take(&peer(1)) && unanswered.take(&peer(MAX_PEERS)));
    }
}
