//! Where the web server listens, and where its page finds the signalling server.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// An address to listen on, of which scheme, host and port count.
#[derive(Clone, Debug)]
pub(crate) struct HostAddress {
    text: String,
    pub(crate) secure: bool,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl HostAddress {
    /// Reads `http://host:port` or `https://host:port`; the port may be missing. The text of an error says
    /// what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let (secure, default_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err("it begins with neither http:// nor https://".to_owned()),
        };
        let host = uri.host().map(bare).unwrap_or_default();
        if host.is_empty() {
            return Err("it has no host".to_owned());
        }
        let port = port(&uri, default_port).ok_or("its port is not a number up to 65535")?;
        Ok(Self {
            // With the slash that may be left out.
            text: uri.to_string(),
            secure,
            host,
            port,
        })
    }
}

/// The published sink's default.
impl Default for HostAddress {
    fn default() -> Self {
        Self {
            text: "http://127.0.0.1:8080/".to_owned(),
            secure: false,
            host: "127.0.0.1".to_owned(),
            port: 8080,
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the sink signals.
#[derive(Debug)]
pub(crate) enum Signalling {
    /// At its own server: where that was told to listen, and its address for a client on this machine.
    Own { host: String, url: String },
    /// At another one.
    At(String),
}

impl Signalling {
    /// The address as browsers are to use it that have the page from `page`. Without a host it stands for
    /// the one that the browser has asked for the page (see `wigwag_server::page::index`).
    pub(crate) fn for_page_at(&self, page: &HostAddress) -> String {
        let (url, host) = match self {
            Self::Own { host, url } => (url, Some(host.as_str())),
            Self::At(url) => (url, None),
        };
        // Who the sink is at the server is nobody else's business.
        let (url, _) = wigwag_client::without_credentials(url);
        let uri = url.parse::<Uri>().unwrap_or_default();
        let default_port = if uri.scheme_str() == Some("wss") {
            443
        } else {
            80
        };
        let (Some(scheme), Some(port)) = (uri.scheme_str(), port(&uri, default_port)) else {
            // Whoever connects to it says what is wrong.
            return url;
        };
        let listens_at = bare(host.or_else(|| uri.host()).unwrap_or_default());
        let is_everywhere = reads_as(&listens_at, IpAddr::is_unspecified);
        // On the loopback interface of this machine: a browser elsewhere must not look on its own.
        let is_here = is_loopback(&listens_at) && !is_loopback(&page.host);
        let host = match listens_at {
            _ if is_everywhere || is_here => String::new(),
            address if address.contains(':') => format!("[{address}]"),
            name => name,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        format!("{scheme}://{host}:{port}{path}")
    }
}

/// The port; none if what stands there is none, which `Uri` passes over.
fn port(uri: &Uri, default: u16) -> Option<u16> {
    let authority = uri.authority()?;
    let (_, host_and_port) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    match uri.port_u16() {
        None if host_and_port.len() > authority.host().len() => None,
        port => Some(port.unwrap_or(default)),
    }
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> String {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || reads_as(host, IpAddr::is_loopback)
}

fn reads_as(host: &str, is: impl FnOnce(&IpAddr) -> bool) -> bool {
    host.parse().is_ok_and(|address| is(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(address: &str) -> HostAddress {
        HostAddress::parse(address).expect("an address")
    }

    #[test]
    fn addresses_are_read_as_users_write_them() {
        for (given, text, secure, host, port) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/",
                false,
                "127.0.0.1",
                8080,
            ),
            (
                "https://0.0.0.0:1/",
                "https://0.0.0.0:1/",
                true,
                "0.0.0.0",
                1,
            ),
            (
                "HTTP://Some.Host:0",
                "http://Some.Host:0/",
                false,
                "Some.Host",
                0,
            ),
            ("http://[::]:5", "http://[::]:5/", false, "::", 5),
            ("http://door", "http://door/", false, "door", 80),
            ("https://door", "https://door/", true, "door", 443),
        ] {
            let read = page(given);
            assert_eq!((read.to_string().as_str(), read.secure), (text, secure));
            assert_eq!((read.host.as_str(), read.port), (host, port), "{given}");
        }
        for bad in [
            "",
            "127.0.0.1:80",
            "door:80",
            "ftp://door",
            "http://",
            "http://a:99999",
        ] {
            assert!(HostAddress::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            page("http://127.0.0.1:8080").text,
            HostAddress::default().text
        );
    }

    #[test]
    fn the_page_is_told_its_own_host_where_the_own_server_listens_everywhere() {
        let own = |host: &str, url: &str| Signalling::Own {
            host: host.to_owned(),
            url: url.to_owned(),
        };
        for (host, url, told) in [
            ("0.0.0.0", "ws://127.0.0.1:8443/", "ws://:8443/"),
            ("::", "wss://[::1]:443/", "wss://:443/"),
            ("[::]", "wss://[::1]:9/", "wss://:9/"),
            // By the name that its certificate may be for.
            (
                "door.example",
                "wss://192.0.2.1:9/",
                "wss://door.example:9/",
            ),
            (
                "[2001:db8::1]",
                "ws://[2001:db8::1]:9/",
                "ws://[2001:db8::1]:9/",
            ),
            ("127.0.0.1", "ws://127.0.0.1:9/", "ws://:9/"),
        ] {
            let everywhere = page("http://0.0.0.0:8080");
            assert_eq!(own(host, url).for_page_at(&everywhere), told);
        }
        let here = page("http://localhost:8080");
        let told = own("127.0.0.2", "ws://127.0.0.2:9/").for_page_at(&here);
        assert_eq!(told, "ws://127.0.0.2:9/");
    }

    #[test]
    fn the_page_is_told_of_another_server_as_browsers_can_use_it() {
        for (address, uri, told) in [
            (
                "http://127.0.0.1:1",
                "ws://127.0.0.1:8443",
                "ws://127.0.0.1:8443/",
            ),
            (
                "http://0.0.0.0:1",
                "ws://127.0.0.1:8443/a?b=c",
                "ws://:8443/a?b=c",
            ),
            ("http://192.0.2.1:1", "wss://localhost", "wss://:443/"),
            (
                "http://0.0.0.0:1",
                "wss://door.example/a%20b",
                "wss://door.example:443/a%20b",
            ),
            ("http://0.0.0.0:1", "ws://user:word@door:1/", "ws://door:1/"),
            ("http://0.0.0.0:1", "nonsense", "nonsense"),
        ] {
            let other = Signalling::At(uri.to_owned());
            assert_eq!(other.for_page_at(&page(address)), told, "{uri}");
        }
    }
}
