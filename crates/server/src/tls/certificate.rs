//! A certificate with its key, as it is read and checked. Any problem is an error: there is no way from here to plain text.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use crate::error::TlsError;
use crate::host::AllowedHost;
use crate::tls::settings::TlsFiles;

/// A certificate, its chain and its key, which belong together.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) validity: Validity,
    /// The names of servers in it.
    pub(crate) names: Arc<[AllowedHost]>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: ASN1Time,
    pub(crate) to: ASN1Time,
}

impl Certificate {
    /// Reads a certificate that is valid now.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let chain = parse_certificates(&read(&files.certificate)?, &files.certificate)?;
        let key = parse_key(&read(&files.key)?, &files.key)?;
        // Orchestrators mount keys like that, so it is used.
        if can_be_read_by_all(&files.key) {
            let key = files.key.display();
            tracing::warn!(%key, "all users of this machine can read the private key: chmod 0640 it, or stricter");
        }
        let certificate = Self::new(chain, key, &files.certificate, &files.key)?;
        // Clients refuse a certificate that is out of date; better to say so here than to let each find out.
        if certificate.validity.holds_at(ASN1Time::now()) {
            return Ok(certificate);
        }
        Err(TlsError::NotValidNow {
            path: files.certificate.clone(),
            from: certificate.validity.from.to_string(),
            to: certificate.validity.to.to_string(),
        })
    }

    /// Reads key and certificate from one text, valid now or not; `path` is where it comes from.
    pub(crate) fn parse(text: &[u8], path: &Path) -> Result<Self, TlsError> {
        let chain = parse_certificates(text, path)?;
        Self::new(chain, parse_key(text, path)?, path, path)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        certificate_path: &Path,
        key_path: &Path,
    ) -> Result<Self, TlsError> {
        let (_, parsed) =
            parse_x509_certificate(&chain[0]).map_err(|error| damaged(certificate_path, &error))?;
        let (validity, names) = (Validity::of(&parsed), names_of(&parsed));
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|source| {
            TlsError::Mismatch {
                certificate: certificate_path.into(),
                key: key_path.into(),
                source,
            }
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            validity,
            names,
        })
    }

    /// How many certificates a client is shown.
    pub(crate) fn chain_length(&self) -> usize {
        self.certified.cert.len()
    }

    /// Whether both are the same to a client.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

impl Validity {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            from: validity.not_before,
            to: validity.not_after,
        }
    }

    fn holds_at(self, now: ASN1Time) -> bool {
        self.from <= now && now <= self.to
    }

    pub(crate) fn begins(self) -> SystemTime {
        system_time(self.from)
    }

    pub(crate) fn ends(self) -> SystemTime {
        system_time(self.to)
    }
}

/// The names of servers that a certificate is for (RFC 9525, 6.1); browsers look at no others.
fn names_of(certificate: &X509Certificate<'_>) -> Arc<[AllowedHost]> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map(|extension| extension.value.general_names.as_slice());
    let names = alternatives.unwrap_or_default().iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => name.parse().ok(),
            _ => None,
        })
        // An entry that allows any name is none of a host.
        .filter(|name| *name != AllowedHost::Any)
        .collect()
}

/// What came before 1970 is as past as that.
fn system_time(time: ASN1Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0))
}

/// The library that does the arithmetic.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Not empty if it succeeds.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    parse_certificates(&read(path)?, path)
}

/// Not empty if it succeeds.
fn parse_certificates(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| damaged(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.into() });
    }
    Ok(certificates)
}

fn parse_key(text: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.into() },
        error => damaged(path, &error),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.into(),
        source,
    })
}

/// Whether all users of this machine can read a file.
fn can_be_read_by_all(path: &Path) -> bool {
    let mode = fs::metadata(path).map(|found| found.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o004 != 0)
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Damaged {
        path: path.into(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_all_users_can_read_found() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its own");
            assert_eq!(can_be_read_by_all(file.path()), is_open, "{mode:o}");
        }
    }
}
