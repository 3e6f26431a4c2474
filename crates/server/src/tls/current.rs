//! What new handshakes are given. It is replaced in one step; those that have begun keep what they were given.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::watch;

use crate::tls::certificate::Certificate;
use crate::tls::terms::Terms;

/// The certificate in use, the terms in force, and the offer that follows from both.
pub(crate) struct Current(watch::Sender<InForce>);

struct InForce {
    certificate: Option<Certificate>,
    terms: Terms,
    offer: Arc<ServerConfig>,
}

impl InForce {
    fn new(certificate: Option<Certificate>, terms: Terms) -> Self {
        let resolver: Arc<dyn ResolvesServerCert> = match &certificate {
            Some(certificate) => {
                Arc::new(SingleCertAndKey::from(Arc::clone(&certificate.certified)))
            }
            None => Arc::new(NoCertificate),
        };
        Self {
            offer: terms.offer(resolver),
            certificate,
            terms,
        }
    }
}

impl Current {
    pub(crate) fn new(certificate: Option<Certificate>, terms: Terms) -> Self {
        Self(watch::Sender::new(InForce::new(certificate, terms)))
    }

    /// What the next handshake is given.
    pub(crate) fn offer(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow().offer)
    }

    /// The certificate in use, once there is one.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        self.0.borrow().certificate.clone()
    }

    /// Has the certificate in use from now on. True if it is another than before.
    pub(crate) fn set_certificate(&self, certificate: Certificate) -> bool {
        self.replace(Some(certificate), None)
    }

    /// Has the terms in force from now on.
    pub(crate) fn set_terms(&self, terms: Terms) {
        self.replace(None, Some(terms));
    }

    /// Both in one step. True if the certificate is another than before.
    pub(crate) fn set(&self, certificate: Certificate, terms: Terms) -> bool {
        self.replace(Some(certificate), Some(terms))
    }

    fn replace(&self, certificate: Option<Certificate>, terms: Option<Terms>) -> bool {
        let mut is_other = false;
        self.0.send_modify(|now| {
            if let Some(new) = &certificate {
                is_other = !now.certificate.as_ref().is_some_and(|old| old.is_same(new));
            }
            let certificate = certificate.or_else(|| now.certificate.clone());
            *now = InForce::new(certificate, terms.unwrap_or_else(|| now.terms.clone()));
        });
        is_other
    }

    /// Ready when something was replaced since the last call with this receiver.
    pub(crate) fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

/// Hears of replacements.
pub(crate) struct Changes(watch::Receiver<InForce>);

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
