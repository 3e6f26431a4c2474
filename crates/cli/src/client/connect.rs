//! From an address to a stream of bytes, encrypted if the address says so.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(any(feature = "list", feature = "load"))]
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use wigwag_client::Trust;

use super::target::Target;

/// TCP, or TLS over it.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// How to reach a server.
#[derive(Clone)]
pub(crate) struct Way {
    target: Target,
    tls: Option<Arc<ClientConfig>>,
    /// A Unix socket in the place of the target's address.
    socket: Option<PathBuf>,
    /// Of each request, by name and value.
    headers: Vec<(String, String)>,
}

impl Way {
    /// Fails if nobody can be trusted as it is told.
    pub(crate) fn new(target: &Target, trust: &Trust) -> Result<Self, String> {
        let target = target.clone();
        let tls = target.is_secure.then(|| trust.client_config());
        let tls = tls.transpose().map_err(|error| error.to_string())?;
        let authorization = target.authorization();
        let authorization =
            authorization.map(|value| ("authorization".to_owned(), value.to_owned()));
        let headers = authorization.into_iter().collect();
        Ok(Self {
            target,
            tls,
            socket: None,
            headers,
        })
    }

    /// By a Unix socket; `target` is what requests name.
    pub(crate) fn by_socket(target: &Target, socket: PathBuf) -> Self {
        Self {
            target: target.clone(),
            tls: None,
            socket: Some(socket),
            headers: Vec::new(),
        }
    }

    /// The same with further headers; an `Authorization` goes before credentials of the address.
    #[cfg(feature = "load")]
    pub(crate) fn with_headers(mut self, headers: &[(String, String)]) -> Self {
        let is_authorization =
            |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
        if headers.iter().any(is_authorization) {
            self.headers.retain(|header| !is_authorization(header));
        }
        self.headers.extend_from_slice(headers);
        self
    }

    /// The headers of each request, checked.
    #[cfg(any(feature = "list", feature = "load"))]
    pub(crate) fn headers(&self) -> Result<HeaderMap, String> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let parsed = HeaderName::try_from(name.as_str());
            let parsed = parsed.map_err(|_| format!("{name} is no name of a header"))?;
            let value = HeaderValue::try_from(value.as_str());
            let mut value = value.map_err(|_| format!("the value of {name} cannot be sent"))?;
            value.set_sensitive(true);
            map.append(parsed, value);
        }
        Ok(map)
    }

    /// Without encryption.
    #[cfg(all(test, feature = "load"))]
    pub(crate) fn to(target: &Target) -> Self {
        Self {
            target: target.clone(),
            tls: None,
            socket: None,
            headers: Vec::new(),
        }
    }

    pub(crate) async fn open(&self) -> Result<Box<dyn ByteStream>, String> {
        if let Some(path) = &self.socket {
            let stream = UnixStream::connect(path).await;
            let failed = |error| format!("cannot connect to {}: {error}", path.display());
            return Ok(Box::new(stream.map_err(failed)?));
        }
        let target = &self.target;
        let address = target.authority();
        let tcp = TcpStream::connect((target.host(), target.port()))
            .await
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        // Messages are short, and joins are timed.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = ServerName::try_from(target.host().to_owned())
            .map_err(|_| format!("{} is neither a name nor an address", target.host()))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
        let stream = stream.map_err(|error| format!("no TLS with {address}: {error}"))?;
        Ok(Box::new(stream))
    }
}
