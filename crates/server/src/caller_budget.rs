//! The budget of a peer for the sessions that it starts: its calls, and the answers of those whom it calls.
//!
//! A message that answers a call is not charged to its sender, who did not ask for it, but to the caller. A peer that
//! calls more than its budget has room for is refused; one whose callees answer more than that loses the session.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wigwag_hub::Payer;

use crate::address_limiter::AddressPermit;
use crate::message_limiter::cost;
use crate::rate::{Rate, TokenBucket};

/// Sessions that one peer may start, a second in the long run and at once.
const CALLS_PER_SECOND: u32 = 20;
const CALL_BURST: u32 = 1_000;

/// What answers to an address may be beyond its share while all together send too much, in the time in which that is made
/// up for. Those who answer cannot be read from later for it: others depend on them.
const MAX_MISSING: Duration = Duration::from_secs(5);

/// The budget of one connection.
#[derive(Debug)]
pub(crate) struct CallerBudget {
    start: Instant,
    calls: TokenBucket,
    answers: TokenBucket,
    answer_rate: Rate,
    address: Arc<AddressPermit>,
    address_call_rate: Rate,
}

impl CallerBudget {
    /// A budget for answers at the rate at which the peer may send messages itself.
    pub(crate) fn new(
        address: Arc<AddressPermit>,
        answer_rate: Rate,
        address_call_rate: Rate,
        now: Instant,
    ) -> Self {
        Self {
            start: now,
            calls: TokenBucket::default(),
            answers: TokenBucket::default(),
            answer_rate,
            address,
            address_call_rate,
        }
    }

    /// Who pays for what the caller holds.
    pub(crate) fn payer(&self) -> Payer {
        self.address.payer()
    }

    /// Charges a call. False if there is no room for it.
    pub(crate) fn charge_call(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.start);
        let rate = Rate::new(CALLS_PER_SECOND, CALL_BURST);
        self.calls.take(rate, since).is_ok()
            && self.address.count_call(self.address_call_rate, now).is_ok()
    }

    /// Charges an answer of `bytes` bytes. False if there is no room for it.
    pub(crate) fn charge_answer(&self, bytes: usize, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.start);
        let charged = self.answers.take_many(self.answer_rate, cost(bytes), since);
        let missing = self.address.charge_received(cost(bytes), now);
        charged.is_ok() && missing <= MAX_MISSING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_limiter::{AddressLimiter, AddressLimits};

    #[test]
    fn calls_limited_by_peer_and_by_address() {
        let now = Instant::now();
        let rate = Rate::new(1, 10);
        let limits = AddressLimits {
            max_connections: 10,
            max_connections_in_all: 1_000_000,
            connection_rate: rate,
            message_rate: rate,
            call_rate: Rate::new(1, CALL_BURST + 1),
            max_addresses: 1,
            exempt_loopback: false,
        };
        let addresses = Arc::new(AddressLimiter::new(now));
        let budget = || {
            let here = [192, 0, 2, 1].into();
            let permit = addresses.admit(here, &limits, now).expect("there is room");
            CallerBudget::new(Arc::new(permit), rate, limits.call_rate, now)
        };
        let (first, second) = (budget(), budget());
        for _ in 0..CALL_BURST {
            assert!(first.charge_call(now));
        }
        assert!(!first.charge_call(now), "its own");
        assert!(second.charge_call(now));
        assert!(!second.charge_call(now), "those of the address");
        assert!(first.charge_call(now + Duration::from_secs(1)));
    }

    #[test]
    fn answers_limited_by_their_length() {
        let now = Instant::now();
        let rate = Rate::new(1, 10);
        let limits = AddressLimits {
            max_connections: 1,
            max_connections_in_all: 1_000_000,
            connection_rate: rate,
            message_rate: rate,
            call_rate: rate,
            max_addresses: 1,
            exempt_loopback: false,
        };
        let addresses = Arc::new(AddressLimiter::new(now));
        let permit = addresses.admit([192, 0, 2, 1].into(), &limits, now);
        let permit = Arc::new(permit.expect("there is room"));
        let budget = CallerBudget::new(permit, rate, rate, now);
        assert!(budget.charge_answer(7 * 4096, now), "eight");
        assert!(budget.charge_answer(0, now));
        assert!(!budget.charge_answer(4096, now));
        assert!(budget.charge_answer(0, now));
        assert!(!budget.charge_answer(0, now));
    }

    #[test]
    fn answers_to_an_address_beyond_its_share_too_many_while_all_send_too_much() {
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let at = |last| {
            let permit = addresses.admit([192, 0, 2, last].into(), &AddressLimits::UNLIMITED, now);
            let permit = Arc::new(permit.expect("there is room"));
            CallerBudget::new(permit, Rate::UNLIMITED, Rate::UNLIMITED, now)
        };
        let (caller, other) = (at(1), at(2));
        let long = 4_000 * 1024;
        // As much as all may make at once, 200,000 units.
        for _ in 0..199 {
            assert!(caller.charge_answer(long, now));
        }
        // A share is at most 4,000 units a second: two seconds' worth at once, and five beyond.
        let answers = (0..1_000).take_while(|_| caller.charge_answer(long, now));
        let count = answers.count();
        assert!((25..=32).contains(&count), "{count}");
        assert!(other.charge_answer(long, now), "another has its own");
    }
}
