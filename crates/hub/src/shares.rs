//! Shares of a table that all clients fill together.
//!
//! Of an empty table an address may hold as much as a limit says. As the table fills, that shrinks with the square of
//! what is left: however many addresses take all that they can, one after the other, something is left for who comes
//! next. (With a share in proportion to what is left, some fifty addresses would leave nothing; with the square, `n` of
//! them leave `1 / (1 + c * n)` of the table, where `c` is the part of it that one alone may hold.) An IPv6 address is
//! charged with the networks around it, which may hold a little more.

use core::net::IpAddr;
use std::collections::HashMap;

/// The IPv6 networks that are charged, by the bits of their prefix, and how many times as much as an address each may
/// hold. A client has a /64 at least (RFC 6177), a customer often a /56 or a /48.
const IPV6_NETWORKS: [(u8, u32); 3] = [(64, 1), (56, 2), (48, 4)];

/// Who is charged for what a client holds: its address and the networks around it, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer(Option<IpAddr>);

/// A network by its prefix: an IPv4 address with all its 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    prefix: u128,
    bits: u8,
}

/// What the payers hold of one table.
#[derive(Debug, Default)]
pub struct Shares {
    held: HashMap<Network, usize>,
    in_all: usize,
}

/// The room of a table.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How much there is for all.
    pub limit: usize,
    /// How much one address may hold while the table is empty.
    pub per_address: usize,
    /// How much it may hold however little is left, as long as something is.
    pub floor: usize,
}

/// Why a payer gets no more of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// There is no more.
    Table,
    /// It holds its share; this is how much that is now.
    Share(usize),
}

impl Payer {
    /// Nobody is charged: shares do not apply, the limit of the table does.
    pub const NOBODY: Self = Self(None);

    /// The address of a client. An IPv4-mapped one is that of IPv4.
    pub fn of(address: IpAddr) -> Self {
        Self(Some(address.to_canonical()))
    }

    /// The networks that are charged, the smallest first, and how many times as much as an address each may hold.
    pub fn networks(self) -> impl Iterator<Item = (Network, u32)> {
        let (v4, v6) = match self.0 {
            Some(IpAddr::V4(address)) => (Some(u32::from(address)), None),
            Some(IpAddr::V6(address)) => (None, Some(u128::from(address))),
            None => (None, None),
        };
        let v4 = v4.map(|address| {
            let prefix = u128::from(address);
            (Network { prefix, bits: 32 }, 1)
        });
        let v6 = v6.into_iter().flat_map(|address| {
            IPV6_NETWORKS.map(|(bits, multiple)| {
                let prefix = address & (u128::MAX << (128 - bits));
                (Network { prefix, bits }, multiple)
            })
        });
        v4.into_iter().chain(v6)
    }
}

impl Room {
    /// What an address may hold while so much is left.
    fn share(self, left: usize) -> usize {
        let (left, limit) = (left as f64, self.limit.max(1) as f64);
        let share = self.per_address as f64 * (left / limit).powi(2);
        (share.round() as usize).max(self.floor.min(self.per_address))
    }
}

impl Shares {
    /// What all hold together.
    pub fn in_all(&self) -> usize {
        self.in_all
    }

    /// What a network holds.
    pub fn held(&self, network: &Network) -> usize {
        self.held.get(network).copied().unwrap_or_default()
    }

    /// Why a payer cannot have so much more; none if it can.
    pub fn exceeded(&self, payer: Payer, more: usize, room: Room) -> Option<Exceeded> {
        let left = room.limit.saturating_sub(self.in_all);
        if more > left {
            return Some(Exceeded::Table);
        }
        payer.networks().find_map(|(network, multiple)| {
            let share = room.share(left).saturating_mul(multiple as usize);
            (self.held(&network).saturating_add(more) > share).then_some(Exceeded::Share(share))
        })
    }

    /// Charges a payer, whether there is room or not.
    pub fn add(&mut self, payer: Payer, amount: usize) {
        self.in_all += amount;
        if amount > 0 {
            for (network, _) in payer.networks() {
                *self.held.entry(network).or_default() += amount;
            }
        }
    }

