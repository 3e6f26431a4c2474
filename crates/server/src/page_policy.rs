//! The content security policy of the page (CSP Level 3), which follows from the request: the page may connect to the host
//! that it came from, at any port, to those that the operator lists, and to the one that its own address names.
//!
//! The page asks a person before it connects to one that only its address names.

use axum::http::header::HeaderMap;
use axum::http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::frame_ancestor::FrameAncestor;
use crate::host::host_header;
use crate::signalling_host::{SignallingHost, is_host};

/// What the page does besides connecting: it runs its own script only.
const BASE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// What is the same for all requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct PagePolicy {
    /// Pages of other origins that may show the page in a frame.
    pub(crate) ancestors: Vec<FrameAncestor>,
    /// Hosts of signalling servers that the page may use besides its own.
    pub(crate) hosts: Vec<SignallingHost>,
    /// The address of the signalling server that the page gets.
    pub(crate) signalling: Option<String>,
}

impl PagePolicy {
    /// The policy for a page that is asked for with this head.
    pub(crate) fn header(&self, uri: &Uri, head: &HeaderMap) -> HeaderValue {
        let ancestors = self.ancestors.iter().map(|ancestor| format!(" {ancestor}"));
        let ancestors: String = ancestors.collect();
        let connect = self.connect_sources(uri, head);
        let policy = format!("{BASE}{ancestors}; connect-src 'self'{connect}");
        // All of it is checked text; the base alone is stricter.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(BASE))
    }

    fn connect_sources(&self, uri: &Uri, head: &HeaderMap) -> String {
        let own = host_header(head).map(without_port);
        let mut sources: Vec<String> = Vec::new();
        let mut add = |source: String| {
            if !sources.contains(&source) {
                sources.push(source);
            }
        };
        own.map(sources_of)
            .unwrap_or_default()
            .into_iter()
            .for_each(&mut add);
        for host in &self.hosts {
            sources_of(host.as_str()).into_iter().for_each(&mut add);
        }
        let named = self.signalling.clone().into_iter().chain(asked_for(uri));
        for address in named {
            // One without a host is at the page's own, at another port.
            if let Some(host) = host_of(&address) {
                sources_of(host).into_iter().for_each(&mut add);
            }
        }
        sources.iter().map(|source| format!(" {source}")).collect()
    }
}

/// A host at any port. A policy cannot name an IPv6 address, so that is any; what is no host is none.
fn sources_of(host: &str) -> Vec<String> {
    if is_host(host) {
        ["ws", "wss"]
            .map(|scheme| format!("{scheme}://{host}:*"))
            .into()
    } else if host.starts_with('[') {
        vec!["ws:".to_owned(), "wss:".to_owned()]
    } else {
        Vec::new()
    }
}

/// The address of the signalling server that the query of the page names.
fn asked_for(uri: &Uri) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let named = pairs
        .filter_map(|pair| pair.strip_prefix("signalling="))
        .next()?;
    let named = named.replace('+', " ");
    let address = percent_decode_str(&named).decode_utf8().ok()?;
    Some(address.trim().to_owned())
}

/// The host of an address of a signalling server, if it names one.
fn host_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let is_signalling = ["ws", "wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest
        .split(['/', '?', '#'])
        .next()
        .filter(|_| is_signalling)?;
    Some(without_port(authority)).filter(|host| !host.is_empty() && !host.contains('*'))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::HOST;
    use proptest::prelude::*;

    use super::*;

    fn policy(policy: &PagePolicy, host: &str, uri: &str) -> String {
        let mut head = HeaderMap::new();
        head.insert(HOST, host.parse().expect("a value"));
        let uri = uri.parse().expect("an address");
        policy
            .header(&uri, &head)
            .to_str()
            .expect("text")
            .to_owned()
    }

    fn connect_sources(given: &PagePolicy, host: &str, uri: &str) -> String {
        let policy = policy(given, host, uri);
        let (_, sources) = policy
            .split_once("connect-src 'self'")
            .expect("a directive");
        sources.trim().to_owned()
    }

    #[test]
    fn whole_policy_of_the_page_is_as_narrow_as_what_it_does() {
        assert_eq!(
            policy(&PagePolicy::default(), "cam.example:8443", "/"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
             connect-src 'self' ws://cam.example:* wss://cam.example:*"
        );
        let given = PagePolicy {
            ancestors: vec!["https://home.example".parse().expect("an ancestor")],
            ..PagePolicy::default()
        };
        let policy = policy(&given, "cam.example", "/");
        assert!(
            policy.contains("; frame-ancestors 'self' https://home.example; connect-src "),
            "{policy}"
        );
    }

    #[test]
    fn page_connects_to_listed_hosts_and_the_one_that_its_address_names() {
        let given = PagePolicy {
            hosts: vec!["*.home.example".parse().expect("a host")],
            signalling: Some("wss://linked.example:8443/path".to_owned()),
            ..PagePolicy::default()
        };
        assert_eq!(
            connect_sources(
                &given,
                "192.0.2.1:8080",
                "/?latency=smooth&signalling=wss%3A%2F%2Felse.example%3A1"
            ),
            "ws://192.0.2.1:* wss://192.0.2.1:* ws://*.home.example:* wss://*.home.example:* \
             ws://linked.example:* wss://linked.example:* ws://else.example:* wss://else.example:*"
        );
        let given = PagePolicy {
            signalling: Some("ws://:8443".to_owned()),
            ..PagePolicy::default()
        };
        assert_eq!(
            connect_sources(&given, "a", "/?signalling=%3A9000"),
            "ws://a:* wss://a:*"
        );
        // No policy can name these.
        assert_eq!(connect_sources(&given, "[::1]:8080", "/"), "ws: wss:");
    }

    #[test]
    fn address_that_would_change_the_policy_adds_no_directive() {
        for named in [
            "ws://a;script-src *",
            "ws://a b",
            "ws://a,b",
            "http://else.example",
            "ws://",
            "ws://*.example",
        ] {
            let uri = format!(
                "/?signalling={}",
                percent_encoding::utf8_percent_encode(named, percent_encoding::NON_ALPHANUMERIC)
            );
            let sources = connect_sources(&PagePolicy::default(), "a", &uri);
            assert_eq!(sources, "ws://a:* wss://a:*", "{named}");
        }
    }

    proptest! {
        #[test]
        fn any_request_gets_one_policy(query in "[!-~&&[^#]]{0,60}", host in "[ -~]{0,40}") {
            let mut head = HeaderMap::new();
            head.insert(HOST, HeaderValue::try_from(host).expect("a value"));
            if let Ok(uri) = format!("/?signalling={query}").parse() {
                let policy = PagePolicy::default().header(&uri, &head);
                let policy = policy.to_str().expect("text");
                prop_assert!(policy.starts_with(BASE));
                prop_assert_eq!(policy.matches(';').count(), BASE.matches(';').count() + 1);
                prop_assert!(!policy.contains(','));
            }
        }
    }
}
