//! The connections of the web server: TLS, clients that keep it waiting, and its end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use wigwag_server::{StartError, TlsError, TlsFiles, WebConfig, WebContent, WebLimits};

use crate::web_stage::{Running, ask, refusal, site};

/// A certificate for "localhost", its key, and itself as an authority.
fn certificate(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let files = TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    fs::write(&files.certificate, made.cert.pem()).expect("written");
    fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    (files, made.cert.der().clone())
}

fn secure(server: &Running, authority: &CertificateDer<'static>) -> impl Read + Write + use<> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(client), name).expect("a client");
    StreamOwned::new(connection, server.connect())
}

#[test]
fn with_a_certificate_it_is_https_whatever_other_clients_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, authority) = certificate(folder.path());
    let server = Running::start(WebConfig {
        host: "localhost".to_owned(),
        tls: Some(tls),
        ..WebConfig::default()
    });
    assert!(server.url.starts_with("https://localhost:"));
    // Some never begin, one talks nonsense, one plain text.
    let silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for said in [&[0xff; 64][..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(said).expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "never plain text");
    }
    let begin = Instant::now();
    for _ in 0..3 {
        let page = ask(secure(&server, &authority), "GET", "/", "");
        assert_eq!(page.status, 200);
    }
    assert!(begin.elapsed() < WebLimits::default().handshake_timeout);
    drop(silent);
}

#[test]
fn a_certificate_that_is_replaced_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, old) = certificate(folder.path());
    let server = Running::start(WebConfig {
        host: "localhost".to_owned(),
        tls: Some(tls),
        ..WebConfig::default()
    });
    assert_eq!(ask(secure(&server, &old), "GET", "/", "").status, 200);
    let (_, new) = certificate(folder.path());
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_used = || {
        let mut stream = secure(&server, &new);
        stream.write_all(b"GET / HTTP/1.1\r\n").is_ok()
    };
    while !is_used() {
        assert!(Instant::now() < deadline, "it is not used");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(secure(&server, &new), "GET", "/", "").status, 200);
}

#[test]
fn a_bad_certificate_is_a_refusal() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut tls, _) = certificate(folder.path());
    tls.certificate = folder.path().join("missing.pem");
    let error = refusal(WebConfig {
        port: 0,
        tls: Some(tls),
        ..WebConfig::default()
    });
    assert!(matches!(error, StartError::Tls(TlsError::Read { .. })));
}

#[test]
fn only_so_many_are_connected_and_those_who_do_nothing_make_room() {
    let server = Running::start(WebConfig {
        limits: WebLimits {
            max_connections: 3,
            handshake_timeout: Duration::from_millis(500),
            ..WebLimits::default()
        },
        ..WebConfig::default()
    });
    let idle: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let begin = Instant::now();
    assert_eq!(server.get("/").status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(400), "it waited");
    drop(idle);
}

#[test]
fn a_client_that_takes_nothing_is_disconnected() {
    let folder = site();
    let large = fs::File::create(folder.path().join("site/large.bin")).expect("a file");
    large.set_len(64 * 1024 * 1024).expect("as large");
    let server = Running::start(WebConfig {
        content: WebContent::Directory(folder.path().join("site")),
        limits: WebLimits {
            max_connections: 1,
            stall_timeout: Duration::from_millis(300),
            ..WebLimits::default()
        },
        ..WebConfig::default()
    });
    let mut stuck = server.connect();
    stuck
        .write_all(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    // The only place is free again.
    assert_eq!(server.get("/").status, 200);
    drop(stuck);
    // Who takes it gets all of it.
    assert_eq!(server.get("/large.bin").body.len(), 64 * 1024 * 1024);
}

#[test]
fn stopping_takes_a_moment_whatever_clients_do() {
    let folder = site();
    let large = fs::File::create(folder.path().join("site/large.bin")).expect("a file");
    large.set_len(64 * 1024 * 1024).expect("as large");
    let mut server = Running::directory(&folder.path().join("site"));
    let silent = server.connect();
    let mut stuck = server.connect();
    stuck
        .write_all(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    let mut first = [0];
    stuck.read_exact(&mut first).expect("it is answered");
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(server.address).is_err());
    TcpListener::bind(server.address).expect("the next can have the port");
    drop((silent, stuck));
}
