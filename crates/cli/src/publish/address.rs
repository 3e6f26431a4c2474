//! The address of a source as a person writes it, taken apart: credentials, host, and what may be shown.
//!
//! Cameras' passwords hold `#`, `/`, `?` and `@`, and people write them as they are. RFC 3986 is read first; where what it
//! makes of an address cannot be meant, the last `@` ends the credentials.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// Where a source is found, without who asks for it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: String,
    /// As it was written, without credentials.
    uri: String,
    credentials: Option<Credentials>,
    host: Option<String>,
}

/// Who asks for a source.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Address {
    /// Takes an address apart.
    pub(crate) fn parse(text: &str) -> Self {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Self::without_credentials(text);
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // As RFC 3986 has it: credentials end at the last `@` of the authority.
        let standard = match authority.rsplit_once('@') {
            Some((credentials, _)) => (credentials, &rest[credentials.len() + 1..]),
            None => ("", rest),
        };
        let fragment = rest.split_once('#').map_or("", |(_, fragment)| fragment);
        let is_meant = !fragment.contains('@') && has_valid_host(scheme, standard.1);
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some(parts) if !is_meant => parts,
            _ => standard,
        };
        let mut address = Self::without_credentials(&format!("{scheme}://{rest}"));
        address.credentials = Credentials::parse(credentials);
        address
    }

    /// What GStreamer is to open.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// The same with credentials, for elements that ask for them in no other way.
    pub(crate) fn uri_with_credentials(&self) -> String {
        let Some(Credentials { user, password }) = &self.credentials else {
            return self.uri.clone();
        };
        let (scheme, rest) = self.uri.split_once("://").unwrap_or_default();
        let escape = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!("{scheme}://{}:{}@{rest}", escape(user), escape(password))
    }

    /// In small letters; empty if there is none.
    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The value of a key of the query.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let mut values = self.pairs().filter(|(name, _)| *name == key);
        values.find_map(|(_, value)| value)
    }

    /// Whether a switch is on in the query: a key without a value, or with another than 0.
    pub(crate) fn has_switch(&self, key: &str) -> bool {
        self.pairs()
            .any(|(name, value)| name == key && value != Some("0"))
    }

    /// The keys of the query, with their values.
    fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let uri = self.uri.split('#').next().unwrap_or_default();
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        })
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// A name or an IP address, in brackets if of IPv6; none if there is none, as of a listener.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port; none if there is none that is valid.
    pub(crate) fn port(&self) -> Option<u16> {
        let (_, rest) = self.uri.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        authority.rsplit_once(':')?.1.parse().ok()
    }

    fn without_credentials(uri: &str) -> Self {
        let (scheme, authority) = uri.split_once("://").unwrap_or_default();
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        Self {
            scheme: scheme.to_ascii_lowercase(),
            uri: uri.to_owned(),
            credentials: None,
            host: (!host.is_empty()).then(|| host.to_owned()),
        }
    }
}

/// What may be shown of it: no credentials and no query, which may hold a token; the scheme alone if an `@` is left, before
/// which may be the rest of a password.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.uri.split(['?', '#']).next().unwrap_or_default();
        if !self.uri.contains('@') {
            return formatter.write_str(shown);
        }
        write!(formatter, "{}://...", self.scheme)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

