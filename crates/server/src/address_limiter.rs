//! What each address has at the moment, and what it may have: connections, new ones, messages, sessions that it starts.
//!
//! An IPv6 address is charged with its /64, which one client has to itself (RFC 6177), and so are the /56 and the /48
//! around it, which may have twice and four times as much. A network is known as long as it has something: one that has
//! no connection, and has not had one for so long that its buckets are full, is forgotten. The map is looked through when
//! a connection comes or goes and by [`AddressLimiter::forget_idle`], never for a message.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wigwag_hub::{Exceeded, Network, Payer, Room, Shares};

use crate::rate::{Rate, TokenBucket};
use crate::refusal::Refusal;

/// How often a full map is looked through for room, at most: that takes a while.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// The connections that an address may have as long as there is room for any: a browser opens six for a page (RFC 9112,
/// section 9.4, leaves the number to it).
const CONNECTIONS_FLOOR: usize = 8;

/// Units of work for others, see [`WorkBudget`](crate::work_budget::WorkBudget), of an address and of all, a second in
/// the long run and at once. All together is a third of a processor.
const ADDRESS_UNITS_PER_SECOND: u32 = 4_000;
const ADDRESS_UNIT_BURST: u32 = 40_000;
const ALL_UNITS_PER_SECOND: u32 = 100_000;
const ALL_UNIT_BURST: u32 = 200_000;

/// Units of what is received, of all, a second in the long run and at once; as much again.
const ALL_RECEIVED_PER_SECOND: u32 = 100_000;
const ALL_RECEIVED_BURST: u32 = 200_000;

/// The part of these that an address has while all send more: as much as any other, within these bounds, and at once
/// what it has in [`SHARE_BURST_SECONDS`].
const MIN_SHARE_PER_SECOND: u32 = 100;
const MAX_SHARE_PER_SECOND: u32 = 4_000;
const SHARE_BURST_SECONDS: u32 = 2;

/// Limits of each address, and of how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressLimits {
    /// Connections at once while there are few others; less as the port fills, see [`Shares`].
    pub(crate) max_connections: usize,
    /// Connections of all addresses at once.
    pub(crate) max_connections_in_all: usize,
    /// New connections.
    pub(crate) connection_rate: Rate,
    /// Messages of all its connections.
    pub(crate) message_rate: Rate,
    /// Sessions that all its connections start.
    pub(crate) call_rate: Rate,
    /// Addresses that are known at once.
    pub(crate) max_addresses: usize,
    /// Whether the loopback interface is free of all this.
    pub(crate) exempt_loopback: bool,
}

#[cfg(test)]
impl AddressLimits {
    /// Only what has no setting limits anything.
    pub(crate) const UNLIMITED: Self = Self {
        max_connections: usize::MAX,
        max_connections_in_all: usize::MAX,
        connection_rate: Rate::UNLIMITED,
        message_rate: Rate::UNLIMITED,
        call_rate: Rate::UNLIMITED,
        max_addresses: usize::MAX,
        exempt_loopback: false,
    };
}

/// All addresses.
#[derive(Debug)]
pub(crate) struct AddressLimiter {
    start: Instant,
    known: Mutex<Known>,
    /// Of `known`, read without the lock.
    known_addresses: AtomicUsize,
    /// Work that all addresses make for others.
    work: TokenBucket,
    /// What is received of all addresses.
    received: TokenBucket,
}

#[derive(Debug, Default)]
struct Known {
    connections: Shares,
    buckets: HashMap<Network, Buckets>,
    /// When all were looked through for the last time.
    swept: Duration,
}

/// The buckets of a network.
#[derive(Debug, Default)]
struct Buckets {
    arrivals: TokenBucket,
    refusals: TokenBucket,
    shared: Arc<Shared>,
}

/// Those of messages, of calls, of work for others, and of what is received while all together send too much.
#[derive(Debug, Default)]
struct Shared {
    messages: TokenBucket,
    calls: TokenBucket,
    work: TokenBucket,
    received: TokenBucket,
}

