//! Which other pages may show the page in a frame (CSP Level 3, `frame-ancestors`).

use std::fmt;
use std::str::FromStr;

use crate::signalling_host::is_host;

/// The origin of pages that may show the page in a frame: `scheme://host`, with a port or `:*` for any, the host also as
/// `*.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameAncestor(String);

/// This names no pages: see [`FrameAncestor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an origin of pages: http(s)://host, with a port or :* if any, without a path; browsers take no IPv6 address here"
)]
pub struct InvalidFrameAncestor(String);

impl FromStr for FrameAncestor {
    type Err = InvalidFrameAncestor;

    fn from_str(text: &str) -> Result<Self, InvalidFrameAncestor> {
        let is_valid = || {
            let authority = text
                .strip_prefix("http://")
                .or_else(|| text.strip_prefix("https://"))?;
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
                _ => (authority, None),
            };
            let is_port = port.is_none_or(|port| port == "*" || port.parse::<u16>().is_ok());
            (is_port && is_host(host)).then_some(())
        };
        match is_valid() {
            Some(()) => Ok(Self(text.to_owned())),
            None => Err(InvalidFrameAncestor(text.to_owned())),
        }
    }
}

impl fmt::Display for FrameAncestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_of_pages_is_read() {
        for good in [
            "http://127.0.0.1:*",
            "https://home.example",
            "https://*.example.org:8123",
            "http://grafana",
        ] {
            let read: FrameAncestor = good.parse().expect(good);
            assert_eq!(read.to_string(), good);
        }
    }

    #[test]
    fn text_that_could_change_a_policy_is_refused() {
        for bad in [
            "",
            "*",
            "'none'",
            "https://",
            "https://a/path",
            "https://a;script-src *",
            "https://a b",
            "https://a,b",
            "https://a:99999",
            "http://[::1]:3000",
            "https://a\r\nx: y",
            "javascript://a",
            "https://.a",
        ] {
            assert!(bad.parse::<FrameAncestor>().is_err(), "{bad}");
        }
    }
}
