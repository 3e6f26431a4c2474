//! What each address has at the moment, and what it may have: connections, new ones, messages.
//!
//! An IPv6 address counts with all of its /64, which one client has to itself (RFC 6177). An address is known as long as
//! it has something: one that has no connection, and has not had one for so long that its buckets are full, is forgotten.
//! The map is looked through when a connection comes or goes and by [`AddressLimiter::forget_idle`], never for a message.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::rate::{Rate, TokenBucket};
use crate::refusal::Refusal;

/// How often a full map is looked through for room, at most: that takes a while.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// Limits of each address, and of how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressLimits {
    /// Connections at once.
    pub(crate) max_connections: usize,
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

/// All addresses.
#[derive(Debug)]
pub(crate) struct AddressLimiter {
    start: Instant,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<IpAddr, Address>,
    /// When all were looked through for the last time.
    swept: Duration,
}

#[derive(Debug, Default)]
struct Address {
    connections: usize,
    arrivals: TokenBucket,
    refusals: TokenBucket,
    /// Of messages, and of calls.
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    messages: TokenBucket,
    calls: TokenBucket,
}

/// A connection of an address, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    limiter: Arc<AddressLimiter>,
    address: IpAddr,
    shared: Arc<Shared>,
}

impl AddressLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            known: Mutex::default(),
        }
    }

    /// Takes a new connection from an address.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &AddressLimits,
        now: Instant,
    ) -> Result<AddressPermit, Refused> {
        let address = counted_as(address);
        let now = now.saturating_duration_since(self.start);
        let mut known = self.lock();
        let is_full = |known: &Known| known.addresses.len() >= limits.max_addresses;
        if is_full(&known) && !known.addresses.contains_key(&address) {
            if now >= known.swept + SWEEP_PAUSE {
                known.forget_idle(now);
            }
            if is_full(&known) {
                return Err(Refused::answered(Refusal::Addresses {
                    limit: limits.max_addresses,
                }));
            }
        }
        let known = known.addresses.entry(address).or_default();
        known.admit(limits, now).map_err(|refusal| Refused {
            answered: known.refusals.take(limits.connection_rate, now).is_ok(),
            refusal,
        })?;
        Ok(AddressPermit {
            limiter: Arc::clone(self),
            address,
            shared: Arc::clone(&known.shared),
        })
    }

    /// Forgets addresses that have nothing any more.
    pub(crate) fn forget_idle(&self, now: Instant) {
        let now = now.saturating_duration_since(self.start);
        self.lock().forget_idle(now);
    }

    /// The number of known addresses.
    pub(crate) fn len(&self) -> usize {
        self.lock().addresses.len()
    }

    /// The number of connections that are counted for any address.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn connections(&self) -> usize {
        let known = self.lock();
        known
            .addresses
            .values()
            .map(|address| address.connections)
            .sum()
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

impl Address {
    fn admit(&mut self, limits: &AddressLimits, now: Duration) -> Result<(), Refusal> {
        if self.connections >= limits.max_connections {
            return Err(Refusal::ConnectionsPerAddress {
                limit: limits.max_connections,
            });
        }
        self.arrivals
            .take(limits.connection_rate, now)
            .map_err(|retry_after| Refusal::ArrivalRate { retry_after })?;
        self.connections += 1;
        Ok(())
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.connections == 0
            && self.arrivals.is_full(now)
            && self.refusals.is_full(now)
            && self.shared.messages.is_full(now)
            && self.shared.calls.is_full(now)
    }
}

impl AddressPermit {
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
        let now = now.saturating_duration_since(self.limiter.start);
        self.shared.messages.take_many(rate, count, now)
    }

    /// Takes back that something worth so many messages was counted.
    pub(crate) fn refund_messages(&self, rate: Rate, count: u64) {
        self.shared.messages.give_back(rate, count);
    }

    /// Counts a call of the address, or reports how long it takes until there may be one.
    pub(crate) fn count_call(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.limiter.start);
        self.shared.calls.take(rate, now)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut known = self.limiter.lock();
        if let Some(known) = known.addresses.get_mut(&self.address) {
            known.connections -= 1;
        }
    }
}

impl Known {
    fn forget_idle(&mut self, now: Duration) {
        self.swept = now;
        let addresses = &mut self.addresses;
        addresses.retain(|_, address| !address.is_idle(now));
        // A map never gives memory back of itself.
        if addresses.capacity() / 4 > addresses.len() {
            addresses.shrink_to(2 * addresses.len());
        }
    }
}

/// The address that stands for all that one client may have.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> AddressLimits {
        AddressLimits {
            max_connections: 3,
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
        let [first, second] =
            [(); 2].map(|()| limiter.admit(address("::9"), &limits(), now).expect("room"));
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
}
