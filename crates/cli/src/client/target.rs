//! Where the sender is found.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Authority;
use wigwag_client::{basic_authorization, without_credentials};

/// A signalling server or a WHEP endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) protocol: Protocol,
    pub(crate) is_secure: bool,
    /// What an Authorization header says for the credentials that stood in the address.
    authorization: Option<String>,
}

/// How one asks for media there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Whep,
}

impl Target {
    /// Without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(host)
    }

    pub(crate) fn port(&self) -> u16 {
        let default = if self.is_secure { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(default)
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.host().parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host().eq_ignore_ascii_case("localhost"),
        }
    }

    /// Host and port as they stand in the address, for people and for the Host header.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", Authority::as_str)
    }

    /// The value of an Authorization header, if the address held credentials.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// What is asked of the server, for HTTP.
    #[cfg(any(test, feature = "load"))]
    pub(crate) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (uri, userinfo) = without_credentials(text.trim());
        let uri: Uri = uri.parse().map_err(|error| format!("{error}"))?;
        let (protocol, is_secure) = match uri.scheme_str() {
            Some("ws") => (Protocol::Json, false),
            Some("wss") => (Protocol::Json, true),
            Some("http") => (Protocol::Whep, false),
            Some("https") => (Protocol::Whep, true),
            _ => return Err("it begins with ws://, wss://, http:// or https://".to_owned()),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        if uri.host().is_none_or(str::is_empty) {
            return Err("it has no host".to_owned());
        }
        // The parser passes over a port that is none.
        if uri.port().is_none() && authority.len() > uri.host().map_or(0, str::len) {
            return Err("its port is not a number up to 65535".to_owned());
        }
        Ok(Self {
            uri,
            protocol,
            is_secure,
            authorization: userinfo.map(basic_authorization),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, protocol, secure, host, port, path) in [
            (
                "ws://127.0.0.1:8443",
                Protocol::Json,
                false,
                "127.0.0.1",
                8443,
                "/",
            ),
            ("wss://[::1]/a?b", Protocol::Json, true, "::1", 443, "/a?b"),
            (
                "http://cam.example/whep",
                Protocol::Whep,
                false,
                "cam.example",
                80,
                "/whep",
            ),
            (
                "HTTPS://cam.example",
                Protocol::Whep,
                true,
                "cam.example",
                443,
                "/",
            ),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(
                (target.protocol, target.is_secure),
                (protocol, secure),
                "{text}"
            );
            assert_eq!((target.host(), target.port()), (host, port), "{text}");
            assert_eq!(target.path(), path);
        }
    }

    #[test]
    fn credentials_are_a_header_and_shown_nowhere() {
        let target: Target = "ws://me:secret@cam:8443/x".parse().expect("an address");
        assert_eq!(target.authorization(), Some("Basic bWU6c2VjcmV0"));
        assert_eq!((target.host(), target.authority()), ("cam", "cam:8443"));
        assert_eq!(target.to_string(), "ws://cam:8443/x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "cam",
            "rtsp://cam",
            "ws://",
            "ws://a:99999",
            "ws://me:secret@",
            "ws://me:secret@cam:",
        ] {
            let refused: Result<Target, _> = text.parse();
            let reason = refused.expect_err(text);
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