/// A connection of an address, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    limiter: Arc<AddressLimiter>,
    payer: Payer,
    /// Of the networks that pay for it, the smallest first, and how many times as much as an address each may have.
    shared: Box<[(Arc<Shared>, u32)]>,
}

impl AddressLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            known: Mutex::default(),
            known_addresses: AtomicUsize::new(0),
            work: TokenBucket::default(),
            received: TokenBucket::default(),
        }
    }

    /// Takes a new connection from an address.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &AddressLimits,
        now: Instant,
    ) -> Result<AddressPermit, Refused> {
        let payer = Payer::of(address);
        let now = now.saturating_duration_since(self.start);
        let mut known = self.lock();
        let admitted = known.admit(payer, limits, now);
        self.count_known(&known);
        admitted?;
        let shared = payer.networks().filter_map(|(network, multiple)| {
            let buckets = known.buckets.get(&network)?;
            Some((Arc::clone(&buckets.shared), multiple))
        });
        Ok(AddressPermit {
            limiter: Arc::clone(self),
            payer,
            shared: shared.collect(),
        })
    }

    /// Forgets addresses that have nothing any more.
    pub(crate) fn forget_idle(&self, now: Instant) {
        let now = now.saturating_duration_since(self.start);
        let mut known = self.lock();
        known.forget_idle(now);
        self.count_known(&known);
    }

    /// The number of known addresses, an IPv6 address with the networks around it.
    pub(crate) fn len(&self) -> usize {
        self.lock().buckets.len()
    }

    /// The number of connections that are counted for any address.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn connections(&self) -> usize {
        self.lock().connections.in_all()
    }

    fn count_known(&self, known: &Known) {
        let addresses = known.buckets.len();
        self.known_addresses.store(addresses, Ordering::Relaxed);
    }

    /// The rate at which an address is read from while all send too much.
    fn share(&self) -> Rate {
        let addresses = self.known_addresses.load(Ordering::Relaxed).max(1);
        let addresses = u32::try_from(addresses).unwrap_or(u32::MAX);
        let per_second =
            (ALL_RECEIVED_PER_SECOND / addresses).clamp(MIN_SHARE_PER_SECOND, MAX_SHARE_PER_SECOND);
        Rate::new(per_second, SHARE_BURST_SECONDS * per_second)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a connection is refused, and whether it is worth an answer: an address that keeps coming gets none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) answered: bool,
}

impl Refused {
    fn answered(refusal: Refusal) -> Self {
        Self {
            refusal,
            answered: true,
        }
    }
}

impl Known {
    fn lacks_room(&self, payer: Payer, limits: &AddressLimits) -> bool {
        let is_new = |network: &Network| !self.buckets.contains_key(network);
        let new = payer
            .networks()
            .filter(|(network, _)| is_new(network))
            .count();
        new > 0 && self.buckets.len() + new > limits.max_addresses
    }

    fn admit(
        &mut self,
        payer: Payer,
        limits: &AddressLimits,
        now: Duration,
    ) -> Result<(), Refused> {
        if self.lacks_room(payer, limits) && now >= self.swept + SWEEP_PAUSE {
            self.forget_idle(now);
        }
        if self.lacks_room(payer, limits) {
            return Err(Refused::answered(Refusal::Addresses {
                limit: limits.max_addresses,
            }));
        }
        let refusal = match self.has_connections_left(payer, limits) {
            Ok(()) => match self.take_arrival(payer, limits.connection_rate, now) {
                Ok(()) => {
                    self.connections.add(payer, 1);
                    return Ok(());
                }
                Err(retry_after) => Refusal::ArrivalRate { retry_after },
            },
            Err(limit) => Refusal::ConnectionsPerAddress { limit },
        };
        let network = payer.networks().next();
        let answered = network.is_none_or(|(network, _)| {
            let buckets = self.buckets.entry(network).or_default();
            buckets.refusals.take(limits.connection_rate, now).is_ok()
        });
        Err(Refused { refusal, answered })
    }

