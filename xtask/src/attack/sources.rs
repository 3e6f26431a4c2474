//! The addresses that attackers come from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Those that the attackers' namespace has: a network for benchmarks (RFC 2544), and one for documentation (RFC 3849).
pub(super) const IPV4_NETWORK: &str = "198.18.0.0/16";
pub(super) const IPV6_NETWORK: &str = "2001:db8:66::/48";
/// Addresses of third parties that have no part in anything.
pub(super) const NAMED_NETWORK: &str = "198.19.0.0/16";

/// The /64 of a /48 that are used.
const IPV6_NETWORKS: usize = 65_536;
/// As many as the network has, but for its ends.
const MAX_IPV4: usize = 65_000;

/// Addresses, of which one client has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    Ipv4(usize),
    /// A whole /48, as a customer has it.
    Ipv6Prefix,
}

impl Sources {
    /// How many the server can distinguish.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Ipv4(count) => count,
            Self::Ipv6Prefix => IPV6_NETWORKS,
        }
    }

    /// The address of a client.
    pub(super) fn of_client(self, client: usize) -> IpAddr {
        let number = client % self.count();
        match self {
            Self::Ipv4(_) => {
                let [.., high, low] = (number as u32 + 1).to_be_bytes();
                Ipv4Addr::new(198, 18, high, low).into()
            }
            Self::Ipv6Prefix => {
                // Each in a /64 of its own, one after the other far apart.
                let network = (number as u16).reverse_bits();
                Ipv6Addr::new(0x2001, 0xdb8, 0x66, network, 0, 0, 0, 1).into()
            }
        }
    }
}

/// An address of a third party.
pub(super) fn named(number: usize) -> Ipv4Addr {
    let [.., high, low] = (number as u32 + 1).to_be_bytes();
    Ipv4Addr::new(198, 19, high, low)
}

impl FromStr for Sources {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "/48" {
            return Ok(Self::Ipv6Prefix);
        }
        let count = text
            .parse()
            .ok()
            .filter(|count| (1..=MAX_IPV4).contains(count));
        count.map(Self::Ipv4).ok_or_else(|| {
            anyhow::anyhow!("addresses are a number from 1 to {MAX_IPV4}, or /48; not {text}")
        })
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(count) => write!(formatter, "{count}"),
            Self::Ipv6Prefix => formatter.write_str("/48"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_share_the_addresses_by_turns() {
        let two: Sources = "2".parse().expect("a number");
        let addresses: Vec<_> = (0..3)
            .map(|client| two.of_client(client).to_string())
            .collect();
        assert_eq!(addresses, ["198.18.0.1", "198.18.0.2", "198.18.0.1"]);
        let prefix: Sources = "/48".parse().expect("a prefix");
        let addresses: Vec<_> = (0..2)
            .map(|client| prefix.of_client(client).to_string())
            .collect();
        assert_eq!(addresses, ["2001:db8:66::1", "2001:db8:66:8000::1"]);
        assert_eq!(named(255).to_string(), "198.19.1.0");
    }

    #[test]
    fn addresses_that_are_no_number_are_refused() {
        for text in ["0", "x", "65001", "/64", ""] {
            assert!(text.parse::<Sources>().is_err(), "{text}");
        }
    }
}
