//! How much work what comes from the network may make.
//!
//! A shard serves many viewers on one thread. What a viewer may make it do in a second is limited, and so is
//! what unknown sources may; the rest is thrown away before str0m sees it, which costs no more than a
//! look into a map.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The work that a viewer may make in a second, in units of a small report.
///
/// A viewer with congestion control sends 20 to 50 reports a second, and as many requests for packets again
/// while it loses some; while it connects, both sides check 20 pairs of candidates a second at most (RFC
/// 8445, 14.2), which is 160 units. Media is counted by itself: see [`RECEIVED_PACKETS_PER_SECOND`].
pub const VIEWER_WORK_PER_SECOND: u32 = 600;

/// The work that a viewer may make at once.
pub const VIEWER_WORK_AT_ONCE: u32 = 1_200;

/// The packets of media in a second that are taken of a peer that we receive from: 40 Mbit/s of full packets.
pub const RECEIVED_PACKETS_PER_SECOND: u32 = 5_000;

/// The same at once.
pub const RECEIVED_PACKETS_AT_ONCE: u32 = 5_000;

/// The new addresses that a viewer may come from at once: str0m keeps each. A viewer that goes from
/// one network to another has one more.
pub const VIEWER_ADDRESSES_AT_ONCE: u32 = 16;

/// A viewer may come from one more address after this.
pub const VIEWER_ADDRESS_INTERVAL: Duration = Duration::from_secs(10);

/// The connectivity checks in a second that are looked at by a shard although they come from an address
/// that is no viewer's. A viewer that comes from an address which it did not announce needs one or two.
pub const UNKNOWN_SOURCES_CHECKS_PER_SECOND: u32 = 2_000;

/// The same at once.
pub const UNKNOWN_SOURCES_CHECKS_AT_ONCE: u32 = 4_000;

/// The same in a second from one IPv4 address, or one network of IPv6 of the size that hosts are given.
pub const UNKNOWN_SOURCE_CHECKS_PER_SECOND: u32 = 500;

/// The same at once.
pub const UNKNOWN_SOURCE_CHECKS_AT_ONCE: u32 = 1_000;

/// The connectivity checks at once to addresses of a viewer from which nothing came yet. A viewer says which
/// addresses it has; one of three pairs of candidates that is checked twice needs six.
pub const VIEWER_CHECKS_AT_ONCE: u32 = 16;

/// One more such check after this. Until a session that is not connected ends, there are some twenty, which is less than twice the
/// bytes that it takes to call and to name as many addresses.
pub const VIEWER_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The first such checks of a viewer, which do not count against those of all: it connects though others use these up.
pub const VIEWER_CHECKS_RESERVED: u32 = 8;

/// Such checks in a second, of all viewers of an engine together.
pub const CHECKS_PER_SECOND: u32 = 400;

/// The same at once.
pub const CHECKS_AT_ONCE: u32 = 800;

/// Buckets for unknown sources; those that share one share what it may do.
const UNKNOWN_SOURCE_BUCKETS: usize = 1_024;

/// What DTLS records and connectivity checks cost: handshakes and hashes, and an answer to each.
const STUN_COST: u32 = 4;

/// Reports cost by their size: each lists packets.
const REPORT_BYTES: usize = 256;

/// So much in a time, and so much at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    unit: Duration,
    at_once: Duration,
}

impl Limit {
    /// What a viewer may do.
    pub(super) const VIEWER: Self = Self::per_second(VIEWER_WORK_PER_SECOND, VIEWER_WORK_AT_ONCE);

    /// What a peer may send of media.
    pub(super) const MEDIA: Self =
        Self::per_second(RECEIVED_PACKETS_PER_SECOND, RECEIVED_PACKETS_AT_ONCE);

    /// How often a viewer may come from elsewhere.
    pub(super) const ADDRESSES: Self = Self::new(VIEWER_ADDRESS_INTERVAL, VIEWER_ADDRESSES_AT_ONCE);

    /// Checks of one viewer.
    pub(super) const VIEWER_CHECKS: Self = Self::new(VIEWER_CHECK_INTERVAL, VIEWER_CHECKS_AT_ONCE);

    /// Checks of all viewers of a shard, one of so many.
    pub(super) fn checks(shards: u32) -> Self {
        let shards = shards.max(1);
        Self::per_second(
            (CHECKS_PER_SECOND / shards).max(1),
            (CHECKS_AT_ONCE / shards).max(1),
        )
    }

    const UNKNOWN_SOURCE: Self = Self::per_second(
        UNKNOWN_SOURCE_CHECKS_PER_SECOND,
        UNKNOWN_SOURCE_CHECKS_AT_ONCE,
    );
    const UNKNOWN_SOURCES: Self = Self::per_second(
        UNKNOWN_SOURCES_CHECKS_PER_SECOND,
        UNKNOWN_SOURCES_CHECKS_AT_ONCE,
    );

    const fn per_second(units: u32, at_once: u32) -> Self {
        Self::new(Duration::from_nanos(1_000_000_000 / units as u64), at_once)
    }

    /// One unit in this time.
    pub(super) const fn new(unit: Duration, at_once: u32) -> Self {
        let at_once = unit.saturating_mul(at_once);
        Self { unit, at_once }
    }
}

/// What is left of a limit: a bucket of tokens, kept as the time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    full_at: Option<Instant>,
}

impl Budget {
    /// Takes so many units, if they are there.
    pub(super) fn take(&mut self, units: u32, limit: Limit, now: Instant) -> bool {
        let begin = self.full_at.map_or(now, |full| full.max(now));
        let full_at = begin + limit.unit * units;
        let is_there = full_at - now <= limit.at_once;
        if is_there {
            self.full_at = Some(full_at);
        }
        is_there
    }
}

