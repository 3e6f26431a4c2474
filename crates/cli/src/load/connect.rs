//! From an address to a stream of bytes, encrypted if the address says so.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::arguments::LoadArguments;
use super::target::Target;

/// TCP, or TLS over it.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// How to reach a server.
#[derive(Clone)]
pub(super) struct Way {
    target: Target,
    tls: Option<Arc<ClientConfig>>,
}

impl Way {
    /// Fails if nobody can be trusted as the arguments say.
    pub(super) fn new(arguments: &LoadArguments) -> Result<Self, String> {
        let target = arguments.target.clone();
        let tls = target.is_secure.then(|| client_config(arguments));
        Ok(Self {
            target,
            tls: tls.transpose()?,
        })
    }

    /// Without encryption.
    #[cfg(test)]
    pub(super) fn to(target: &Target) -> Self {
        Self {
            target: target.clone(),
            tls: None,
        }
    }

    pub(super) async fn open(&self) -> Result<Box<dyn ByteStream>, String> {
        let target = &self.target;
        let address = target.authority();
        let tcp = TcpStream::connect((target.host(), target.port()))
            .await
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        // Messages are short, and joins are timed.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = ServerName::try_from(target.host().to_owned())
            .map_err(|_| format!("{} is neither a name nor an address", target.host()))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
        let stream = stream.map_err(|error| format!("no TLS with {address}: {error}"))?;
        Ok(Box::new(stream))
    }
}

fn client_config(arguments: &LoadArguments) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if arguments.insecure_tls {
        Arc::new(Anyone(provider.signature_verification_algorithms))
    } else if let Some(path) = &arguments.cafile {
        named_authorities(path, &provider)
            .map_err(|reason| format!("cannot trust what is in {}: {reason}", path.display()))?
    } else {
        let verifier = Verifier::new(Arc::clone(&provider));
        Arc::new(verifier.map_err(|error| {
            format!("the system's certificate authorities cannot be used: {error}")
        })?)
    };
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn named_authorities(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate in PEM form".to_owned());
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| error.to_string())
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
