//! How often something may happen: token buckets. No I/O; time comes in.
//!
//! A bucket holds so many tokens as may be used at once, and is filled again at a steady rate. It is kept
//! as the moment at which it will be full (the "generic cell rate algorithm" of ATM), so that taking
//! tokens is one comparison, one multiplication and one addition.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest that it takes to fill what was taken beyond what there was.
const MAX_DEBT: Duration = Duration::from_secs(10);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How fast a bucket is filled, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u32,
    nanos_per_token: u64,
    /// From empty to full.
    nanos_to_fill: u64,
}

impl Rate {
    /// A rate without a limit.
    pub(crate) const UNLIMITED: Self = Self {
        per_second: u32::MAX,
        nanos_per_token: 0,
        nanos_to_fill: 0,
    };

    /// A rate of `per_second` tokens, `burst` of which may be taken at once; both are at least 1.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let nanos_per_token = NANOS_PER_SECOND / u64::from(per_second.max(1));
        Self {
            per_second,
            nanos_per_token,
            nanos_to_fill: nanos_per_token * u64::from(burst.max(1)),
        }
    }

    /// The same for `multiple` times as many tokens, a second and at once.
    pub(crate) fn times(self, multiple: u32) -> Self {
        let multiple = multiple.max(1);
        Self {
            per_second: self.per_second.saturating_mul(multiple),
            nanos_per_token: self.nanos_per_token / u64::from(multiple),
            // Filled in the same time, for it is filled faster.
            nanos_to_fill: self.nanos_to_fill,
        }
    }

    /// Tokens a second.
    pub(crate) fn per_second(self) -> u32 {
        self.per_second
    }

    /// The moment at which the bucket is full again once `count` tokens are taken `now`, or how long it takes until
    /// there are as many. There are never more than the bucket holds.
    fn take(self, count: u64, full_at: u64, now: u64) -> Result<u64, Duration> {
        let wanted = self.nanos_per_token.saturating_mul(count);
        let full_at = full_at.max(now).saturating_add(wanted);
        match full_at.checked_sub(now + self.nanos_to_fill) {
            None | Some(0) => Ok(full_at),
            Some(missing) => Err(Duration::from_nanos(missing)),
        }
    }
}

/// A bucket, full at first, that several threads may take from without a lock. Times are since a moment of the
/// owner's choice.
#[derive(Debug, Default)]
pub(crate) struct TokenBucket {
    full_at: AtomicU64,
}

impl TokenBucket {
    /// Takes a token, or reports how long it takes until there is one.
    pub(crate) fn take(&self, rate: Rate, now: Duration) -> Result<(), Duration> {
        self.take_many(rate, 1, now)
    }

    /// Takes `count` tokens, or none and reports how long it takes until there are as many.
    pub(crate) fn take_many(&self, rate: Rate, count: u64, now: Duration) -> Result<(), Duration> {
        let now = nanos(now);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let taken = rate.take(count, full_at, now)?;
            match self.full_at.compare_exchange_weak(
                full_at,
                taken,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(newer) => full_at = newer,
            }
        }
    }

    /// Takes `count` tokens, whether they are there or not, and returns how long it takes until none is missing. No more
    /// is ever missing than is filled in [`MAX_DEBT`].
    pub(crate) fn charge(&self, rate: Rate, count: u64, now: Duration) -> Duration {
        let now = nanos(now);
        let wanted = rate.nanos_per_token.saturating_mul(count);
        let most = now + rate.nanos_to_fill + nanos(MAX_DEBT);
        let taken = |full_at: u64| full_at.max(now).saturating_add(wanted).min(most);
        let charge = |full_at| Some(taken(full_at));
        let before = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, charge);
        let full_at = before.map_or(now, taken);
        Duration::from_nanos(full_at.saturating_sub(now + rate.nanos_to_fill))
    }

    /// Gives back `count` tokens that were taken at this rate.
    pub(crate) fn give_back(&self, rate: Rate, count: u64) {
        let nanos = rate.nanos_per_token.saturating_mul(count);
        let earlier = |full_at: u64| Some(full_at.saturating_sub(nanos));
        let _ = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, earlier);
    }

    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at.load(Ordering::Relaxed) <= nanos(now)
    }
}

