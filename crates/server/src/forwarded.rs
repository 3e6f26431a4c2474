//! The address of the client behind a proxy, as trusted proxies pass it on.
//!
//! Each proxy appends the address of whom it was connected to. So the list is true from its right end to
//! to the first address that is not a trusted proxy's: that is the client. What stands further left is what the client said.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, header};

use crate::network::Network;

/// The header in which the trusted proxies name the client. Only this one is read: a proxy that writes one
/// of them may pass on the other as it came from the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

impl ForwardedHeader {
    pub(crate) fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => header::FORWARDED,
        }
    }
}

/// There is no such header here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither x-forwarded-for nor forwarded")]
pub struct InvalidForwardedHeader(String);

impl FromStr for ForwardedHeader {
    type Err = InvalidForwardedHeader;

    fn from_str(text: &str) -> Result<Self, InvalidForwardedHeader> {
        [Self::XForwardedFor, Self::Forwarded]
            .into_iter()
            .find(|header| text.eq_ignore_ascii_case(header.name().as_str()))
            .ok_or_else(|| InvalidForwardedHeader(text.to_owned()))
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().as_str())
    }
}

/// The address of the client that a trusted proxy speaks for; none if it names nobody, or if what it says cannot
/// be read.
pub(crate) fn client_address(
    headers: &HeaderMap,
    header: ForwardedHeader,
    trusted: &[Network],
) -> Option<IpAddr> {
    let mut farthest = None;
    for value in headers.get_all(header.name()).iter().rev() {
        let value = value.to_str().ok()?;
        // Neither kind of node has a comma in it. That quotes may have is left aside: a client that opens
        // some, and does not close them, could hide in them what the proxy appends.
        for element in value.rsplit(',').map(str::trim) {
            if element.is_empty() {
                continue;
            }
            let named = match header {
                ForwardedHeader::XForwardedFor => Some(element),
                ForwardedHeader::Forwarded => for_parameter(element),
            };
            let address = named.and_then(read_address)?;
            if !is_trusted(address, trusted) {
                return Some(address);
            }
            farthest = Some(address);
        }
    }
    // Everybody on the way is trusted, the first one too.
    farthest
}

pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// Whether the request says that it came by a proxy.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    [X_FORWARDED_FOR, header::FORWARDED, X_REAL_IP, header::VIA]
        .into_iter()
        .any(|name| headers.contains_key(name))
}

/// The node in an element of the Forwarded header (RFC 7239, 4).
fn for_parameter(element: &str) -> Option<&str> {
    let mut found = None;
    // No node has a semicolon in it, so quotes need no attention.
    for pair in element.split(';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            // Each parameter stands there once at the most.
            if found.replace(value.trim()).is_some() {
                return None;
            }
        }
    }
    let value = found?;
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// An address with or without a port; one of IPv6 also in brackets.
fn read_address(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => {
                let inner = text.strip_prefix('[')?.strip_suffix(']')?;
                inner.parse::<std::net::Ipv6Addr>().ok()?.into()
            }
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// What is found where nobody is named.
    const NOBODY: &str = "nobody";

    fn client(header: ForwardedHeader, values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            headers.append(header.name(), value);
        }
        let found = client_address(&headers, header, &trusted());
        found.map_or_else(|| NOBODY.to_owned(), |address| address.to_string())
    }

    fn trusted() -> [Network; 2] {
        ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"))
    }

    #[test]
    fn the_client_is_the_rightmost_stranger() {
        for (values, expected) in [
            (&[][..], NOBODY),
            (&[""], NOBODY),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1:443"], "192.0.2.1"),
            (&["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
            (&["1.1.1.1, 192.0.2.1, 10.0.0.7"], "192.0.2.1"),
            (&["1.1.1.1", "192.0.2.1 ,10.0.0.7"], "192.0.2.1"),
            (&["nonsense, 192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1, nonsense"], NOBODY),
            (&["192.0.2.1, nonsense, 10.0.0.7"], NOBODY),
            (&["192.0.2.1", "\u{e4}"], NOBODY),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]:443, fd00::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            (&["::ffff:10.0.0.9"], "10.0.0.9"),
            (&["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ] {
            let found = client(ForwardedHeader::XForwardedFor, values);
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_as_well() {
        for (value, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=\"192.0.2.1:80\";proto=https;by=10.0.0.1", "192.0.2.1"),
            ("for=1.1.1.1, for=\"[2001:db8::1]:80\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\", for=10.0.0.7", "2001:db8::1"),
            ("for=\"1.1.1.1, for=192.0.2.1", "192.0.2.1"),
            (
                "for=\"1.1.1.1\\\", for=192.0.2.1;host=\"a:80\"",
                "192.0.2.1",
            ),
            ("for=192.0.2.1, for=unknown", NOBODY),
            ("for=192.0.2.1, for=_hidden", NOBODY),
            ("for=192.0.2.1, proto=https", NOBODY),
            ("for=192.0.2.1;for=192.0.2.2", NOBODY),
            ("for=\"192.0.2.1", NOBODY),
            ("192.0.2.1", NOBODY),
        ] {
            assert_eq!(
                client(ForwardedHeader::Forwarded, &[value]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn names_of_headers_are_read() {
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            assert_eq!(header.to_string().parse(), Ok(header));
        }
        assert!("via".parse::<ForwardedHeader>().is_err());
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            any::<u128>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
        ]
        .prop_map(|address| address.to_canonical())
    }

    proptest! {
        /// Whatever a client claims, what the first trusted proxy appended counts.
        #[test]
        fn a_client_cannot_choose_its_address(
            claimed in "[ -~]{0,60}",
            address in any_address(),
            later in prop::collection::vec("10\\.[0-9]\\.0\\.[1-9]", 0..4),
        ) {
            prop_assume!(!is_trusted(address, &trusted()));
            let plain = [claimed.clone(), address.to_string()];
            let plain: Vec<_> = plain.into_iter().chain(later.clone()).collect();
            let found = client(ForwardedHeader::XForwardedFor, &[&plain.join(", ")]);
            prop_assert_eq!(&found, &address.to_string());

            let standard = [claimed, format!("for=\"{}\"", SocketAddr::new(address, 1))];
            let later = later.iter().map(|address| format!("for={address}"));
            let standard: Vec<_> = standard.into_iter().chain(later).collect();
            let found = client(ForwardedHeader::Forwarded, &[&standard.join(",")]);
            prop_assert_eq!(&found, &address.to_string());
        }

        /// The answer is what was said, or nobody; nothing panics.
        #[test]
        fn anything_can_be_said(values in prop::collection::vec("[ -~\t]{0,40}", 0..4)) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                client(header, &values);
            }
        }
    }
}
