//! The budget of a peer for the work that its messages make. Some make work for many: a status goes to every listener, a
//! list is long. Of others very many make work for the server, from many addresses at once.
//!
//! How much a message costs, and whether there is room for it, is decided by others too, so this never closes a
//! connection and never refuses: who makes more work than the budget has room for is read from later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::address_limiter::AddressPermit;
use crate::message_limiter::cost;
use crate::rate::{Rate, TokenBucket};

/// Units of one peer, a second in the long run and at once: with 200 listeners, five changes a second and fifty at once.
/// A unit is a message of up to 4 KiB that is delivered, some 3 us.
const UNITS_PER_SECOND: u32 = 1_000;
const UNIT_BURST: u32 = 10_000;

/// The longest that a peer is not read from, and the longest while all together make too much work.
const MAX_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE_WHEN_BUSY: Duration = Duration::from_secs(5);

/// The budget of one connection.
#[derive(Debug)]
pub(crate) struct WorkBudget {
    start: Instant,
    units: TokenBucket,
    address: Arc<AddressPermit>,
    /// Until when it is not read from, in ns since the start.
    paused_until: AtomicU64,
}

impl WorkBudget {
    pub(crate) fn new(address: Arc<AddressPermit>, now: Instant) -> Self {
        Self {
            start: now,
            units: TokenBucket::default(),
            address,
            paused_until: AtomicU64::new(0),
        }
    }

    /// Charges a message of `bytes` bytes that goes to `peers` peers.
    pub(crate) fn charge(&self, peers: usize, bytes: usize, now: Instant) {
        let units = cost(bytes).saturating_mul(peers as u64);
        let since = now.saturating_duration_since(self.start);
        let rate = Rate::new(UNITS_PER_SECOND, UNIT_BURST);
        let own = self.units.charge(rate, units, since).min(MAX_PAUSE);
        let of_address = self
            .address
            .charge_work(units, now)
            .min(MAX_PAUSE_WHEN_BUSY);
        self.pause(own.max(of_address), now);
    }

    /// Charges a message of `bytes` bytes that came, which counts while all together send too much.
    pub(crate) fn charge_received(&self, bytes: usize, now: Instant) {
        let of_address = self.address.charge_received(cost(bytes), now);
        self.pause(of_address.min(MAX_PAUSE_WHEN_BUSY), now);
    }

    /// Until when the peer is not read from, if that is later than now.
    pub(crate) fn paused_until(&self, now: Instant) -> Option<Instant> {
        let until = match self.paused_until.load(Ordering::Relaxed) {
            0 => return None,
            nanos => self.start + Duration::from_nanos(nanos),
        };
        (until > now).then_some(until)
    }

    fn pause(&self, pause: Duration, now: Instant) {
        if !pause.is_zero() {
            let until = now.saturating_duration_since(self.start) + pause;
            let until = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
            self.paused_until.fetch_max(until, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_limiter::{AddressLimiter, AddressLimits};

    fn budgets(last: u8, addresses: &Arc<AddressLimiter>, now: Instant) -> WorkBudget {
        let permit = addresses.admit([192, 0, 2, last].into(), &AddressLimits::UNLIMITED, now);
        WorkBudget::new(Arc::new(permit.expect("room")), now)
    }

    #[test]
    fn peer_that_changes_its_status_too_often_is_read_later() {
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let budget = budgets(1, &addresses, now);
        for _ in 0..50 {
            budget.charge(200, 100, now);
            assert_eq!(budget.paused_until(now), None);
        }
        budget.charge(200, 100, now);
        let pause = Duration::from_millis(200);
        assert_eq!(budget.paused_until(now), Some(now + pause));
        assert_eq!(budget.paused_until(now + pause), None);
    }

    #[test]
    fn one_change_for_very_many_listeners_costs_a_second_at_most() {
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let budget = budgets(1, &addresses, now);
        budget.charge(1_000_000, 100_000, now);
        assert!(budget.paused_until(now) <= Some(now + MAX_PAUSE_WHEN_BUSY));
        let other = budgets(2, &addresses, now);
        other.charge(200, 100, now);
        assert_eq!(other.paused_until(now), None, "another address has its own");
    }

    #[test]
    fn peers_of_an_address_share_a_budget_once_all_make_much_work() {
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let peers: Vec<_> = (0..100).map(|_| budgets(1, &addresses, now)).collect();
        for peer in &peers {
            // Within the budget of each.
            peer.charge(1_000, 100, now);
        }
        let late = budgets(1, &addresses, now);
        late.charge(1_000, 100, now);
        assert_eq!(late.paused_until(now), None, "there is room for all");
        for peer in &peers {
            peer.charge(3_000, 100, now);
        }
        late.charge(1, 100, now);
        assert!(late.paused_until(now).is_some());
    }

    #[test]
    fn addresses_that_send_too_much_together_read_later_one_that_sends_little_not() {
        const ADDRESSES: u8 = 200;
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let modest = budgets(0, &addresses, now);
        let greedy: Vec<_> = (1..=ADDRESSES)
            .map(|it| budgets(it, &addresses, now))
            .collect();
        let mut taken = 0;
        // Each would send 1,000 messages of five units a second, for ten seconds.
        for ms in 0..10_000 {
            let now = now + Duration::from_millis(ms);
            for it in &greedy {
                if it.paused_until(now).is_none() {
                    it.charge_received(16 * 1024, now);
                    taken += 5;
                }
            }
            if ms % 100 == 0 {
                modest.charge_received(100, now);
                assert_eq!(modest.paused_until(now), None, "after {ms} ms");
            }
        }
        // 100,000 units a second, and what there was at once.
        assert!(taken < 1_700_000, "{taken}");
        assert!(taken > 900_000, "{taken}");
    }
}
