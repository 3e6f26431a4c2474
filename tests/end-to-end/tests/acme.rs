//! Certificates that the server orders itself, of pebble.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tungstenite::{Message, WebSocket};
use wigwag_end_to_end::{Authority, DEADLINE, Pebble};
use wigwag_server::{
    AcmeConfig, ClientCertificates, Config, LiveTls, Server, TlsConfig, TlsVersion,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The server, in this process.
struct Serving {
    tls: Arc<LiveTls>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(port: u16, tls: TlsConfig) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port,
            tls: Some(tls),
            ..Config::default()
        };
        let server = runtime.block_on(Server::bind(config))?;
        let tls = server.handle().tls().context("it has TLS")?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let thread = thread::spawn(move || runtime.block_on(server.run(stopped)));
        Ok(Self {
            tls,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has said so.
            let _ = thread.join();
        }
    }
}

fn order(pebble: &Pebble, folder: &Path) -> AcmeConfig {
    AcmeConfig {
        contact: vec!["operator@example.org".to_owned()],
        directory_url: pebble.directory_url(),
        authority: Some(pebble.authority_file()),
        ..AcmeConfig::new(vec!["localhost".to_owned()], folder.to_owned())
    }
}

/// A client that was welcomed.
struct Peer(WebSocket<StreamOwned<ClientConnection, TcpStream>>);

impl Peer {
    fn certificate(&self) -> Result<CertificateDer<'static>> {
        let chain = self.0.get_ref().conn.peer_certificates();
        Ok(chain.context("after the handshake")?[0]
            .clone()
            .into_owned())
    }

    fn converse(&mut self) -> Result<()> {
        self.0.send(Message::text(r#"{"type":"list"}"#))?;
        let answer = self.0.read()?;
        ensure!(answer.to_text()?.contains("list"), "{answer}");
        Ok(())
    }
}

fn trusting(roots: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>> {
    Ok(Arc::new(builder(roots)?.with_no_client_auth()))
}

fn builder(
    roots: &[CertificateDer<'static>],
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store))
}

fn connect(port: u16, config: &Arc<ClientConfig>) -> Result<Peer> {
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::clone(config), name)?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let stream = StreamOwned::new(connection, stream);
    let Ok((mut socket, _)) = tungstenite::client("wss://localhost/", stream) else {
        bail!("no handshake");
    };
    let welcome = socket.read()?;
    ensure!(welcome.to_text()?.contains("welcome"), "{welcome}");
    Ok(Peer(socket))
}

fn connect_in_time(port: u16, config: &Arc<ClientConfig>) -> Result<Peer> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match connect(port, config) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(50)),
            peer => return peer,
        }
    }
}

/// The kept certificate of the only order in this folder.
fn wait_until_kept(folder: &Path) -> Result<PathBuf> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "pem") {
                return Ok(path);
            }
        }
        sleep(Duration::from_millis(10));
    }
    bail!("no certificate is kept")
}

fn rights(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[test]
fn a_certificate_is_ordered_and_found_again_by_the_next_start() -> Result<()> {
    let mut pebble = Pebble::new()?;
    let folder = TempDir::new()?;
    let folder = folder.path().join("acme");
    let port = pebble.validation_port();
    // The authority is away at first.
    let serving = Serving::start(port, order(&pebble, &folder).into())?;
    ensure!(serving.tls.certificate_expires().is_none());
    pebble.start()?;
    let client = trusting(&[pebble.root()?])?;
    let mut peer = connect_in_time(port, &client)?;
    peer.converse()?;
    let certificate = peer.certificate()?;
    let expires = serving.tls.certificate_expires().context("it has one")?;
    ensure!(expires > SystemTime::now() + 30 * DAY);
    wait_until_kept(&folder)?;
    ensure!(rights(&folder)? == 0o700);
    for entry in fs::read_dir(&folder)? {
        ensure!(rights(&entry?.path())? == 0o600);
    }
    ensure!(pebble.orders()? == 1, "{} orders", pebble.orders()?);
    drop(peer);
    drop(serving);
    // There is nobody to order of any more.
    pebble.stop()?;
    let _serving = Serving::start(port, order(&pebble, &folder).into())?;
    let mut peer = connect(port, &client)?;
    peer.converse()?;
    ensure!(peer.certificate()? == certificate);
    Ok(())
}

#[test]
fn a_certificate_that_is_old_is_replaced_whatever_clients_must_have() -> Result<()> {
    let mut pebble = Pebble::new()?;
    pebble.start()?;
    let folder = TempDir::new()?;
    let folder = folder.path().join("acme");
    let port = pebble.validation_port();
    // An authority has no certificate of a client, and is answered all the same.
    let clients = Authority::new()?;
    let identity = clients.certify(&["client.example"])?;
    let tls = TlsConfig {
        client_certificates: Some(ClientCertificates {
            authority: clients.file(),
            required: true,
        }),
        minimum_version: TlsVersion::Tls13,
        ..order(&pebble, &folder).into()
    };
    // Two thirds of its life are over.
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    params.not_before = (SystemTime::now() - 80 * DAY).into();
    params.not_after = (SystemTime::now() + 10 * DAY).into();
    let key = KeyPair::generate()?;
    let old = params.self_signed(&key)?;
    let trusting_both = |root: CertificateDer<'static>| -> Result<_> {
        let chain = vec![CertificateDer::from_pem_file(&identity.certificate)?];
        let key = PrivateKeyDer::from_pem_file(&identity.key)?;
        let config = builder(&[root, old.der().clone()])?.with_client_auth_cert(chain, key)?;
        Ok(Arc::new(config))
    };
    let client = trusting_both(pebble.root()?)?;
    let serving = Serving::start(port, tls.clone())?;
    drop(connect_in_time(port, &client)?);
    let path = wait_until_kept(&folder)?;
    drop(serving);
    pebble.stop()?;
    fs::write(&path, format!("{}\n{}", key.serialize_pem(), old.pem()))?;
    let _serving = Serving::start(port, tls)?;
    let mut staying = connect(port, &client)?;
    ensure!(staying.certificate()? == *old.der());
    pebble.start()?;
    let client = trusting_both(pebble.root()?)?;
    let deadline = Instant::now() + DEADLINE;
    while connect(port, &client)?.certificate()? == *old.der() {
        ensure!(Instant::now() < deadline, "no other certificate");
        sleep(Duration::from_millis(50));
    }
    staying.converse()?;
    ensure!(connect(port, &trusting(&[pebble.root()?])?).is_err());
    Ok(())
}