    /// The limit that one more connection would exceed.
    fn has_connections_left(&self, payer: Payer, limits: &AddressLimits) -> Result<(), usize> {
        let room = Room {
            limit: limits.max_connections_in_all,
            per_address: limits.max_connections,
            floor: CONNECTIONS_FLOOR,
        };
        match self.connections.exceeded(payer, 1, room) {
            // Of those in all, the port itself has a limit, which lets others wait.
            None | Some(Exceeded::Table) => Ok(()),
            Some(Exceeded::Share(limit)) => Err(limit),
        }
    }

    fn take_arrival(&mut self, payer: Payer, rate: Rate, now: Duration) -> Result<(), Duration> {
        let mut taken = Vec::new();
        for (network, multiple) in payer.networks() {
            let rate = rate.times(multiple);
            let arrivals = &self.buckets.entry(network).or_default().arrivals;
            if let Err(retry_after) = arrivals.take(rate, now) {
                for (network, rate) in taken {
                    self.buckets
                        .entry(network)
                        .or_default()
                        .arrivals
                        .give_back(rate, 1);
                }
                return Err(retry_after);
            }
            taken.push((network, rate));
        }
        Ok(())
    }

    fn forget_idle(&mut self, now: Duration) {
        self.swept = now;
        let connections = &self.connections;
        self.buckets
            .retain(|network, buckets| connections.held(network) > 0 || !buckets.are_full(now));
        // A map never gives memory back of itself.
        if self.buckets.capacity() / 4 > self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
    }
}

impl Buckets {
    fn are_full(&self, now: Duration) -> bool {
        self.arrivals.is_full(now)
            && self.refusals.is_full(now)
            && self.shared.messages.is_full(now)
            && self.shared.calls.is_full(now)
            && self.shared.work.is_full(now)
            && self.shared.received.is_full(now)
    }
}

impl AddressPermit {
    /// Who pays for what its connection holds.
    pub(crate) fn payer(&self) -> Payer {
        self.payer
    }

    /// Counts a message of the address, or reports how long it takes until there may be one.
    pub(crate) fn count_message(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.count_messages(rate, 1, now)
    }

    /// Counts something of the address that is worth `count` messages, or reports how long it takes until there may be
    /// as many.
    pub(crate) fn count_messages(
        &self,
        rate: Rate,
        count: u64,
        now: Instant,
    ) -> Result<(), Duration> {
        self.take(|shared| &shared.messages, rate, count, now)
    }

    /// Takes back that something worth so many messages was counted.
    pub(crate) fn refund_messages(&self, rate: Rate, count: u64) {
        for (shared, multiple) in &self.shared {
            shared.messages.give_back(rate.times(*multiple), count);
        }
    }

    /// Counts a call of the address, or reports how long it takes until there may be one.
    pub(crate) fn count_call(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.take(|shared| &shared.calls, rate, 1, now)
    }

    /// Charges units of work for others, and returns how long it takes until the address has made up for it: nothing
    /// as long as there is room for the work of all.
    pub(crate) fn charge_work(&self, units: u64, now: Instant) -> Duration {
        let now = now.saturating_duration_since(self.limiter.start);
        let all = Rate::new(ALL_UNITS_PER_SECOND, ALL_UNIT_BURST);
        let missing = self.limiter.work.charge(all, units, now);
        let rate = Rate::new(ADDRESS_UNITS_PER_SECOND, ADDRESS_UNIT_BURST);
        let of_address = self.charge(|shared| &shared.work, rate, units, now);
        match missing.is_zero() {
            true => Duration::ZERO,
            false => of_address,
        }
    }

    /// Charges units of what is received, and returns how long it takes until the address has made up for it: nothing
    /// as long as there is room for what all send.
    pub(crate) fn charge_received(&self, units: u64, now: Instant) -> Duration {
        let now = now.saturating_duration_since(self.limiter.start);
        let all = Rate::new(ALL_RECEIVED_PER_SECOND, ALL_RECEIVED_BURST);
        if self.limiter.received.charge(all, units, now).is_zero() {
            return Duration::ZERO;
        }
        let share = self.limiter.share();
        self.charge(|shared| &shared.received, share, units, now)
    }