/// Good for five centuries.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_many_as_it_holds_at_once_and_then_at_the_rate() {
        let rate = Rate::new(10, 3);
        let bucket = TokenBucket::default();
        let start = Duration::from_secs(1);
        for _ in 0..3 {
            bucket.take(rate, start).expect("there is one");
        }
        let wait = bucket.take(rate, start).expect_err("it is empty");
        assert_eq!(wait, Duration::from_millis(100));
        bucket.take(rate, start + wait).expect("there is one again");
        assert!(bucket.take(rate, start + wait).is_err());
        assert!(!bucket.is_full(start + wait));
        assert!(bucket.is_full(start + wait + 3 * wait));
    }

    #[test]
    fn charge_beyond_what_there_is_has_to_be_filled_first() {
        let rate = Rate::new(10, 5);
        let bucket = TokenBucket::default();
        let start = Duration::from_secs(1);
        assert_eq!(bucket.charge(rate, 5, start), Duration::ZERO);
        assert_eq!(bucket.charge(rate, 2, start), Duration::from_millis(200));
        let later = start + Duration::from_millis(100);
        assert_eq!(bucket.charge(rate, 0, later), Duration::from_millis(100));
        assert_eq!(bucket.charge(rate, 1_000_000, later), MAX_DEBT);
    }

    #[test]
    fn multiple_of_a_rate_holds_as_many_times_more() {
        let rate = Rate::new(10, 3).times(4);
        let bucket = TokenBucket::default();
        let start = Duration::from_secs(1);
        for _ in 0..12 {
            bucket.take(rate, start).expect("there is one");
        }
        let wait = bucket.take(rate, start).expect_err("it is empty");
        assert_eq!((wait, rate.per_second()), (Duration::from_millis(25), 40));
        assert_eq!(Rate::UNLIMITED.times(4), Rate::UNLIMITED);
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let rate = Rate::new(1, 1);
        let bucket = TokenBucket::default();
        bucket.take(rate, Duration::ZERO).expect("there is one");
        for _ in 0..1_000 {
            assert!(bucket.take(rate, Duration::ZERO).is_err());
        }
        let second = Duration::from_secs(1);
        bucket.take(rate, second).expect("there is one again");
    }

    #[test]
    fn several_are_taken_at_once_or_none() {
        let rate = Rate::new(10, 5);
        let bucket = TokenBucket::default();
        let start = Duration::from_secs(1);
        let take = |count, now| bucket.take_many(rate, count, now);
        take(3, start).expect("there are five");
        let wait = take(4, start).expect_err("there are two");
        assert_eq!(wait, Duration::from_millis(200));
        take(2, start).expect("none was taken for nothing");
        take(1, start).expect_err("it is empty");
        take(4, start + Duration::from_millis(400)).expect("there are four again");
        take(6, start + 9 * start).expect_err("it never holds as many");
        take(u64::MAX, start + 9 * start).expect_err("and not as many at all");
        take(5, start + 9 * start).expect("it is full");
    }

    #[test]
    fn tokens_given_back_taken_again() {
        let rate = Rate::new(10, 5);
        let bucket = TokenBucket::default();
        let start = Duration::from_secs(1);
        bucket.take_many(rate, 5, start).expect("it is full");
        bucket.give_back(rate, 2);
        bucket.take_many(rate, 2, start).expect("given back");
        bucket.take(rate, start).expect_err("it is empty");
    }

    #[test]
    fn rates_change_while_it_runs() {
        let bucket = TokenBucket::default();
        let slow = Rate::new(1, 1);
        bucket.take(slow, Duration::ZERO).expect("there is one");
        assert!(bucket.take(slow, Duration::ZERO).is_err());
        let quick = Rate::new(1_000, 2_000);
        bucket.take(quick, Duration::ZERO).expect("more fit in");
    }

    #[test]
    fn threads_share_what_there_is() {
        let bucket = TokenBucket::default();
        let rate = Rate::new(1, 1_000);
        let taken: usize = std::thread::scope(|scope| {
            let takes = || {
                let all = (0..1_000).filter(|_| bucket.take(rate, Duration::ZERO).is_ok());
                all.count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(takes)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(taken, 1_000);
    }

    proptest! {
        /// In any stretch of time no more is taken than the bucket holds and what is filled in meanwhile,
        /// and who keeps to the rate is never refused.
        #[test]
        fn it_never_gives_more_and_never_less(
            per_second in 1_u32..10_000,
            burst in 1_u32..1_000,
            pauses in prop::collection::vec(0_u64..50_000_000, 1..500),
        ) {
            let rate = Rate::new(per_second, burst);
            let (greedy, modest) = (TokenBucket::default(), TokenBucket::default());
            let (mut now, mut modest_now) = (Duration::ZERO, Duration::ZERO);
            let mut taken = 0_u64;
            for pause in pauses {
                now += Duration::from_nanos(pause);
                taken += u64::from(greedy.take(rate, now).is_ok());
                let filled = nanos(now) / rate.nanos_per_token;
                prop_assert!(taken <= u64::from(burst) + filled);
                modest_now += Duration::from_nanos(rate.nanos_per_token + pause);
                prop_assert!(modest.take(rate, modest_now).is_ok());
            }
        }
    }
}
