//! The parameters of handshakes: versions, and the certificates that clients must have.

use std::path::Path;
use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use crate::error::TlsError;
use crate::tls::certificate::{provider, read_certificates};
use crate::tls::settings::{TlsConfig, TlsVersion};

/// All that does not depend on the server's certificate.
#[derive(Clone, Debug)]
pub(crate) struct TlsParameters {
    clients: Arc<dyn ClientCertVerifier>,
    minimum_version: TlsVersion,
}

impl TlsParameters {
    /// Reads the authorities of clients.
    pub(crate) fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let clients = match &config.client_certificates {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(wanted) => {
                let roots = Arc::new(authorities(&wanted.authority)?);
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let builder = if wanted.required {
                    builder
                } else {
                    builder.allow_unauthenticated()
                };
                builder.build().map_err(|error| TlsError::Authority {
                    path: wanted.authority.clone(),
                    reason: error.to_string(),
                })?
            }
        };
        Ok(Self {
            clients,
            minimum_version: config.minimum_version,
        })
    }

    /// The configuration of a server with this certificate. It resumes no session of another one: a client that was
    /// let in by other parameters is checked again.
    pub(crate) fn offer(&self, certificate: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
        let versions: &[_] = match self.minimum_version {
            TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("the provider has cipher suites of TLS 1.2 and 1.3")
            .with_client_cert_verifier(Arc::clone(&self.clients))
            .with_cert_resolver(certificate);
        // WebSocket needs HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// The authorities in a file; not empty if it succeeds.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Authority {
                path: path.into(),
                reason: error.to_string(),
            })?;
    }
    Ok(roots)
}
