//! From which pages browsers may connect (RFC 6454): `scheme://host[:port]`, or `null`.
//!
//! Only browsers say where they come from, and they never lie about it. So this keeps foreign pages from
//! using the browser of somebody who can reach the server; it keeps no other program out.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

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

impl Origin {
    /// Whether this is the origin of what a server has that is asked for `host`, a Host header.
    pub(crate) fn is_of_host(&self, host: &str) -> bool {
        let Kind::Of { scheme, authority } = &self.0 else {
            return false;
        };
        if authority.host.is_empty() {
            return false;
        }
        // A proxy may have taken the TLS away, so only the page knows the scheme.
        Authority::read(scheme, host).is_some_and(|host| host == *authority)
    }
}

impl AllowedOrigin {
    pub(crate) fn allows(&self, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => allowed == origin,
        }
    }
}

/// Whether a browser on a page from `origin` may connect to `host`, both as the headers have them.
pub(crate) fn may_connect(allowed: &[AllowedOrigin], origin: &[u8], host: Option<&str>) -> bool {
    if allowed.contains(&AllowedOrigin::Any) {
        return true;
    }
    let Some(origin) = str::from_utf8(origin)
        .ok()
        .and_then(|text| text.parse().ok())
    else {
        return false;
    };
    allowed.iter().any(|allowed| allowed.allows(&origin))
        || host.is_some_and(|host| origin.is_of_host(host))
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

    #[test]
    fn case_and_default_ports_make_no_difference() {
        for (one, other) in [
            ("https://example.org", "HTTPS://Example.ORG:443"),
            ("http://example.org:80", "http://example.org"),
            ("https://[2001:db8::1]", "https://[2001:DB8:0::1]:443"),
            ("null", "null"),
        ] {
            assert!(
                may_connect(&allowed(&[one]), other.as_bytes(), None),
                "{one}"
            );
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
            assert!(
                !may_connect(&allowed(&[one]), other.as_bytes(), None),
                "{one}"
            );
        }
    }

    #[test]
    fn the_page_of_the_server_itself_may_always_connect() {
        for (origin, host, may) in [
            ("https://example.org", "example.org", true),
            ("https://example.org", "EXAMPLE.org:443", true),
            ("http://example.org:8443", "example.org:8443", true),
            ("http://[::1]:8443", "[0::1]:8443", true),
            ("https://example.org", "example.org:8443", false),
            ("https://evil.test", "example.org", false),
            ("null", "null", false),
            ("file://", "", false),
        ] {
            assert_eq!(
                may_connect(&[], origin.as_bytes(), Some(host)),
                may,
                "{origin} {host}"
            );
        }
    }

    #[test]
    fn any_is_any() {
        assert!(may_connect(&allowed(&["*"]), b"\xff no origin", None));
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
            assert!(!may_connect(&[], text.as_bytes(), Some("a")), "{text}");
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
            may_connect(&[], &origin, Some(&host));
            may_connect(&[], text.as_bytes(), Some(&host));
        }
    }
}
