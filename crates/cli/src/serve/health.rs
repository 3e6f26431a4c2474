//! `wigwag serve --check-health`: asks the server on this machine, for containers, which have no other client at hand.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
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

/// Asks whether the server lives: one that is full must not be restarted for it. Which address of a host it listens on is not known, so all are tried.
///
/// # Errors
///
/// It does not, or nobody answers; the reason is that of the last address.
pub(super) fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    if config.port == 0 {
        return Err("port = 0 does not tell where the server is".into());
    }
    let host = config.host.trim_matches(['[', ']']);
    let addresses = (host, config.port).to_socket_addrs()?;
    first_alive(addresses.map(reachable), config.tls.is_some())
        .unwrap_or_else(|| Err(format!("\"{host}\" has no address").into()))
}

/// None without an address.
fn first_alive(
    addresses: impl Iterator<Item = SocketAddr>,
    tls: bool,
) -> Option<Result<(), Box<dyn Error>>> {
    let mut last = None;
    for address in addresses {
        let asked = is_alive(address, tls);
        let is_found = asked.is_ok();
        last = Some(asked);
        if is_found {
            break;
        }
    }
    last
}

fn is_alive(address: SocketAddr, tls: bool) -> Result<(), Box<dyn Error>> {
    let said = match ask(address, tls) {
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

/// Every address of this machine is listened on where none is said.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn ask(address: SocketAddr, tls: bool) -> Result<String, Box<dyn Error>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if !tls {
        return converse(stream);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let verifier = Arc::new(Anybody(schemes));
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
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let ended = stream.take(MAX_ANSWER).read_to_end(&mut answer);
    if answer.is_empty() {
        ended?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Takes any certificate, and any signature with it. That is right here alone: one's own server on this machine is
/// asked, nothing that is said is secret, and the certificate is for the name by which others know the server. A
/// signature shows that a peer has the key of its certificate, so where any certificate is taken it shows nothing.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers whoever asks like this, for so many connections.
    fn answering(status: &'static str, connections: usize) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let served = thread::spawn(move || {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().expect("asked");
                let mut asked = [0; 1024];
                let _ = stream.read(&mut asked).expect("a question");
                let answer = format!("HTTP/1.1 {status}\r\n\r\nfull\n");
                stream.write_all(answer.as_bytes()).expect("answered");
            }
        });
        (address, served)
    }

    #[test]
    fn each_address_is_asked_until_one_is_alive() {
        let (full, served_full) = answering("503 Service Unavailable", 2);
        let (ready, served) = answering("200 OK", 1);
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let silent = nobody.local_addr().expect("an address");
        drop(nobody);
        let asked = |addresses: &[SocketAddr]| first_alive(addresses.iter().copied(), false);
        let found = asked(&[silent, full, ready, silent]).expect("addresses");
        assert!(found.is_ok(), "{found:?}");
        let refused = asked(&[silent, full]).expect("addresses");
        let reason = refused.expect_err("not ready").to_string();
        assert_eq!(
            reason,
            format!("{full} says: HTTP/1.1 503 Service Unavailable full")
        );
        assert!(asked(&[]).is_none());
        served_full.join().expect("no panic");
        served.join().expect("no panic");
    }
}
