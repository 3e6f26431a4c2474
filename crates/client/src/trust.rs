//! Whom to trust. Verification is given up only where the configuration says so in as many words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use crate::error::SignallerError;

/// Whose certificates to take.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// PEM file with the authorities to verify servers against, in place of the system's. It may hold the server's own
    /// certificate.
    pub cafile: Option<PathBuf>,
    /// Does not verify servers at all: whoever stands in between can read and change everything.
    pub insecure_tls: bool,
}

impl Trust {
    /// TLS 1.2 and 1.3 for HTTP/1.1, which WebSockets need too.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no certificate, or the system's authorities cannot be used.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, SignallerError> {
        client_config(self)
    }
}

fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, SignallerError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if trust.insecure_tls {
        tracing::warn!("the signalling server's certificate is not verified (insecure TLS)");
        Arc::new(Anyone(provider.signature_verification_algorithms))
    } else if let Some(path) = &trust.cafile {
        Arc::new(NamedAuthorities::read(path, &provider)?)
    } else {
        let verifier = Verifier::new(Arc::clone(&provider));
        Arc::new(verifier.map_err(|error| SignallerError::SystemAuthorities {
            reason: error.to_string(),
        })?)
    };
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

/// What is wrong with a certificate that was refused, and what to do.
pub(crate) fn refusal(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        // The latter is an authority that has the name of one that is trusted, but another key.
        E::UnknownIssuer | E::BadSignature => {
            "it was issued by none of the authorities that are trusted; \
             name a file with the right one (cafile)"
                .to_owned()
        }
        E::NotValidForName => "it is for another host; use a name that it is for".to_owned(),
        E::NotValidForNameContext { presented, .. } if !presented.is_empty() => format!(
            "it is for another host ({}); use a name that it is for",
            presented.join(", ")
        ),
        E::NotValidForNameContext { .. } => "it names no host".to_owned(),
        E::Expired | E::ExpiredContext { .. } => {
            "it has expired; renew it, or set this machine's clock".to_owned()
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "it is not valid yet; set this machine's clock".to_owned()
        }
        other => other.to_string(),
    }
}

/// The authorities in a file, and no others. A server's own certificate in the file is trusted too,
/// even if it is marked as an authority's, as tools make self-signed ones.
#[derive(Debug)]
struct NamedAuthorities {
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl NamedAuthorities {
    fn read(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, SignallerError> {
        let unusable = |reason: String| SignallerError::CaFile {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let certificates = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("it holds none in PEM form".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|error| unusable(error.to_string()))?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            certificates,
            verifier,
        })
    }
}

impl ServerCertVerifier for NamedAuthorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.contains(end_entity) {
            check_validity(end_entity, now)?;
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let encoding = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, parsed) = parse_x509_certificate(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let now = ASN1Time::from_timestamp(seconds).map_err(encoding)?;
    let validity = parsed.validity();
    if now < validity.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Trusts whoever answers, as long as it has the key of the certificate that it shows.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// A self-signed certificate as `openssl req -x509` makes it: marked as an authority's.
    fn self_signed() -> (CertificateDer<'static>, NamedAuthorities) {
        let mut params = CertificateParams::new(["cam.example".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cert.pem");
        std::fs::write(&path, certificate.pem()).expect("written");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let authorities = NamedAuthorities::read(&path, &provider).expect("readable");
        (certificate.der().clone(), authorities)
    }

    fn verify(name: &str, year: u64) -> Result<(), Error> {
        let (certificate, authorities) = self_signed();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let years = Duration::from_secs((year - 1970) * 31_557_600);
        let now = UnixTime::since_unix_epoch(years);
        authorities
            .verify_server_cert(&certificate, &[], &name, &[], now)
            .map(|_| ())
    }

    #[test]
    fn the_servers_own_certificate_may_be_named() {
        verify("cam.example", 2025).expect("trusted");
    }

    #[test]
    fn its_name_and_its_time_count_all_the_same() {
        let refused = |name, year| match verify(name, year) {
            Err(Error::InvalidCertificate(error)) => refusal(&error),
            other => panic!("{other:?}"),
        };
        let refusal = refused("other.example", 2025);
        assert!(refusal.contains("another host ("), "{refusal}");
        assert!(refusal.contains("cam.example"), "{refusal}");
        assert!(refused("cam.example", 2035).contains("expired"));
        assert!(refused("cam.example", 2015).contains("not valid yet"));
    }

    #[test]
    fn others_are_not_trusted_for_it() {
        let (_, authorities) = self_signed();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["cam.example".to_owned()]).expect("a name");
        let other = params.self_signed(&key).expect("a certificate");
        let name = ServerName::try_from("cam.example").expect("a name");
        let now = UnixTime::now();
        let error = authorities.verify_server_cert(other.der(), &[], &name, &[], now);
        match error {
            Err(Error::InvalidCertificate(error)) => {
                let refusal = refusal(&error);
                assert!(refusal.contains("none of the authorities"), "{refusal}");
            }
            other => panic!("{other:?}"),
        }
    }
}