    /// Takes back what a payer was charged.
    pub fn remove(&mut self, payer: Payer, amount: usize) {
        self.in_all = self.in_all.saturating_sub(amount);
        for (network, _) in payer.networks() {
            if let Some(held) = self.held.get_mut(&network) {
                *held = held.saturating_sub(amount);
                if *held == 0 {
                    self.held.remove(&network);
                }
            }
        }
        // A map never gives memory back of itself.
        if self.held.capacity() / 8 > self.held.len() + 64 {
            self.held.shrink_to(2 * self.held.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room {
        limit: 65_536,
        per_address: 1_024,
        floor: 4,
    };

    fn v4(number: u32) -> Payer {
        Payer::of(Ipv4Addr::from(0xC000_0200 + number).into())
    }

    fn v6(prefix: u128) -> Payer {
        Payer::of(Ipv6Addr::from(prefix).into())
    }

    /// Takes one after the other as long as there is room; how many.
    fn take_all(shares: &mut Shares, payer: Payer) -> usize {
        let mut taken = 0;
        while shares.exceeded(payer, 1, ROOM).is_none() {
            shares.add(payer, 1);
            taken += 1;
        }
        taken
    }

    #[test]
    fn address_alone_takes_nearly_what_the_limit_says() {
        let mut shares = Shares::default();
        let taken = take_all(&mut shares, v4(1));
        assert!((980..1_024).contains(&taken), "{taken}");
        let refused = shares.exceeded(v4(1), 1, ROOM);
        assert!(matches!(refused, Some(Exceeded::Share(_))), "{refused:?}");
        assert_eq!(shares.exceeded(v4(2), 1, ROOM), None);
    }

    #[test]
    fn two_hundred_addresses_that_take_all_leave_room_for_who_comes_next() {
        let mut shares = Shares::default();
        for number in 0..200 {
            take_all(&mut shares, v4(number));
        }
        for number in 200..250 {
            assert!(take_all(&mut shares, v4(number)) > 30);
        }
    }

    #[test]
    fn a_thousand_addresses_that_take_all_leave_room_for_who_comes_next() {
        let mut shares = Shares::default();
        for number in 0..1_000 {
            take_all(&mut shares, v4(number));
        }
        for number in 1_000..1_100 {
            assert_eq!(take_all(&mut shares, v4(number)), ROOM.floor);
        }
    }

    #[test]
    fn networks_of_ipv6_are_charged_together() {
        let mut shares = Shares::default();
        let base = 0x2001_0db8_0001_u128 << 80;
        let mut taken = 0;
        for subnet in 0..1_000 {
            taken += take_all(&mut shares, v6(base | (subnet << 64)));
        }
        // All of a /48 together: four times as much as an address, less as the table fills.
        assert!((3_400..4_096).contains(&taken), "{taken}");
        assert_eq!(shares.exceeded(v6(1 << 127), 500, ROOM), None);
        for (address, expected) in [("::ffff:192.0.2.1", 1), ("2001:db8::1", 3)] {
            let payer = Payer::of(address.parse().expect("an address"));
            assert_eq!(payer.networks().count(), expected);
        }
    }

    #[test]
    fn table_that_is_full_has_no_room_for_anybody() {
        let mut shares = Shares::default();
        shares.add(Payer::NOBODY, 65_536);
        for payer in [v4(1), Payer::NOBODY] {
            assert_eq!(shares.exceeded(payer, 1, ROOM), Some(Exceeded::Table));
        }
        shares.remove(Payer::NOBODY, 1);
        assert_eq!(shares.exceeded(v4(1), 1, ROOM), None);
    }

    #[test]
    fn address_has_the_floor_in_a_small_table() {
        let mut shares = Shares::default();
        let room = Room {
            limit: 5,
            per_address: 5,
            floor: 4,
        };
        shares.add(v4(1), 4);
        assert_eq!(shares.exceeded(v4(1), 1, room), Some(Exceeded::Share(4)));
        assert_eq!(shares.exceeded(v4(2), 1, room), None);
    }

    #[test]
    fn payers_that_left_take_no_memory() {
        let mut shares = Shares::default();
        let payers: Vec<_> = (0..10_000)
            .map(|number| Payer::of(Ipv4Addr::from_bits(number).into()))
            .collect();
        for payer in &payers {
            shares.add(*payer, 0);
            assert_eq!(shares.held.len(), 0, "nothing is nothing");
        }
        for payer in &payers {
            shares.add(*payer, 1);
        }
        let most = shares.held.capacity();
        let (few, others) = payers.split_at(100);
        for (number, payer) in others.iter().enumerate() {
            shares.remove(*payer, 1);
            let left = payers.len() - number - 1;
            let capacity = shares.held.capacity();
            assert!(capacity < 16 * left + 1_100, "{capacity} for {left}");
            assert!(capacity > most / 2 || left < most / 8, "not with each");
            assert!(
                capacity > left + left / 2 || capacity > most / 2,
                "room for more"
            );
        }
        for payer in few {
            assert_eq!(shares.held(&payer.networks().next().expect("its own").0), 1);
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_back_leaves_nothing(holds in prop::collection::vec((0..20_u32, 0..9_usize), 0..60)) {
            let mut shares = Shares::default();
            let payer = |number: u32| match number % 3 {
                0 => v4(number),
                1 => v6(u128::from(number) << 64),
                _ => Payer::NOBODY,
            };
            for (number, amount) in &holds {
                shares.add(payer(*number), *amount);
            }
            let sum: usize = holds.iter().map(|(_, amount)| amount).sum();
            prop_assert_eq!(shares.in_all(), sum);
            for (number, amount) in &holds {
                shares.remove(payer(*number), *amount);
            }
            prop_assert_eq!((shares.in_all(), shares.held.len()), (0, 0));
        }
    }
}
