//! How often an address may call the same peer: a budget for each of the two together, so that one that calls a camera
//! again and again keeps nobody else from calling it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use wigwag_hub::json::PeerId;
use wigwag_hub::{Network, Payer};

use crate::rate::{Rate, TokenBucket};

/// Sessions that one address may start with the same peer, a second in the long run and at once: an office may come at
/// once, as after a restart.
const CALLS_PER_SECOND: u32 = 10;
const CALL_BURST: u32 = 400;

/// Budgets that are known at once; one more is not charged. One that is full again is forgotten.
const MAX_BUDGETS: usize = 65_536;

/// How often a full map is looked through for room, at most.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// The budgets of all.
#[derive(Debug)]
pub(crate) struct CalleeBudgets {
    start: Instant,
    budgets: HashMap<(PeerId, Network), TokenBucket>,
    swept: Duration,
}

impl CalleeBudgets {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            budgets: HashMap::new(),
            swept: Duration::ZERO,
        }
    }

    /// Charges a call by a payer to a peer. False if there is no room for it.
    pub(crate) fn charge(&mut self, caller: Payer, callee: &PeerId, now: Instant) -> bool {
        let Some((network, _)) = caller.networks().next() else {
            return true;
        };
        let now = now.saturating_duration_since(self.start);
        if self.budgets.len() >= MAX_BUDGETS && now >= self.swept + SWEEP_PAUSE {
            self.forget_full(now);
        }
        let key = (callee.clone(), network);
        if self.budgets.len() >= MAX_BUDGETS && !self.budgets.contains_key(&key) {
            return true;
        }
        let rate = Rate::new(CALLS_PER_SECOND, CALL_BURST);
        self.budgets.entry(key).or_default().take(rate, now).is_ok()
    }

    fn forget_full(&mut self, now: Duration) {
        self.swept = now;
        self.budgets.retain(|_, bucket| !bucket.is_full(now));
        if self.budgets.capacity() / 4 > self.budgets.len() {
            self.budgets.shrink_to(2 * self.budgets.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(last: u8) -> Payer {
        Payer::of(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn address_that_calls_one_peer_too_often_refused_others_not() {
        let now = Instant::now();
        let mut budgets = CalleeBudgets::new(now);
        let (camera, other) = (PeerId::from("camera"), PeerId::from("other"));
        for _ in 0..CALL_BURST {
            assert!(budgets.charge(at(1), &camera, now));
        }
        assert!(!budgets.charge(at(1), &camera, now));
        assert!(budgets.charge(at(1), &other, now));
        assert!(budgets.charge(at(2), &camera, now));
        assert!(budgets.charge(Payer::NOBODY, &camera, now));
        assert!(budgets.charge(at(1), &camera, now + Duration::from_millis(100)));
    }

    #[test]
    fn budgets_beyond_their_limit_not_kept_until_others_are_full_again() {
        let now = Instant::now();
        let mut budgets = CalleeBudgets::new(now);
        for number in 0..MAX_BUDGETS + 10 {
            let callee = PeerId::from(number.to_string());
            assert!(budgets.charge(at(1), &callee, now));
        }
        assert_eq!(budgets.budgets.len(), MAX_BUDGETS);
        let later = now + Duration::from_secs(2);
        budgets.charge(at(1), &PeerId::from("new"), later);
        assert_eq!(budgets.budgets.len(), 1);
    }
}
