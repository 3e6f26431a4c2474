//! Hosts of signalling servers that the page may use besides its own.

use std::fmt;
use std::str::FromStr;

/// A name of a host, also as `*.example.org` for all below one, or an IPv4 address; at any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignallingHost(String);

/// This is no host: see [`SignallingHost`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a host for the page: a name or an IPv4 address without scheme and port, or *.example.org; browsers \
     take no IPv6 address here"
)]
pub struct InvalidSignallingHost(String);

impl SignallingHost {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SignallingHost {
    type Err = InvalidSignallingHost;

    fn from_str(text: &str) -> Result<Self, InvalidSignallingHost> {
        if is_host(text) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidSignallingHost(text.to_owned()))
        }
    }
}

impl fmt::Display for SignallingHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a policy takes as a host: a name, perhaps of all below one, or an IPv4 address; browsers know no IPv6 address
/// there. Nothing here may end a directive.
pub(crate) fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_a_policy_read() {
        for good in ["cam.example", "*.cam.example", "192.0.2.1", "cam"] {
            let read: SignallingHost = good.parse().expect(good);
            assert_eq!(read.to_string(), good);
        }
        for bad in [
            "", "*", "*.", "a:1", "ws://a", "a b", "a;b", "[::1]", ".a", "a/b",
        ] {
            assert!(bad.parse::<SignallingHost>().is_err(), "{bad}");
        }
    }
}
