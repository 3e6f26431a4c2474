//! `wigwag serve --check-health`: asks the server on this machine, for containers, which have no other client at hand.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    StreamOwned,
};
use wigwag_server::Config;

/// For each step; an orchestrator has a limit of its own for the whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first line of an answer is far shorter.
const MAX_ANSWER: u64 = 4096;

/// Asks whether the server takes clients.
///
/// # Errors
///
/// It does not, or nobody answers.
pub(super) fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    let address = address(config)?;
    let said = match ask(address, config.tls.is_some()) {
        Ok(said) => said,
        // So it is there, and serves those who have one.
        Err(error) if demands_certificate(&*error) => return Ok(()),
        Err(error) => return Err(format!("no answer from {address}: {error}").into()),
    };
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let reason = body.lines().next().unwrap_or_default();
    Err(format!("{address} says: {status} {reason}").into())
}

fn address(config: &Config) -> Result<SocketAddr, Box<dyn Error>> {
    if config.port == 0 {
        return Err("port = 0 does not tell where the server is".into());
    }
    let host = config.host.trim_matches(['[', ']']);
    let address = (host, config.port).to_socket_addrs()?.next();
    let mut address = address.ok_or_else(|| format!("\"{host}\" has no address"))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

fn ask(address: SocketAddr, tls: bool) -> Result<String, Box<dyn Error>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if !tls {
        return converse(stream);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Anybody(Arc::clone(&provider)));
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::from(address.ip());
    let connection = ClientConnection::new(Arc::new(client), name)?;
    converse(StreamOwned::new(connection, stream))
}

/// Whether the server refused this client for having no certificate.
fn demands_certificate(error: &(dyn Error + 'static)) -> bool {
    let cause = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    matches!(
        cause.and_then(|cause| cause.downcast_ref()),
        Some(rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
        ))
    )
}

fn converse(mut stream: impl Read + Write) -> Result<String, Box<dyn Error>> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let ended = stream.take(MAX_ANSWER).read_to_end(&mut answer);
    if answer.is_empty() {
        ended?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Takes any certificate: nothing that is said is secret, what is asked is only whether there is an answer, and the
/// certificate is for the name by which others know the server.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