    /// Charges the networks of the address, and returns the longest time that it takes until one has made up for it.
    fn charge(
        &self,
        bucket: impl Fn(&Shared) -> &TokenBucket,
        rate: Rate,
        units: u64,
        now: Duration,
    ) -> Duration {
        let charged = self
            .shared
            .iter()
            .map(|(shared, multiple)| bucket(shared).charge(rate.times(*multiple), units, now));
        charged.max().unwrap_or_default()
    }

    fn take(
        &self,
        bucket: impl Fn(&Shared) -> &TokenBucket,
        rate: Rate,
        count: u64,
        now: Instant,
    ) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.limiter.start);
        for (level, (shared, multiple)) in self.shared.iter().enumerate() {
            let taken = bucket(shared).take_many(rate.times(*multiple), count, now);
            if let Err(missing) = taken {
                for (shared, multiple) in self.shared.iter().take(level) {
                    bucket(shared).give_back(rate.times(*multiple), count);
                }
                return Err(missing);
            }
        }
        Ok(())
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        self.limiter.lock().connections.remove(self.payer, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> AddressLimits {
        AddressLimits {
            max_connections: 3,
            max_connections_in_all: 1_000_000,
            connection_rate: Rate::new(10, 5),
            message_rate: Rate::new(10, 4),
            call_rate: Rate::new(10, 4),
            max_addresses: 4,
            exempt_loopback: false,
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn address_over_its_connections_refused_others_admitted() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let here = address("192.0.2.1");
        let mut held: Vec<_> = (0..3)
            .map(|_| limiter.admit(here, &limits(), now).expect("there is room"))
            .collect();
        let refused = limiter
            .admit(here, &limits(), now)
            .expect_err("one too many");
        let refusal = Refusal::ConnectionsPerAddress { limit: 3 };
        assert_eq!(refused, Refused::answered(refusal));
        let there = limiter.admit(address("192.0.2.2"), &limits(), now);
        there.expect("it has its own");
        held.pop();
        let again = limiter.admit(here, &limits(), now);
        again.expect("there is room again");
    }

    /// How many messages an address may send now.
    fn messages(permit: &AddressPermit, now: Instant) -> usize {
        let rate = limits().message_rate;
        let counted = (0..100).take_while(|_| permit.count_message(rate, now).is_ok());
        counted.count()
    }

    #[test]
    fn messages_that_are_refunded_may_be_sent_again() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let permit = limiter.admit(address("192.0.2.1"), &limits(), now);
        let permit = permit.expect("there is room");
        let all = messages(&permit, now);
        assert_eq!((all > 2, messages(&permit, now)), (true, 0));
        permit.refund_messages(limits().message_rate, 2);
        assert_eq!(messages(&permit, now), 2);
    }

    #[test]
    fn address_that_has_used_up_one_of_its_rates_is_not_forgotten_before_all_are_full() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let here = address("192.0.2.1");
        let permit = limiter.admit(here, &limits(), now);
        let permit = permit.expect("there is room");
        // Its connections are as good as new by then, and its messages are not.
        let later = now + SECOND;
        while permit.count_message(limits().message_rate, later).is_ok() {}
        drop(permit);
        limiter.forget_idle(later);
        let again = limiter.admit(here, &limits(), later);
        assert_eq!(messages(&again.expect("there is room"), later), 0);
        limiter.forget_idle(later + 60 * SECOND);
        assert_eq!(limiter.len(), 0);
    }

    #[test]
    fn ipv6_addresses_of_one_64_count_together() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let of = |text| limiter.admit(address(text), &limits(), now);
        let _held = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:8000::1"]
            .map(|text| of(text).expect("there is room"));
        assert!(of("2001:db8::2").is_err());
        assert!(of("2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn ipv4_mapped_address_counts_as_ipv4() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let of = |text| limiter.admit(address(text), &limits(), now);
        let _held = ["192.0.2.1", "::ffff:192.0.2.1"].map(|text| of(text).expect("there is room"));
        assert_eq!(limiter.len(), 1);
    }

    #[test]
    fn rate_limited_address_answered_then_ignored() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let here = address("192.0.2.1");
        for _ in 0..5 {
            drop(
                limiter
                    .admit(here, &limits(), now)
                    .expect("within the burst"),
            );
        }
        let retry_after = SECOND / 10;
        for answered in [true, true, true, true, true, false, false] {
            let refused = limiter.admit(here, &limits(), now).expect_err("too many");
            let refusal = Refusal::ArrivalRate { retry_after };
            assert_eq!(refused, Refused { refusal, answered });
        }
        let later = limiter.admit(here, &limits(), now + retry_after);
        later.expect("it has waited");
    }

    #[test]
    fn addresses_over_their_limit_refused_until_idle_ones_are_forgotten() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let of = |last: u8, now| limiter.admit([192, 0, 2, last].into(), &limits(), now);
        let stays = of(0, now).expect("there is room");
        for last in 1..4 {
            drop(of(last, now).expect("there is room"));
        }
        let refused = of(9, now).expect_err("all are fresh in mind");
        assert_eq!(refused.refusal, Refusal::Addresses { limit: 4 });
        // Once their buckets are full there is nothing to remember.
        let mut held = vec![stays];
        for last in 10..13 {
            held.push(of(last, now + SECOND).expect("there is room"));
        }
        assert_eq!(limiter.len(), 4);
        drop(held);
        limiter.forget_idle(now + 3 * SECOND);
        assert_eq!(limiter.len(), 0);
    }

    #[test]
    fn messages_of_one_address_counted_across_connections() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let [first, second] = [(); 2].map(|()| {
            limiter
                .admit(address("192.0.2.9"), &limits(), now)
                .expect("room")
        });
        let rate = limits().message_rate;
        for admission in [&first, &second, &first, &second] {
            admission
                .count_message(rate, now)
                .expect("within the burst");
        }
        assert_eq!(second.count_message(rate, now), Err(SECOND / 10));
        // It is remembered when they are gone: coming again makes no difference.
        drop((first, second));
        limiter.forget_idle(now);
        assert_eq!(limiter.len(), 1);
    }

    #[test]
    fn networks_of_ipv6_limited_together() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let limits = AddressLimits {
            connection_rate: Rate::new(10, 100),
            max_addresses: 1_000,
            ..limits()
        };
        let admit = |subnet: usize| {
            let text = format!("2001:db8:0:{subnet:x}::1");
            limiter.admit(address(&text), &limits, now)
        };
        // Three of a /64, six of a /56, twelve of a /48.
        let mut held: Vec<_> = (0..6).filter_map(|subnet| admit(subnet).ok()).collect();
        assert_eq!(held.len(), 6);
        let refusal = admit(6).expect_err("the /56 has its own").refusal;
        assert_eq!(refusal, Refusal::ConnectionsPerAddress { limit: 6 });
        held.extend((0..20).filter_map(|subnet| admit(0x100 * (subnet + 1)).ok()));
        assert_eq!(held.len(), 12);
        let other = limiter.admit(address("2001:db8:1::1"), &limits, now);
        other.expect("another customer has its own");
        let rate = Rate::new(1, 1);
        let counted = held
            .iter()
            .filter(|permit| permit.count_call(rate, now).is_ok());
        assert_eq!(
            counted.count(),
            4,
            "one for each /64, up to four for the /48"
        );
    }

    #[test]
    fn share_of_an_address_shrinks_as_others_take_theirs() {
        let now = Instant::now();
        let limiter = Arc::new(AddressLimiter::new(now));
        let limits = AddressLimits {
            max_connections: 100,
            max_connections_in_all: 1_000,
            connection_rate: Rate::UNLIMITED,
            max_addresses: 1_000,
            ..limits()
        };
        let take_all = |last: u8| {
            let admit = || limiter.admit([192, 0, 2, last].into(), &limits, now).ok();
            std::iter::from_fn(admit).collect::<Vec<_>>()
        };
        let first = take_all(1);
        assert!((80..100).contains(&first.len()), "{}", first.len());
        let others: Vec<_> = (2..52).map(take_all).collect();
        assert!(others.iter().all(|held| held.len() >= CONNECTIONS_FLOOR));
        assert!(
            take_all(52).len() >= CONNECTIONS_FLOOR,
            "there is room for who comes next"
        );
    }
}
