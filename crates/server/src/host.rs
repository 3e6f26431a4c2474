//! The names by which a server may be asked for (the Host header; RFC 9110, 7.2).
//!
//! A page whose name leads to this server for a moment (DNS rebinding) is of the same origin as the server for its browser.
//! What it cannot do is to name this server in its requests: those bear its own name. So requests of browsers are taken
//! by names that this server is known to have, and by addresses, which no such page has.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::HOST;

/// One entry of the allowed hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedHost {
    /// `*`: all of them.
    Any,
    /// This name.
    Only(HostName),
    /// `*.example.org`: all names below this one.
    Below(HostName),
}

/// The name of a host, in lower case and without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// This is no host: see [`AllowedHost`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a name of hosts: a name without scheme and port, *.example.org for all below one, or * for any; \
     addresses need no entry"
)]
pub struct InvalidHost(String);

/// The longest name (RFC 1035, 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// A host as a request or an origin names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(HostName),
}

/// The names that a server is known to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownHosts(Vec<AllowedHost>);

impl Host {
    /// The host of `host[:port]`, which is what a Host header holds.
    pub(crate) fn of_authority(text: &str) -> Option<Self> {
        let host = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                port.parse::<u16>().ok()?;
                host
            }
            _ => text,
        };
        Self::read(host)
    }

    /// A name or an address; one of IPv6 in brackets.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            // One of IPv6 without brackets is none of a header.
            return matches!(address, IpAddr::V4(_)).then_some(Self::Address(address));
        }
        HostName::read(text).map(Self::Name)
    }

    /// Whether it is the machine of its own browser, by whatever network that is.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name.is_localhost(),
        }
    }
}

impl HostName {
    fn read(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_name = text.len() <= MAX_NAME_BYTES && text.split('.').all(is_label);
        is_name.then(|| Self(text.to_ascii_lowercase()))
    }

    /// `localhost` and all below it, which lead nowhere else (RFC 6761, 6.3).
    fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }

    fn is_below(&self, parent: &Self) -> bool {
        let rest = self.0.strip_suffix(&parent.0);
        rest.is_some_and(|rest| rest.ends_with('.'))
    }
}

impl AllowedHost {
    fn allows(&self, name: &HostName) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == name,
            Self::Below(parent) => name.is_below(parent),
        }
    }
}

impl KnownHosts {
    pub(crate) fn any() -> Self {
        Self(vec![AllowedHost::Any])
    }

    /// The names that are given, and those of this machine.
    pub(crate) fn with_this_machine(mut given: Vec<AllowedHost>) -> Self {
        let node = rustix::system::uname();
        let node = node.nodename().to_str().unwrap_or_default();
        let resolver = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        given.extend(names_of_machine(node, &search_domains(&resolver)));
        Self(given)
    }

    /// Whether a request with this head is for one of these names, or of `certified`. One without a name is of no
    /// browser.
    pub(crate) fn allow_request(&self, head: &HeaderMap, certified: &[AllowedHost]) -> bool {
        let host = host_header(head).and_then(Host::of_authority);
        !head.contains_key(HOST) || host.is_some_and(|host| self.allow(&host, certified))
    }

    fn allow(&self, host: &Host, certified: &[AllowedHost]) -> bool {
        match host {
            Host::Address(_) => true,
            Host::Name(name) => {
                let mut known = self.0.iter().chain(certified);
                name.is_localhost() || known.any(|known| known.allows(name))
            }
        }
    }
}

/// The Host header, if there is no more than one.
pub(crate) fn host_header(head: &HeaderMap) -> Option<&str> {
    let mut hosts = head.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    host.and_then(|host| host.to_str().ok())
}

/// Whether a request with this head is for a name of these, none of an address or of the browser's own machine.
pub(crate) fn is_certified(head: &HeaderMap, certified: &[AllowedHost]) -> bool {
    match host_header(head).and_then(Host::of_authority) {
        Some(Host::Name(name)) if !name.is_localhost() => {
            certified.iter().any(|known| known.allows(&name))
        }
        _ => false,
    }
}

