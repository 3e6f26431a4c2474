//! What stands in the place of ACME in a build without the feature `acme`: an order is an error of the configuration.

use std::sync::Arc;

use rustls::server::ClientHello;

use crate::error::TlsError;
use crate::tls::certificate::Certificate;
use crate::tls::settings::AcmeConfig;
use crate::tls::state::TlsState;

/// There is none.
pub(crate) enum Acme {}

impl Acme {
    pub(crate) fn open(_config: &AcmeConfig) -> Result<Self, TlsError> {
        Err(TlsError::AcmeIsAbsent)
    }

    pub(crate) fn check(_config: &AcmeConfig) -> Result<(), TlsError> {
        Err(TlsError::AcmeIsAbsent)
    }

    pub(crate) fn kept_certificate(&self) -> Option<Certificate> {
        match *self {}
    }

    pub(crate) fn answer(&self) -> Arc<rustls::ServerConfig> {
        match *self {}
    }

    pub(crate) async fn keep(&self, _current: &Arc<TlsState>) {
        match *self {}
    }
}

pub(crate) fn is_tls_alpn_challenge(_hello: &ClientHello<'_>) -> bool {
    false
}
