//! Which addresses of this machine are offered to viewers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Addresses that are offered at most: every one costs a viewer checks.
pub const MAX_HOST_CANDIDATES: usize = 16;

/// How long the system's answer is used: interfaces come and go, but not within a burst of joins.
const KEEP: Duration = Duration::from_secs(3);

/// Bridges to containers and virtual machines on this machine, which no viewer outside can reach.
const BRIDGES: [&str; 6] = ["docker", "br-", "virbr", "lxcbr", "cni", "podman"];

/// An address of an interface.
#[derive(Clone, Copy, Debug)]
struct InterfaceAddress<'a> {
    interface: &'a str,
    is_up: bool,
    address: IpAddr,
}

/// The addresses that are offered, asked of the system now and then.
#[derive(Clone, Debug)]
pub(super) struct HostAddresses {
    configured: Vec<IpAddr>,
    kept: Option<(Instant, Vec<IpAddr>)>,
}

impl HostAddresses {
    /// Those that are configured; if there are none, every usable one.
    pub(super) fn new(configured: Vec<IpAddr>) -> Self {
        Self {
            configured,
            kept: None,
        }
    }

    pub(super) fn get(&mut self, now: Instant) -> &[IpAddr] {
        if !self.configured.is_empty() {
            return &self.configured;
        }
        let fresh = |(since, _): &(Instant, _)| now.saturating_duration_since(*since) < KEEP;
        if !self.kept.as_ref().is_some_and(fresh) {
            self.kept = Some((now, of_this_machine()));
        }
        self.kept.as_ref().map_or(&[], |(_, addresses)| addresses)
    }
}

fn of_this_machine() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the system does not tell its addresses; only loopback is offered");
        Vec::new()
    });
    usable(interfaces.iter().map(|interface| InterfaceAddress {
        interface: &interface.name,
        is_up: interface.is_oper_up() || interface.is_loopback(),
        address: interface.ip(),
    }))
}

/// Those that a viewer may reach. If there is none, the loopback addresses, so that a machine without a
/// network plays to itself.
fn usable<'a>(addresses: impl IntoIterator<Item = InterfaceAddress<'a>>) -> Vec<IpAddr> {
    let mut outside = Vec::new();
    let mut loopback = Vec::new();
    for InterfaceAddress {
        interface,
        is_up,
        address,
    } in addresses
    {
        let is_bridge = BRIDGES.iter().any(|bridge| interface.starts_with(bridge));
        let list = if address.is_loopback() {
            &mut loopback
        } else {
            &mut outside
        };
        if is_up && !is_bridge && can_be_offered(address) && !list.contains(&address) {
            list.push(address);
        }
    }
    let mut usable = if outside.is_empty() {
        loopback
    } else {
        outside
    };
    if usable.is_empty() {
        usable.push(Ipv4Addr::LOCALHOST.into());
    }
    usable.truncate(MAX_HOST_CANDIDATES);
    usable
}

/// Whether it is of one host, on any network.
pub(super) fn can_be_offered(address: IpAddr) -> bool {
    let of_one_host = match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    of_one_host && !address.is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(addresses: &[(&str, bool, &str)]) -> Vec<String> {
        let all = addresses
            .iter()
            .map(|(interface, is_up, address)| InterfaceAddress {
                interface,
                is_up: *is_up,
                address: address.parse().expect("an address"),
            });
        usable(all).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_viewers_can_reach_is_offered() {
        let offered = offered(&[
            ("lo", true, "127.0.0.1"),
            ("lo", true, "::1"),
            ("eth0", true, "192.0.2.7"),
            ("eth0", true, "2001:db8::7"),
            ("eth0", true, "2001:db8::7"),
            ("eth0", true, "fe80::7"),
            ("eth1", false, "192.0.2.8"),
            ("eth2", true, "169.254.1.2"),
            ("eth3", true, "0.0.0.0"),
            ("wlan0", true, "10.0.0.3"),
        ]);
        assert_eq!(offered, ["192.0.2.7", "2001:db8::7", "10.0.0.3"]);
    }

    #[test]
    fn bridges_are_not_offered() {
        let bridges = ["docker0", "br-12ab", "virbr0", "lxcbr0", "cni0", "podman1"];
        let mut all: Vec<_> = bridges.map(|name| (name, true, "172.17.0.1")).to_vec();
        all.push(("br0", true, "192.0.2.7"));
        assert_eq!(
            offered(&all),
            ["192.0.2.7"],
            "one that is bridged to the network is"
        );
    }

    #[test]
    fn a_machine_without_a_network_plays_to_itself() {
        let loopback = [("lo", true, "127.0.0.1"), ("lo", true, "::1")];
        assert_eq!(offered(&loopback), ["127.0.0.1", "::1"]);
        assert_eq!(offered(&[]), ["127.0.0.1"]);
    }

    #[test]
    fn the_number_is_bounded() {
        let many: Vec<_> = (0..100)
            .map(|number| format!("2001:db8::{number}"))
            .collect();
        let many: Vec<_> = many.iter().map(|text| ("eth0", true, &**text)).collect();
        assert_eq!(offered(&many).len(), MAX_HOST_CANDIDATES);
    }

    #[test]
    fn what_is_configured_is_offered_and_else_the_system_is_asked() {
        let now = Instant::now();
        let configured = vec![IpAddr::from([203, 0, 113, 1])];
        assert_eq!(HostAddresses::new(configured.clone()).get(now), configured);
        let mut asked = HostAddresses::new(Vec::new());
        assert!(!asked.get(now).is_empty());
        assert!(!asked.get(now + 2 * KEEP).is_empty());
    }
}