/// What those who belong to no session may do.
#[derive(Debug)]
pub(super) struct UnknownSourceLimiter {
    all: Budget,
    places: Box<[Budget; UNKNOWN_SOURCE_BUCKETS]>,
    /// Of its own, so that nobody can choose whose place to share.
    hasher: RandomState,
}

impl Default for UnknownSourceLimiter {
    fn default() -> Self {
        Self {
            all: Budget::default(),
            places: Box::new([Budget::default(); UNKNOWN_SOURCE_BUCKETS]),
            hasher: RandomState::new(),
        }
    }
}

impl UnknownSourceLimiter {
    /// Takes one check from this address, if it may be looked at.
    pub(super) fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        let network = match source {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            // The first half is the network's (RFC 4291, 2.5.4).
            IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
        };
        let place = self.hasher.hash_one(network) as usize % UNKNOWN_SOURCE_BUCKETS;
        self.places[place].take(1, Limit::UNKNOWN_SOURCE, now)
            && self.all.take(1, Limit::UNKNOWN_SOURCES, now)
    }
}

/// What it costs to take a datagram in.
pub(super) fn cost(datagram: &[u8]) -> u32 {
    match datagram {
        // STUN and DTLS (RFC 7983, 7).
        [0..=3 | 20..=63, ..] => STUN_COST,
        _ => 1 + (datagram.len() / REPORT_BYTES) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const REPORT: [u8; 100] = [0x80; 100];
    const CHECK: [u8; 100] = [0; 100];

    /// How many of a stream of so many datagrams a second, for ten seconds, are within the budget.
    fn within(per_second: u32, datagram: &[u8]) -> u32 {
        let now = Instant::now();
        let mut budget = Budget::default();
        (0..10 * per_second)
            .map(|number| now + SECOND * number / per_second)
            .map(|at| u32::from(budget.take(cost(datagram), Limit::VIEWER, at)))
            .sum()
    }

    #[test]
    fn what_viewers_send_at_their_busiest_is_within_the_budget() {
        assert_eq!(within(100, &REPORT), 1_000, "reports and requests");
        assert_eq!(within(40, &CHECK), 400, "while connecting");
        let mut budget = Budget::default();
        let at_once = (0..200).all(|_| budget.take(cost(&CHECK), Limit::VIEWER, Instant::now()));
        assert!(at_once, "what waited in the network may come at once");
    }

    #[test]
    fn a_flood_is_cut_to_the_budget() {
        let most = VIEWER_WORK_AT_ONCE + 10 * VIEWER_WORK_PER_SECOND;
        for per_second in [1_000, 100_000] {
            let passed = within(per_second, &REPORT);
            assert!((most - 1_000..=most).contains(&passed), "{passed}");
            assert!(within(per_second, &CHECK) <= most / STUN_COST);
            assert!(within(per_second, &[0x80; 1_200]) <= most / 5);
        }
    }

    #[test]
    fn media_within_its_limit_passes_and_a_flood_is_cut_to_it() {
        let now = Instant::now();
        let passed = |per_second: u32| {
            let mut budget = Budget::default();
            let packets = (0..10 * per_second).map(|number| now + SECOND * number / per_second);
            packets
                .filter(|at| budget.take(1, Limit::MEDIA, *at))
                .count()
        };
        assert_eq!(passed(RECEIVED_PACKETS_PER_SECOND), 50_000);
        let most = RECEIVED_PACKETS_AT_ONCE + 10 * RECEIVED_PACKETS_PER_SECOND;
        assert!(passed(50_000) <= most as usize);
    }

    #[test]
    fn after_a_flood_the_budget_comes_back() {
        let now = Instant::now();
        let mut budget = Budget::default();
        while budget.take(1, Limit::VIEWER, now) {}
        let later = |seconds| now + SECOND * seconds;
        assert!(budget.take(1, Limit::VIEWER, later(1)));
        let rest = (0..10_000).filter(|_| budget.take(1, Limit::VIEWER, later(100)));
        assert_eq!(rest.count(), VIEWER_WORK_AT_ONCE as usize);
    }

    #[test]
    fn one_unknown_source_leaves_room_for_others_and_all_have_a_limit() {
        let now = Instant::now();
        let mut unknown_sources = UnknownSourceLimiter::default();
        let one = |last| IpAddr::from([192, 0, 2, last]);
        let taken = (0..10_000)
            .filter(|_| unknown_sources.take(one(1), now))
            .count();
        assert_eq!(taken, UNKNOWN_SOURCE_CHECKS_AT_ONCE as usize);
        let others = (0..=255).filter(|last| unknown_sources.take(one(*last), now));
        assert!(others.count() > 200, "hardly anybody shares a place");
        let any = |number: u32| IpAddr::from(number.to_be_bytes());
        let taken = (0..100_000).filter(|number| unknown_sources.take(any(*number), now));
        assert!(taken.count() < UNKNOWN_SOURCES_CHECKS_AT_ONCE as usize);
        assert!(unknown_sources.take(any(7), now + SECOND));
    }

    #[test]
    fn a_network_of_ipv6_is_one_unknown_source() {
        let now = Instant::now();
        let mut unknown_sources = UnknownSourceLimiter::default();
        let host = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, number]);
        let taken = (0..5_000).filter(|number| unknown_sources.take(host(*number), now));
        assert_eq!(taken.count(), UNKNOWN_SOURCE_CHECKS_AT_ONCE as usize);
    }
}
