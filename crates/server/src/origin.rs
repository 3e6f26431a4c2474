//! From which pages browsers may connect (RFC 6454): `scheme://host[:port]`, or `null`.
//!
//! Only browsers say where they come from, and they never lie about it. So this keeps foreign pages from
//! using the browser of somebody who can reach the server; it keeps no other program out.
//!
//! Pages of the host that is asked, at any port, are not foreign, nor are those of the machine that the browser runs on.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::host::{AllowedHost, Host};

/// One entry of the allowed origins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedOrigin {
    /// `*`: all of them.
    Any,
    /// This one.
    Only(Origin),
}

/// Where a page comes from, as browsers say it. Two that differ in case, or in that one names the port
/// that its scheme has anyway, are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Of pages without an origin of their own: files, sandboxes.
    Null,
    Of {
        scheme: String,
        authority: Authority,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    /// In lower case; of IPv6 addresses the usual form, in brackets. Empty for `file://`.
    host: String,
    port: Option<u16>,
}

/// This is no origin: see [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin: scheme://host or scheme://host:port, without a path")]
pub struct InvalidOrigin(String);

/// How a page that asks for a connection is related to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It is listed, or of the browser's own machine.
    Allowed,
    /// It is of the host that the request is for, so that it depends on whether the server has that name.
    SameHost,
    Foreign,
}

impl Origin {
    /// The host of its pages, if they have one.
    pub(crate) fn host(&self) -> Option<Host> {
        match &self.0 {
            Kind::Null => None,
            Kind::Of { authority, .. } => Host::read(&authority.host),
        }
    }

    fn is_of_browsers_machine(&self) -> bool {
        let is_http =
            matches!(&self.0, Kind::Of { scheme, .. } if scheme == "http" || scheme == "https");
        is_http && self.host().is_some_and(|host| host.is_loopback())
    }

    fn is_of_host(&self, host: &str) -> bool {
        // A proxy may have taken the TLS away, and the page may be at another port, so neither counts.
        let own = self.host();
        own.is_some() && own == Host::of_authority(host)
    }
}

impl AllowedOrigin {
    fn allows(&self, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => allowed == origin,
        }
    }

    /// The host that a server is known by if it allows this: its pages may connect in any case.
    pub(crate) fn known_host(&self) -> Option<AllowedHost> {
        match self {
            Self::Any => Some(AllowedHost::Any),
            Self::Only(origin) => match origin.host()? {
                Host::Name(name) => Some(AllowedHost::Only(name)),
                Host::Address(_) => None,
            },
        }
    }
}

/// How a page from `origin` is related to a server that is asked for `host`, both as the headers have them.
pub(crate) fn relation(allowed: &[AllowedOrigin], origin: &[u8], host: Option<&str>) -> Relation {
    if allowed.contains(&AllowedOrigin::Any) {
        return Relation::Allowed;
    }
    let origin = str::from_utf8(origin)
        .ok()
        .and_then(|text| text.parse().ok());
    let Some(origin) = origin else {
        return Relation::Foreign;
    };
    if allowed.iter().any(|allowed| allowed.allows(&origin)) || origin.is_of_browsers_machine() {
        return Relation::Allowed;
    }
    match host {
        Some(host) if origin.is_of_host(host) => Relation::SameHost,
        _ => Relation::Foreign,
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Ok(Self(Kind::Null));
        }
        let read = || {
            let (scheme, authority) = text.split_once("://")?;
            let scheme = scheme.to_ascii_lowercase();
            let mut letters = scheme.bytes();
            let is_scheme = letters.next()?.is_ascii_lowercase()
                && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
            let authority = Authority::read(&scheme, authority).filter(|_| is_scheme)?;
            (!authority.host.is_empty() || scheme == "file")
                .then_some(Self(Kind::Of { scheme, authority }))
        };
        read().ok_or_else(|| InvalidOrigin(text.to_owned()))
    }
}

impl Authority {
    fn read(scheme: &str, text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
                format!("[{address}]")
            }
            None if host.bytes().all(may_stand_in_host) => host.to_ascii_lowercase(),
            None => return None,
        };
        let default_port = match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        Some(Self {
            host,
            port: port.or(default_port),
        })
    }
}

