//! The settings of TLS, and what the server makes of them.

use std::path::PathBuf;
use std::time::Duration;

use wigwag_server::{
    AcmeConfig, ClientCertificates, LETS_ENCRYPT, TlsConfig, TlsFiles, TlsSource, TlsVersion,
    WATCH_INTERVAL,
};

use super::Unfit;

/// The unit's and the container's own folder; nobody else may write there.
const ACME_FOLDER: &str = "/var/lib/wigwag/acme";

/// The sections `tls`, `tls.acme` and `tls.client_certificates`.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) minimum_version: TlsVersion,
    pub(super) watch_interval: Duration,
    pub(super) acme: AcmeConfig,
    pub(super) clients: Clients,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    pub(super) authority: Option<PathBuf>,
    pub(super) required: bool,
}

impl Default for Tls {
    fn default() -> Self {
        let mut acme = AcmeConfig::new(Vec::new(), ACME_FOLDER.into());
        acme.directory_url = LETS_ENCRYPT.to_owned();
        Self {
            certificate: None,
            key: None,
            minimum_version: TlsVersion::default(),
            watch_interval: WATCH_INTERVAL,
            acme,
            clients: Clients::default(),
        }
    }
}

impl Tls {
    /// None for a server without TLS.
    ///
    /// # Errors
    ///
    /// What is set demands something that is not, or there are two certificates.
    pub(super) fn config(&self) -> Result<Option<TlsConfig>, Unfit> {
        let Some(source) = self.source()? else {
            let demands = self.clients.authority.is_some() || self.clients.required;
            if demands {
                // A server without TLS would let everybody in.
                let given = if self.clients.authority.is_some() {
                    "tls.client_certificates.authority"
                } else {
                    "tls.client_certificates.required"
                };
                return Err(Unfit::Missing(given, "tls.certificate"));
            }
            return Ok(None);
        };
        if self.clients.required && self.clients.authority.is_none() {
            let given = "tls.client_certificates.required";
            return Err(Unfit::Missing(given, "tls.client_certificates.authority"));
        }
        let authority = self.clients.authority.clone();
        Ok(Some(TlsConfig {
            source,
            client_certificates: authority.map(|authority| ClientCertificates {
                authority,
                required: self.clients.required,
            }),
            minimum_version: self.minimum_version,
            watch_interval: self.watch_interval,
        }))
    }

    fn source(&self) -> Result<Option<TlsSource>, Unfit> {
        let files = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (Some(_), None) => return Err(Unfit::Missing("tls.certificate", "tls.key")),
            (None, Some(_)) => return Err(Unfit::Missing("tls.key", "tls.certificate")),
            (None, None) => None,
        };
        match files {
            Some(_) if !self.acme.domains.is_empty() => {
                Err(Unfit::Both("tls.certificate", "tls.acme.domains"))
            }
            Some(files) => Ok(Some(TlsSource::Files(files))),
            None if self.acme.domains.is_empty() => Ok(None),
            None => Ok(Some(TlsSource::Acme(self.acme.clone()))),
        }
    }
}