impl Credentials {
    /// `USER:PASSWORD`; escapes are read, if they are some.
    fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let read = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (!text.is_empty()).then(|| Self {
            user: read(user),
            password: read(password),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(..)")
    }
}

/// Whether what stands after the credentials begins with a host, and with a port if there is a colon.
fn has_valid_host(scheme: &str, rest: &str) -> bool {
    let url = Url::parse(&format!("{scheme}://{rest}"));
    let has_host = url.is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A colon without a port is more often one before a password.
    let has_host = has_host && !authority.ends_with(':');
    // A listener has a port alone; the same standard has no word for it.
    let is_listener = authority
        .strip_prefix(':')
        .is_some_and(|port| port.parse::<u16>().is_ok());
    has_host || is_listener
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The user, the password and what is left.
    fn parts(text: &str) -> (String, String, String) {
        let address = Address::parse(text);
        let who = address.credentials().cloned();
        let (user, password) = who.map_or_else(Default::default, |who| (who.user, who.password));
        (user, password, address.uri().to_owned())
    }

    fn is_read_as(text: &str, user: &str, password: &str, uri: &str) {
        let expected = (user.to_owned(), password.to_owned(), uri.to_owned());
        assert_eq!(parts(text), expected, "{text}");
    }

    #[test]
    fn address_of_the_standard_is_read_by_it() {
        is_read_as("rtsp://cam/x", "", "", "rtsp://cam/x");
        is_read_as("rtsp://admin@cam/x", "admin", "", "rtsp://cam/x");
        is_read_as(
            "rtsp://a:b@cam:554/x?y=1#z",
            "a",
            "b",
            "rtsp://cam:554/x?y=1#z",
        );
        is_read_as(
            "rtsp://a:p%40s%23%2Fs@[::1]:554/x",
            "a",
            "p@s#/s",
            "rtsp://[::1]:554/x",
        );
        is_read_as("rtsp://a:p@ss@cam/x", "a", "p@ss", "rtsp://cam/x");
        is_read_as("rtsp://a:b:c@cam/x", "a", "b:c", "rtsp://cam/x");
    }

    #[test]
    fn at_sign_in_a_path_or_query_is_no_end_of_credentials() {
        is_read_as("rtsp://cam/x?user=a@b", "", "", "rtsp://cam/x?user=a@b");
        is_read_as("rtsp://cam:554/a@b", "", "", "rtsp://cam:554/a@b");
        is_read_as("http://u:p@cam/a@b", "u", "p", "http://cam/a@b");
    }

    #[test]
    fn password_with_what_ends_an_authority_ends_at_the_last_at_sign() {
        for password in [
            "zebra#ss",
            "zebra/ss",
            "zebra?ss",
            "ze#br/a?s@s",
            "12#34",
            "a#b",
        ] {
            let written = format!("rtsp://admin:{password}@127.0.0.1:8554/test");
            is_read_as(&written, "admin", password, "rtsp://127.0.0.1:8554/test");
        }
        is_read_as(
            "rtsp://admin:1#2@cam/test",
            "admin",
            "1#2",
            "rtsp://cam/test",
        );
    }

    #[test]
    fn escape_that_is_none_is_taken_as_it_is() {
        is_read_as("rtsp://a:p%ss@cam/x", "a", "p%ss", "rtsp://cam/x");
        is_read_as("rtsp://a:p%25ss@cam/x", "a", "p%ss", "rtsp://cam/x");
    }

    #[test]
    fn credentials_are_escaped_where_an_address_has_to_hold_them() {
        let address = Address::parse("rtmp://a:b#c@cam/live?x=1");
        assert_eq!(
            address.uri_with_credentials(),
            "rtmp://a:b%23c@cam/live?x=1"
        );
        assert_eq!(
            Address::parse("srt://cam:1").uri_with_credentials(),
            "srt://cam:1"
        );
        assert_eq!(
            Address::parse("srt://cam:1?mode=caller").query("mode"),
            Some("caller")
        );
    }

    #[test]
    fn listener_has_no_host_and_no_credentials() {
        let address = Address::parse("srt://:7001?mode=listener");
        assert_eq!(address.host(), None);
        assert_eq!(address.uri(), "srt://:7001?mode=listener");
        assert_eq!(
            Address::parse("udp://@239.0.0.1:5004").host(),
            Some("239.0.0.1")
        );
    }

    #[test]
    fn host_is_what_stands_between_credentials_and_port() {
        let host = |text| Address::parse(text).host().map(str::to_owned);
        assert_eq!(
            host("rtsp://user:secret@camera.local:554/1").as_deref(),
            Some("camera.local")
        );
        assert_eq!(
            host("rtsp://[2001:db8::1]:554/1").as_deref(),
            Some("[2001:db8::1]")
        );
        assert_eq!(
            host("rtsp://admin:zebra#ss@10.0.0.7/1").as_deref(),
            Some("10.0.0.7")
        );
    }

    #[test]
    fn display_shows_neither_credentials_nor_query_nor_what_may_be_a_password() {
        let shown = |text| Address::parse(text).to_string();
        assert_eq!(
            shown("rtsp://user:p@ss@camera.local/live?token=x"),
            "rtsp://camera.local/live"
        );
        assert_eq!(shown("http://host"), "http://host");
        assert_eq!(shown("http://cam/ab@c/d"), "http://...");
        assert_eq!(shown("rtsp://cam/x?user=a@b"), "rtsp://...");
    }

    proptest! {
        #[test]
        fn password_of_any_characters_is_never_shown(password in "[a-zA-Z#/?:%&=+ ]{0,6}zebra[#/?@:%a-z]{0,6}") {
            let address = Address::parse(&format!("rtsp://admin:{password}@cam.example:554/live"));
            prop_assert!(!address.to_string().contains("zebra"), "{address}");
            prop_assert!(!address.host().unwrap_or_default().contains("zebra"), "{address:?}");
            let debug = format!("{address:?}");
            prop_assert!(!debug.contains("zebra"), "{}", debug);
        }

        #[test]
        fn address_of_any_text_is_taken_apart(text in ".{0,60}") {
            let address = Address::parse(&text);
            let _ = (address.to_string(), address.host().map(str::len));
        }
    }
}