/// The names of a machine by which its network knows it: with and without a domain, and by multicast DNS (RFC 6762).
fn names_of_machine(node: &str, domains: &[&str]) -> Vec<AllowedHost> {
    let Some(short) = node.split('.').next().filter(|short| !short.is_empty()) else {
        return Vec::new();
    };
    let with_domains = domains.iter().map(|domain| format!("{short}.{domain}"));
    [node.to_owned(), short.to_owned(), format!("{short}.local")]
        .into_iter()
        .chain(with_domains)
        .filter_map(|name| HostName::read(&name).map(AllowedHost::Only))
        .collect()
}

/// The domains in which names of this machine's network are (resolv.conf(5)).
fn search_domains(resolver: &str) -> Vec<&str> {
    let domains = resolver.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next()?, "search" | "domain").then_some(words)
    });
    domains.flatten().filter(|domain| *domain != ".").collect()
}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let read = || {
            if text == "*" {
                return Some(Self::Any);
            }
            if let Some(parent) = text.strip_prefix("*.") {
                return HostName::read(parent).map(Self::Below);
            }
            match Host::read(text)? {
                Host::Name(name) => Some(Self::Only(name)),
                Host::Address(_) => None,
            }
        };
        read().ok_or_else(|| InvalidHost(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it is parsed.
impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Only(name) => name.fmt(f),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(names: &[&str]) -> KnownHosts {
        let names = names.iter().map(|name| name.parse().expect("a name"));
        KnownHosts(names.collect())
    }

    fn allows(known: &KnownHosts, host: &str) -> bool {
        Host::of_authority(host).is_some_and(|host| known.allow(&host, &[]))
    }

    #[test]
    fn address_and_localhost_allowed_without_an_entry() {
        for host in [
            "127.0.0.1",
            "192.0.2.1:8443",
            "[2001:db8::1]:8443",
            "[::1]",
            "localhost:1",
            "LOCALHOST.",
            "app.localhost:8443",
        ] {
            assert!(allows(&known(&[]), host), "{host}");
        }
    }

    #[test]
    fn name_that_is_not_known_refused() {
        let known = known(&["camera.example", "*.home.example"]);
        for host in [
            "camera.example:8443",
            "Camera.Example.",
            "a.home.example",
            "a.b.home.example",
        ] {
            assert!(allows(&known, host), "{host}");
        }
        for host in [
            "rebound.example",
            "home.example",
            "ahome.example",
            "camera.example.rebound.example",
            "127.0.0.1.rebound.example",
            "notlocalhost",
            "localhost.rebound.example",
            "2001:db8::1",
            "user@localhost",
            "localhost:port",
            "localhost:99999",
            "",
            ":8443",
            "[::1",
        ] {
            assert!(!allows(&known, host), "{host}");
        }
    }

    #[test]
    fn certified_name_allowed() {
        let host = Host::of_authority("camera.example:8443").expect("a host");
        let certified = ["*.example".parse().expect("a name")];
        assert!(known(&[]).allow(&host, &certified));
        assert!(!known(&[]).allow(&host, &[]));
    }

    #[test]
    fn machine_known_with_and_without_its_domains() {
        let resolver = "# search not.this\nnameserver 192.0.2.1\nsearch home.arpa lan\ndomain office.example\n";
        let domains = search_domains(resolver);
        assert_eq!(domains, ["home.arpa", "lan", "office.example"]);
        let names = |node| {
            let names = names_of_machine(node, &domains[..1]);
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names("Cam"), ["cam", "cam", "cam.local", "cam.home.arpa"]);
        assert_eq!(
            names("cam.lab.example"),
            ["cam.lab.example", "cam", "cam.local", "cam.home.arpa"]
        );
        assert!(names("").is_empty());
    }

    #[test]
    fn entry_that_is_no_name_refused() {
        for text in [
            "",
            "*.",
            "**.example",
            "a.*.example",
            "http://a",
            "a:8443",
            "a/b",
            "a b",
            "192.0.2.1",
            "[::1]",
            "a..b",
        ] {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
        for text in ["*", "a", "*.example.org", "xn--bcher-kva.example"] {
            assert_eq!(text.parse::<AllowedHost>().expect(text).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_read_without_panic(text: String) {
            let _ = Host::of_authority(&text);
            let _ = text.parse::<AllowedHost>();
            search_domains(&text);
        }
    }
}
