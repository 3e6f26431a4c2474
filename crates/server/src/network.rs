//! Networks of addresses, as settings name them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A network (`10.0.0.0/8`, `2001:db8::/32`), or one address (`192.0.2.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is in it. An IPv4 address that is written as an IPv6 one is the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The networks of addresses that stay on one machine: `127.0.0.0/8` and `::1`.
    pub fn loopback() -> [Self; 2] {
        ["127.0.0.0/8", "::1/128"].map(|text| text.parse().expect("they are networks"))
    }
}

/// This is none of a network: see [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a network, such as 10.0.0.0/8, nor an address")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse(),
        };
        match network {
            Ok(network) => Ok(Self(network.trunc())),
            Err(_) => Err(InvalidNetwork(text.to_owned())),
        }
    }
}

/// As it is parsed; an address stands as the network of one.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.200.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.200.0.1", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
        ] {
            let network: Network = text.parse().expect("a network");
            assert!(
                network.contains(inside.parse().expect("an address")),
                "{text}"
            );
            assert!(
                !network.contains(outside.parse().expect("an address")),
                "{text}"
            );
            assert_eq!(network.to_string().parse(), Ok(network));
        }
        for text in ["", "a", "10.0.0.0/33", "10.0.0", "localhost", "::/129"] {
            let error = text.parse::<Network>().expect_err("none").to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
