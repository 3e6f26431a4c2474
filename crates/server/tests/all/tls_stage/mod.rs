//! Authorities, what they issue, clients of a server that speaks TLS, and the server's log.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each of which uses a part"
)]

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};
use wigwag_server::{Config, TlsConfig, TlsFiles};

use crate::running::{DEADLINE, Running};

/// How often the servers of these tests look at their files.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// The newer first.
pub(crate) const BOTH_VERSIONS: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// An authority, and a folder for what a server is given.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM form and as bytes.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        start_log();
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        // Each has a name of its own, so that none is taken for another.
        let name = format!("authority {:?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { folder, issuer }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// For "localhost", and whatever is changed.
    pub(crate) fn issue_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
        }
    }

    pub(crate) fn issue(&self) -> Issued {
        self.issue_with(|_| {})
    }

    /// Where a server is told to look.
    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("cert.pem"),
            key: self.path("key.pem"),
        }
    }

    /// A server's TLS with these files.
    pub(crate) fn tls(&self) -> TlsConfig {
        TlsConfig {
            watch_interval: WATCH_INTERVAL,
            ..self.files().into()
        }
    }

    /// A server that has this.
    pub(crate) fn serve(&self, issued: &Issued) -> Running {
        self.write(issued);
        serve(self.tls())
    }

    /// Puts it where the server looks, the certificate first.
    pub(crate) fn write(&self, issued: &Issued) {
        let files = self.files();
        put(&files.certificate, &issued.certificate);
        put(&files.key, &issued.key);
    }

    /// Trusts this authority.
    pub(crate) fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.issuer.der().clone())
            .expect("an authority's certificate");
        Client {
            roots: Arc::new(roots),
            identity: None,
            versions: BOTH_VERSIONS,
        }
    }
}

pub(crate) fn serve(tls: TlsConfig) -> Running {
    Running::start(Config {
        tls: Some(tls),
        ..Config::default()
    })
}

/// In one step, as those who care replace files.
pub(crate) fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("written");
    fs::rename(new, path).expect("renamed");
}

/// How a client shakes hands.
#[derive(Clone)]
pub(crate) struct Client {
    roots: Arc<RootCertStore>,
    pub(crate) identity: Option<Issued>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

/// A peer that was welcomed over TLS.
pub(crate) struct SecurePeer {
    pub(crate) socket: WebSocket<StreamOwned<ClientConnection, TcpStream>>,
}

impl Client {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(Arc::clone(&self.roots));
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
                let chain = vec![identity.der.clone()];
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        Arc::new(config)
    }

    /// The answer to a GET of the page for a host, head and all.
    pub(crate) fn get_page(&self, server: &Running, host: &str) -> String {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(self.config(), name).expect("a client");
        let mut stream = StreamOwned::new(connection, server.connect());
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        // A server may end without a word of TLS.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Connects and waits for the welcome; or what came instead.
    pub(crate) fn try_connect(&self, server: &Running) -> Result<SecurePeer, String> {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(self.config(), name).expect("a client");
        let stream = StreamOwned::new(connection, server.connect());
        let socket = tungstenite::client("wss://localhost/", stream);
        let (mut socket, _) = socket.map_err(|error| error.to_string())?;
        let welcome = socket.read().map_err(|error| error.to_string())?;
        assert!(welcome.to_text().expect("text").contains("welcome"));
        Ok(SecurePeer { socket })
    }

    pub(crate) fn connect(&self, server: &Running) -> SecurePeer {
        self.try_connect(server).expect("welcomed")
    }

    /// Connects until the server shows this certificate.
    pub(crate) fn wait_for(&self, server: &Running, issued: &Issued) {
        let deadline = Instant::now() + DEADLINE;
        while self.connect(server).certificate() != issued.der {
            assert!(Instant::now() < deadline, "the certificate is not used");
            sleep(WATCH_INTERVAL);
        }
    }
}

impl SecurePeer {
    /// What the server has shown.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let connection = &self.socket.get_ref().conn;
        let chain = connection.peer_certificates().expect("after the handshake");
        chain[0].clone().into_owned()
    }

    /// Asks something and is answered.
    pub(crate) fn converse(&mut self) {
        let question = r#"{"type":"listConsumers"}"#;
        self.socket
            .send(Message::text(question))
            .expect("the server takes it");
        loop {
            let message = self.socket.read().expect("the server answers");
            if message
                .to_text()
                .is_ok_and(|it| it.contains("listConsumers"))
            {
                return;
            }
        }
    }
}

/// All that servers of this process have logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("no writer panics").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on the log is kept, at level info.
pub(crate) fn start_log() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(|| LogWriter);
        subscriber.init();
    });
}

/// The lines with all of these words.
pub(crate) fn logged(words: &[&str]) -> Vec<String> {
    let log = LOG.lock().expect("no writer panics");
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .map(str::to_owned)
        .collect()
}

/// Waits for a line with all of these words.
pub(crate) fn wait_for_log(words: &[&str]) -> String {
    wait_for(|| logged(words).pop()).unwrap_or_else(|| panic!("nothing is logged with {words:?}"))
}

/// Tries until there is something.
pub(crate) fn wait_for<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(found) = attempt() {
            return Some(found);
        }
        sleep(Duration::from_millis(5));
    }
    None
}
