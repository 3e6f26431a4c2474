//! The settings of TLS, and what the server makes of them.

use std::path::PathBuf;
use std::time::Duration;

use wigwag_server::{
    AcmeConfig, ClientCertificates, LETS_ENCRYPT, TlsConfig, TlsFiles, TlsSource, TlsVersion,
    WATCH_INTERVAL,
};

use super::unfit::Unfit;

/// The unit's and the container's own folder; nobody else may write there.
const ACME_FOLDER: &str = "/var/lib/wigwag/acme";

/// The sections `tls`, `tls.acme` and `tls.client_certificates`.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) minimum_version: TlsVersion,
    pub(super) watch_interval: Duration,
    pub(super) hsts_max_age: Duration,
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
            hsts_max_age: Duration::ZERO,
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
    /// All that is set and demands something that is not, and two certificates.
    pub(super) fn config(&self) -> Result<Option<TlsConfig>, Vec<Unfit>> {
        let source = self.source().map_err(|unfit| vec![unfit])?;
        let unfit = match source {
            Some(_) => self.unfit_for_clients(),
            None => self.unfit_without_certificate(),
        };
        if !unfit.is_empty() {
            return Err(unfit);
        }
        let authority = self.clients.authority.clone();
        Ok(source.map(|source| TlsConfig {
            source,
            client_certificates: authority.map(|authority| ClientCertificates {
                authority,
                required: self.clients.required,
            }),
            minimum_version: self.minimum_version,
            watch_interval: self.watch_interval,
            hsts_max_age: self.hsts_max_age,
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

    fn unfit_for_clients(&self) -> Vec<Unfit> {
        if self.clients.required && self.clients.authority.is_none() {
            let given = "tls.client_certificates.required";
            return vec![Unfit::Missing(given, "tls.client_certificates.authority")];
        }
        Vec::new()
    }

    /// What makes no sense in plain text: whoever set it counts on TLS, and would not notice that there is none.
    fn unfit_without_certificate(&self) -> Vec<Unfit> {
        let default = Self::default();
        let (acme, clients) = (&self.acme, &self.clients);
        let missing = [
            (
                clients.authority.is_some(),
                "tls.client_certificates.authority",
                "tls.certificate",
            ),
            (
                clients.required,
                "tls.client_certificates.required",
                "tls.certificate",
            ),
            (
                self.minimum_version != default.minimum_version,
                "tls.minimum_version",
                "tls.certificate",
            ),
            (
                self.hsts_max_age != default.hsts_max_age,
                "tls.hsts_max_age",
                "tls.certificate",
            ),
            (
                acme.contact != default.acme.contact,
                "tls.acme.contact",
                "tls.acme.domains",
            ),
            (
                acme.cache_directory != default.acme.cache_directory,
                "tls.acme.cache_directory",
                "tls.acme.domains",
            ),
            (
                acme.directory_url != default.acme.directory_url,
                "tls.acme.directory_url",
                "tls.acme.domains",
            ),
            (
                acme.authority != default.acme.authority,
                "tls.acme.authority",
                "tls.acme.domains",
            ),
        ];
        missing
            .into_iter()
            .filter_map(|(is_set, given, missing)| is_set.then_some(Unfit::Missing(given, missing)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing after a change of the default.
    fn missing(change: impl FnOnce(&mut Tls)) -> Vec<Unfit> {
        let mut tls = Tls::default();
        change(&mut tls);
        tls.config().expect_err("not in plain text")
    }

    #[test]
    fn nothing_that_is_about_tls_is_served_in_plain_text() {
        assert_eq!(Tls::default().config(), Ok(None));
        let domains = |given| vec![Unfit::Missing(given, "tls.acme.domains")];
        assert_eq!(
            missing(|tls| tls.acme.contact = vec!["you@example.org".to_owned()]),
            domains("tls.acme.contact")
        );
        assert_eq!(
            missing(|tls| tls.acme.cache_directory = "acme".into()),
            domains("tls.acme.cache_directory")
        );
        assert_eq!(
            missing(|tls| tls.acme.directory_url = "https://localhost/".to_owned()),
            domains("tls.acme.directory_url")
        );
        assert_eq!(
            missing(|tls| tls.acme.authority = Some("ca.pem".into())),
            domains("tls.acme.authority")
        );
        let certificate = |given| Unfit::Missing(given, "tls.certificate");
        assert_eq!(
            missing(|tls| tls.minimum_version = TlsVersion::Tls13),
            [certificate("tls.minimum_version")]
        );
        assert_eq!(
            missing(|tls| {
                tls.clients.authority = Some("ca.pem".into());
                tls.clients.required = true;
            }),
            [
                certificate("tls.client_certificates.authority"),
                certificate("tls.client_certificates.required")
            ]
        );
    }

    #[test]
    fn an_order_of_a_certificate_needs_its_names_alone() {
        let mut tls = Tls::default();
        tls.acme.domains = vec!["signalling.example.org".to_owned()];
        tls.minimum_version = TlsVersion::Tls13;
        let config = tls.config().expect("right").expect("TLS");
        assert_eq!(config.source, TlsSource::Acme(tls.acme.clone()));
        tls.clients.required = true;
        let authority = "tls.client_certificates.authority";
        let missing = Unfit::Missing("tls.client_certificates.required", authority);
        assert_eq!(tls.config(), Err(vec![missing]));
    }
}
