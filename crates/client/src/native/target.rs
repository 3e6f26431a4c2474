//! Which server to connect to, and how, from a [`NativeConfig`]. All that can be wrong with the
//! configuration by itself is found here.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use tokio_tungstenite::tungstenite::http::uri::{Authority, Uri};

use super::config::NativeConfig;
use super::credentials::{basic_authorization, without_credentials};
use crate::error::SignallerError;
use crate::trust::Trust;

pub(crate) struct Target {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    uri: Uri,
    headers: HeaderMap,
}

pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

impl Target {
    pub(crate) fn new(config: &NativeConfig) -> Result<Self, SignallerError> {
        let (uri, userinfo) = without_credentials(config.uri.trim());
        let uri: Uri = uri
            .parse()
            .map_err(|error| invalid_uri(format!("{error}")))?;
        let secure = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("ws") => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("wss") => true,
            Some(other) => {
                let reason = format!("{other}:// is neither ws:// nor wss://");
                return Err(invalid_uri(reason));
            }
            None => return Err(invalid_uri("it begins with neither ws:// nor wss://")),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        if host.is_empty() {
            return Err(invalid_uri("it has no host"));
        }
        let port = match uri.port() {
            Some(port) => port.as_u16(),
            // `Uri` passes over a port that is none.
            None if authority.len() > uri.host().map_or(0, str::len) => {
                return Err(invalid_uri("its port is not a number up to 65535"));
            }
            None if secure => 443,
            None => 80,
        };
        let tls = if secure {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| invalid_uri("its host is neither a name nor an address"))?;
            let trust = Trust {
                cafile: config.cafile.clone(),
                insecure_tls: config.insecure_tls,
            };
            let config = trust.client_config()?;
            Some(Tls { config, name })
        } else {
            None
        };
        let mut headers = headers(&config.headers)?;
        if let Some(userinfo) = userinfo
            && !headers.contains_key(AUTHORIZATION)
        {
            let value = HeaderValue::try_from(basic_authorization(userinfo));
            let mut value = value.map_err(|_| invalid_uri("its credentials are too long"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self {
            host,
            port,
            tls,
            headers,
            uri,
        })
    }

    /// A request for a WebSocket, with a fresh key.
    pub(crate) fn request(&self) -> Result<Request, SignallerError> {
        let mut request = self
            .uri
            .clone()
            .into_client_request()
            .map_err(|error| invalid_uri(error.to_string()))?;
        for (name, value) in &self.headers {
            if name == HOST {
                request.headers_mut().insert(name, value.clone());
            } else {
                request.headers_mut().append(name, value.clone());
            }
        }
        Ok(request)
    }
}

/// Host and port, as in a URI.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

fn headers(configured: &[(String, String)]) -> Result<HeaderMap, SignallerError> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let invalid = |reason| SignallerError::InvalidHeader {
            name: name.clone(),
            reason,
        };
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| invalid("this is no name of a header"))?;
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|_| invalid("its value has characters that no header may have"))?;
        let ours = [CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&parsed)
            || parsed.as_str().starts_with("sec-websocket-");
        if ours {
            return Err(invalid("it belongs to the opening of the WebSocket"));
        }
        value.set_sensitive(true);
        let added = headers.try_append(parsed, value);
        added.map_err(|_| invalid("there are too many headers"))?;
    }
    Ok(headers)
}

fn invalid_uri(reason: impl Into<String>) -> SignallerError {
    SignallerError::InvalidUri {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Role;
    use super::*;
    use crate::meta::MetaValue;

    fn target(uri: &str, headers: &[(&str, &str)]) -> Result<Target, SignallerError> {
        let role = Role::Producer {
            meta: MetaValue::Null,
        };
        Target::new(&NativeConfig {
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            insecure_tls: true,
            ..NativeConfig::new(uri, role)
        })
    }

    fn refusal(uri: &str, headers: &[(&str, &str)]) -> String {
        match target(uri, headers) {
            Ok(target) => panic!("{target} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn uris_are_read() {
        for (uri, address, path, secure) in [
            ("ws://127.0.0.1:8443", "127.0.0.1:8443", "/", false),
            ("ws://cam.example/a?b=c", "cam.example:80", "/a?b=c", false),
            ("WSS://cam.example", "cam.example:443", "/", true),
            (" wss://[::1]:8443/x ", "[::1]:8443", "/x", true),
        ] {
            let target = target(uri, &[]).expect(uri);
            assert_eq!(target.to_string(), address);
            assert_eq!(target.tls.is_some(), secure, "{uri}");
            let request = target.request().expect(uri);
            let asked = request.uri().path_and_query().expect("a path");
            assert_eq!(asked.as_str(), path);
        }
    }

    #[test]
    fn bad_uris_are_refused_with_a_reason() {
        for (uri, reason) in [
            ("", "empty"),
            ("127.0.0.1:8443", "neither ws:// nor wss://"),
            ("http://cam.example", "http:// is neither"),
            ("ws://me:secret@cam.example:", "port"),
            ("ws://cam.example:99999", "port"),
            ("ws://cam.example:", "port"),
            ("ws://:8443", "no host"),
            ("wss://under_score..example", "neither a name"),
        ] {
            let refusal = refusal(uri, &[]);
            assert!(refusal.contains(reason), "{uri}: {refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn credentials_become_a_header_unless_there_is_one() {
        let authorization = |headers: &[(&str, &str)]| {
            let target = target("ws://me:se%40cret@cam.example/x", headers).expect("valid");
            assert_eq!(target.to_string(), "cam.example:80");
            let request = target.request().expect("valid");
            assert_eq!(
                request.uri().authority().map(Authority::as_str),
                Some("cam.example")
            );
            let values: Vec<_> = request
                .headers()
                .get_all(AUTHORIZATION)
                .iter()
                .cloned()
                .collect();
            values
        };
        assert_eq!(authorization(&[]), ["Basic bWU6c2VAY3JldA=="]);
        assert_eq!(
            authorization(&[("authorization", "Bearer x")]),
            ["Bearer x"]
        );
    }

    #[test]
    fn headers_are_checked() {
        let target = target("ws://h", &[("X-One", "1"), ("x-one", "2"), ("Host", "cam")]);
        let request = target.expect("valid").request().expect("valid");
        let values: Vec<_> = request.headers().get_all("x-one").iter().collect();
        assert_eq!(values, ["1", "2"]);
        let hosts: Vec<_> = request.headers().get_all("host").iter().collect();
        assert_eq!(hosts, ["cam"]);
        for (name, value, reason) in [
            ("a b", "1", "no name"),
            ("x", "sec\nret", "characters"),
            ("Sec-WebSocket-Protocol", "x", "opening"),
            ("connection", "close", "opening"),
        ] {
            let refusal = refusal("ws://h", &[(name, value)]);
            assert!(refusal.contains(reason), "{refusal}");
            assert!(!refusal.contains("sec\nret"), "{refusal}");
        }
    }
}
