//! The certificate and the parameters that new handshakes use, replaced in one step; those that have begun keep theirs.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::watch;

use crate::host::AllowedHost;
use crate::tls::certificate::Certificate;
use crate::tls::parameters::TlsParameters;

/// The certificate in use, the parameters in use, and the offer that follows from both.
pub(crate) struct TlsState(watch::Sender<InUse>);

struct InUse {
    certificate: Option<Certificate>,
    parameters: TlsParameters,
    offer: Arc<ServerConfig>,
}

impl InUse {
    fn new(certificate: Option<Certificate>, parameters: TlsParameters) -> Self {
        let resolver: Arc<dyn ResolvesServerCert> = match &certificate {
            Some(certificate) => {
                Arc::new(SingleCertAndKey::from(Arc::clone(&certificate.certified)))
            }
            None => Arc::new(NoCertificate),
        };
        Self {
            offer: parameters.offer(resolver),
            certificate,
            parameters,
        }
    }
}

impl TlsState {
    pub(crate) fn new(certificate: Option<Certificate>, parameters: TlsParameters) -> Self {
        Self(watch::Sender::new(InUse::new(certificate, parameters)))
    }

    /// The configuration for the next handshake.
    pub(crate) fn offer(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow().offer)
    }

    /// The certificate in use, once there is one.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        self.0.borrow().certificate.clone()
    }

    /// The names of servers in it.
    pub(crate) fn names(&self) -> Arc<[AllowedHost]> {
        let certificate = &self.0.borrow().certificate;
        let names = certificate
            .as_ref()
            .map(|certificate| Arc::clone(&certificate.names));
        names.unwrap_or_default()
    }

    /// Uses this certificate from now on. True if it is another than before.
    pub(crate) fn set_certificate(&self, certificate: Certificate) -> bool {
        self.replace(Some(certificate), None)
    }

    /// Uses these parameters from now on.
    pub(crate) fn set_parameters(&self, parameters: TlsParameters) {
        self.replace(None, Some(parameters));
    }

    /// Both in one step. True if the certificate is another than before.
    pub(crate) fn set(&self, certificate: Certificate, parameters: TlsParameters) -> bool {
        self.replace(Some(certificate), Some(parameters))
    }

    fn replace(&self, certificate: Option<Certificate>, parameters: Option<TlsParameters>) -> bool {
        let mut is_other = false;
        self.0.send_modify(|now| {
            if let Some(new) = &certificate {
                is_other = !now.certificate.as_ref().is_some_and(|old| old.is_same(new));
            }
            let certificate = certificate.or_else(|| now.certificate.clone());
            *now = InUse::new(
                certificate,
                parameters.unwrap_or_else(|| now.parameters.clone()),
            );
        });
        is_other
    }

    /// Ready when something was replaced since the last call with this receiver.
    pub(crate) fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

/// The replacements since a moment.
pub(crate) struct Changes(watch::Receiver<InUse>);

impl Changes {
    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nothing is served any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Fails every handshake.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
