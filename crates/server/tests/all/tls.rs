//! TLS: it works, and whatever is wrong with a certificate or a key, there is no plain text instead.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use wigwag_server::{Config, Server, StartError, TlsError, TlsFiles};

use crate::running::Running;

struct Files {
    folder: TempDir,
    certificate: rcgen::Certificate,
}

impl Files {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("cert.pem"), certificate.pem()).expect("written");
        fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("written");
        Self {
            folder,
            certificate,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        fs::write(self.path(name), content).expect("written");
        self.path(name)
    }

    fn config(&self) -> Config {
        config(&self.path("cert.pem"), &self.path("key.pem"))
    }
}

fn config(certificate: &Path, key: &Path) -> Config {
    Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        tls: Some(
            TlsFiles {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            }
            .into(),
        ),
        ..Config::default()
    }
}

fn refusal(config: Config) -> TlsError {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(Server::bind(config)) {
        Err(StartError::Tls(error)) => error,
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("the server started"),
    }
}

#[test]
fn a_client_that_verifies_is_welcomed() {
    let files = Files::new(|_| {});
    let server = Running::start(files.config());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(files.certificate.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(client), name).expect("a client");
        let stream = StreamOwned::new(connection, server.connect());
        let (mut socket, _) = tungstenite::client("wss://localhost/", stream).expect("an upgrade");
        let welcome = socket.read().expect("welcomed");
        assert!(welcome.to_text().expect("text").contains("welcome"));
    }
}

#[test]
fn plain_text_to_a_tls_port_gets_nothing() {
    let files = Files::new(|_| {});
    let server = Running::start(files.config());
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
}

#[test]
fn missing_files_are_a_refusal() {
    let files = Files::new(|_| {});
    let missing = files.path("missing.pem");
    assert!(matches!(
        refusal(config(&missing, &files.path("key.pem"))),
        TlsError::Read { path, .. } if path == missing
    ));
    assert!(matches!(
        refusal(config(&files.path("cert.pem"), &missing)),
        TlsError::Read { path, .. } if path == missing
    ));
}

#[test]
fn files_without_the_right_content_are_a_refusal() {
    let files = Files::new(|_| {});
    let empty = files.write("empty.pem", b"");
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    assert!(matches!(
        refusal(config(&empty, &key)),
        TlsError::NoCertificate { .. }
    ));
    assert!(matches!(
        refusal(config(&key, &key)),
        TlsError::NoCertificate { .. }
    ));
    assert!(matches!(
        refusal(config(&certificate, &empty)),
        TlsError::NoKey { .. }
    ));
    assert!(matches!(
        refusal(config(&certificate, &certificate)),
        TlsError::NoKey { .. }
    ));
    let encrypted = files.write(
        "encrypted.pem",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let error = refusal(config(&certificate, &encrypted));
    assert!(error.to_string().contains("not encrypted"), "{error}");
}

#[test]
fn damaged_files_are_a_refusal() {
    let files = Files::new(|_| {});
    let key = files.path("key.pem");
    let text = fs::read_to_string(files.path("cert.pem")).expect("read");
    let damaged = files.write("bad64.pem", text.replace("MII", "M*I").as_bytes());
    assert!(matches!(
        refusal(config(&damaged, &key)),
        TlsError::Damaged { .. }
    ));
    let damaged = files.write(
        "notder.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n",
    );
    assert!(matches!(
        refusal(config(&damaged, &key)),
        TlsError::Damaged { .. }
    ));
}

#[test]
fn a_key_of_another_certificate_is_a_refusal() {
    let (files, other) = (Files::new(|_| {}), Files::new(|_| {}));
    assert!(matches!(
        refusal(config(&files.path("cert.pem"), &other.path("key.pem"))),
        TlsError::Mismatch { .. }
    ));
}

#[test]
fn a_certificate_that_is_not_valid_now_is_a_refusal() {
    let expired = Files::new(|params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let error = refusal(expired.config());
    assert!(matches!(error, TlsError::NotValidNow { .. }), "{error}");
    let early = Files::new(|params| params.not_before = date_time_ymd(4000, 1, 1));
    assert!(matches!(
        refusal(early.config()),
        TlsError::NotValidNow { .. }
    ));
}
