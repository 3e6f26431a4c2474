//! The settings of TLS.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::TlsError;

/// Let's Encrypt's directory for certificates that browsers trust.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How often files are looked at unless the configuration says otherwise.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// TLS as a server speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where the server's certificate comes from.
    pub source: TlsSource,
    /// Asks clients for certificates; none are asked for unless set.
    pub client_certificates: Option<ClientCertificates>,
    /// The oldest version that is spoken.
    pub minimum_version: TlsVersion,
    /// How often the files named here are looked at, to use what has taken their place; more than zero.
    pub watch_interval: Duration,
    /// How long browsers are to use nothing but TLS for the names in the certificate, at every port of theirs (RFC 6797);
    /// zero says nothing. The page says it.
    pub hsts_max_age: Duration,
}

impl TlsConfig {
    /// A certificate from this source for all clients, by TLS 1.2 and 1.3.
    pub fn new(source: TlsSource) -> Self {
        Self {
            source,
            client_certificates: None,
            minimum_version: TlsVersion::default(),
            watch_interval: WATCH_INTERVAL,
            hsts_max_age: Duration::ZERO,
        }
    }

    /// Files would be looked at all the time.
    pub(crate) fn check_interval(&self) -> Result<(), TlsError> {
        if self.watch_interval.is_zero() {
            return Err(TlsError::WatchInterval);
        }
        Ok(())
    }
}

impl From<TlsFiles> for TlsConfig {
    fn from(files: TlsFiles) -> Self {
        Self::new(TlsSource::Files(files))
    }
}

impl From<AcmeConfig> for TlsConfig {
    fn from(acme: AcmeConfig) -> Self {
        Self::new(TlsSource::Acme(acme))
    }
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// From files, which somebody else replaces in time.
    Files(TlsFiles),
    /// From an authority, ordered by an answer at the name that it is for (ACME, RFC 8555).
    Acme(AcmeConfig),
}

/// Where the server's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the certificate and the chain up to the authority.
    pub certificate: PathBuf,
    /// PEM file with the private key, not encrypted.
    pub key: PathBuf,
}

/// How a certificate is ordered. The authority connects to port 443 of each domain and is answered by this server
/// (TLS-ALPN-01, RFC 8737), so that port must lead here. To order is to agree to the authority's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeConfig {
    /// The names that the certificate is for, one at least. Neither addresses nor wildcards.
    pub domains: Vec<String>,
    /// Mail addresses that the authority may write to, or none.
    pub contact: Vec<String>,
    /// A folder for the account's key, the certificate and its key. It is made if it is missing; nobody else may be
    /// able to read it.
    pub cache_directory: PathBuf,
    /// The `https` address of the authority's directory.
    pub directory_url: String,
    /// PEM file with the authorities to verify the directory's own server against, in place of the system's.
    pub authority: Option<PathBuf>,
}

impl AcmeConfig {
    /// An order to Let's Encrypt.
    pub fn new(domains: Vec<String>, cache_directory: PathBuf) -> Self {
        Self {
            domains,
            contact: Vec::new(),
            cache_directory,
            directory_url: LETS_ENCRYPT.to_owned(),
            authority: None,
        }
    }
}

/// Which clients are served, by certificates of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM file with the authorities that clients' certificates must come from.
    pub authority: PathBuf,
    /// Whether a client without a certificate is refused. One with a wrong certificate always is.
    pub required: bool,
}

/// A version of TLS. There is no older one here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), which old clients need.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}