/// Browsers write names of other scripts in ASCII (RFC 3492).
fn may_stand_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        match text {
            "*" => Ok(Self::Any),
            _ => text.parse().map(Self::Only),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Null => f.write_str("null"),
            Kind::Of { scheme, authority } => {
                write!(f, "{scheme}://{}", authority.host)?;
                authority.port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

/// As it is parsed.
impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Only(origin) => origin.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed(list: &[&str]) -> Vec<AllowedOrigin> {
        let read = list.iter().map(|text| text.parse());
        read.collect::<Result<_, _>>().expect("origins")
    }

    fn is_allowed(list: &[&str], origin: &str) -> bool {
        relation(&allowed(list), origin.as_bytes(), None) == Relation::Allowed
    }

    #[test]
    fn case_and_default_ports_make_no_difference() {
        for (one, other) in [
            ("https://example.org", "HTTPS://Example.ORG:443"),
            ("http://example.org:80", "http://example.org"),
            ("https://[2001:db8::1]", "https://[2001:DB8:0::1]:443"),
            ("null", "null"),
        ] {
            assert!(is_allowed(&[one], other), "{one}");
        }
        for (one, other) in [
            ("https://example.org", "http://example.org"),
            ("https://example.org", "https://example.org:8443"),
            ("https://example.org", "https://example.org.evil.test"),
            ("https://example.org", "https://www.example.org"),
            ("https://example.org", "null"),
            ("null", "https://null"),
            ("https://[2001:db8::1]", "https://[2001:db8::2]"),
        ] {
            assert!(!is_allowed(&[one], other), "{one}");
        }
    }

    #[test]
    fn page_of_the_host_that_is_asked_related_at_any_port() {
        for (origin, host, expected) in [
            ("https://example.org", "example.org", Relation::SameHost),
            ("https://example.org", "EXAMPLE.org:443", Relation::SameHost),
            (
                "http://example.org:8080",
                "example.org:8443",
                Relation::SameHost,
            ),
            (
                "http://[2001:db8::1]:8443",
                "[2001:db8:0::1]:1",
                Relation::SameHost,
            ),
            (
                "http://192.0.2.1:8080",
                "192.0.2.1:8443",
                Relation::SameHost,
            ),
            ("https://evil.test", "example.org", Relation::Foreign),
            ("http://192.0.2.2", "192.0.2.1", Relation::Foreign),
            ("http://a.example.org", "example.org", Relation::Foreign),
            ("null", "null", Relation::Foreign),
            ("file://", "", Relation::Foreign),
        ] {
            let found = relation(&[], origin.as_bytes(), Some(host));
            assert_eq!(found, expected, "{origin} {host}");
        }
    }

    #[test]
    fn page_of_the_browsers_machine_allowed_for_any_host() {
        for origin in [
            "http://localhost:9090",
            "https://localhost:9090",
            "http://127.0.0.1:8080",
            "http://127.8.9.1",
            "http://[::1]:1",
            "http://app.localhost",
        ] {
            assert!(is_allowed(&[], origin), "{origin}");
        }
        for origin in [
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "ftp://localhost",
            "http://10.0.0.1",
            "http://[2001:db8::1]",
        ] {
            assert!(!is_allowed(&[], origin), "{origin}");
        }
    }

    #[test]
    fn any_is_any() {
        assert!(allowed(&["*"]).contains(&AllowedOrigin::Any));
        let found = relation(&allowed(&["*"]), b"\xff no origin", None);
        assert_eq!(found, Relation::Allowed);
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "example.org",
            "https://",
            "://a",
            "https://a/",
            "https://a/b",
            "https://a b",
            "https://u@a",
            "https://a:b",
            "https://a:65536",
            "https://[::1",
            "https://[a]",
            "1a://b",
            "https://*.example.org",
            "NULL",
        ] {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
            let found = relation(&[], text.as_bytes(), Some("a"));
            assert_eq!(found, Relation::Foreign, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_is_written_as_it_is_read(
            scheme in "[a-z][a-z0-9+.-]{0,8}",
            host in "[a-zA-Z0-9.-]{1,20}",
            port in proptest::option::of(any::<u16>()),
        ) {
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            let origin: Origin = format!("{scheme}://{host}{port}").parse().expect("an origin");
            prop_assert_eq!(origin.to_string().parse(), Ok(origin));
        }

        #[test]
        fn nothing_that_a_browser_says_panics(origin: Vec<u8>, text: String, host: String) {
            relation(&[], &origin, Some(&host));
            relation(&[], text.as_bytes(), Some(&host));
        }
    }
}
