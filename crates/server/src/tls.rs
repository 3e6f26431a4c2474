//! Certificate and key. Any problem with them is an error: there is no way from here to plain text.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::parse_x509_certificate;

use crate::config::TlsFiles;
use crate::error::TlsError;

/// An acceptor for TLS 1.2 and 1.3 with the certificate in `files`.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let certificates = read_certificates(&files.certificate)?;
    let key = read_key(&files.key)?;
    check_validity(&certificates[0], &files.certificate)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(|source| TlsError::Mismatch {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        })?;
    // WebSocket needs HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Not empty if it succeeds.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| damaged(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.into() });
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.into() },
        error => damaged(path, &error),
    })
}

/// Clients refuse a certificate that is out of date; better to say so here than to let each find out.
fn check_validity(certificate: &CertificateDer<'_>, path: &Path) -> Result<(), TlsError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|error| damaged(path, &error))?;
    let validity = parsed.validity();
    if validity.is_valid() {
        return Ok(());
    }
    Err(TlsError::NotValidNow {
        path: path.into(),
        from: validity.not_before.to_string(),
        to: validity.not_after.to_string(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.into(),
        source,
    })
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Damaged {
        path: path.into(),
        reason: error.to_string(),
    }
}
