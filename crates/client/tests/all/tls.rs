//! `wss`: who is trusted, who is not, and what is said of it.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use wigwag_client::{NativeConfig, SignallerError};
use wigwag_server::{Config, TlsFiles};

use crate::running;
use crate::running::{Client, HandMade, Running, any_port, failure, producer};

/// An authority, and a folder for what it issues.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { folder, issuer }
    }

    fn cafile(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// How to run a server for this name, on this port.
    fn server(&self, name: &str, port: u16) -> Config {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = TlsFiles {
            certificate: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
        };
        fs::write(&files.certificate, certificate.pem()).expect("written");
        fs::write(&files.key, key.serialize_pem()).expect("written");
        Config {
            port,
            tls: Some(files.into()),
            ..Config::default()
        }
    }
}

fn secure(server: &Running) -> NativeConfig {
    producer(format!("wss://{}", server.address))
}

fn trusting(server: &Running, authority: &Authority) -> NativeConfig {
    NativeConfig {
        cafile: Some(authority.cafile()),
        ..secure(server)
    }
}

fn certificate_refusal(config: NativeConfig) -> String {
    let error = failure(config);
    assert!(
        matches!(error, SignallerError::Certificate { .. }),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn a_server_of_the_named_authority_is_trusted() {
    let authority = Authority::new();
    let server = Running::start(authority.server("127.0.0.1", 0));
    Client::connected(trusting(&server, &authority));
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Running::start(authority.server("127.0.0.1", 0));
    let refusal = certificate_refusal(trusting(&server, &other));
    assert!(refusal.contains("none of the authorities"), "{refusal}");
    assert!(refusal.contains("cafile"), "{refusal}");
}

#[test]
fn a_server_is_refused_by_default_unless_the_system_knows_its_authority() {
    let authority = Authority::new();
    let server = Running::start(authority.server("127.0.0.1", 0));
    // A system without any authorities says so.
    assert!(matches!(
        failure(secure(&server)),
        SignallerError::Certificate { .. } | SignallerError::SystemAuthorities { .. }
    ));
}

#[test]
fn a_server_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = Running::start(authority.server("cam.example", 0));
    let refusal = certificate_refusal(trusting(&server, &authority));
    assert!(refusal.contains("another host"), "{refusal}");
    assert!(refusal.contains("cam.example"), "{refusal}");
}

#[test]
fn insecure_tls_takes_anyone() {
    let authority = Authority::new();
    let server = Running::start(authority.server("cam.example", 0));
    Client::connected(NativeConfig {
        insecure_tls: true,
        ..secure(&server)
    });
}

#[test]
fn a_server_without_tls_is_not_spoken_to_in_plain_text() {
    let server = Running::start(any_port());
    let error = failure(NativeConfig {
        insecure_tls: true,
        ..secure(&server)
    });
    assert!(matches!(error, SignallerError::Tls { .. }), "{error:?}");
    assert!(
        error.to_string().contains("ws:// instead of wss://"),
        "{error}"
    );
}

#[test]
fn a_server_with_tls_is_said_to_have_it() {
    let authority = Authority::new();
    let server = Running::start(authority.server("127.0.0.1", 0));
    let error = failure(producer(format!("ws://{}", server.address)));
    assert!(
        error.to_string().contains("wss:// instead of ws://"),
        "{error}"
    );
}

#[test]
fn a_file_without_authorities_is_refused_at_once() {
    let authority = Authority::new();
    let empty = authority.folder.path().join("empty.pem");
    fs::write(&empty, "nothing").expect("written");
    let server = HandMade::new();
    let config = NativeConfig {
        cafile: Some(empty),
        ..producer(server.uri().replace("ws:", "wss:"))
    };
    let error = Client::start(config).err().expect("refused");
    assert!(error.to_string().contains("empty.pem"), "{error}");
}

#[test]
fn a_certificate_that_turns_bad_is_said_and_tried_again() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut server = Running::start(authority.server("127.0.0.1", 0));
    let port = server.address.port();
    let (client, _) = Client::connected(trusting(&server, &authority));
    server.join();
    let mut impostor = Running::start(other.server("127.0.0.1", port));
    running::wait_for("the impostor is refused", || {
        client.next_disconnected().contains("was refused")
    });
    impostor.join();
    let _server = Running::start(authority.server("127.0.0.1", port));
    client.reconnected();
}
