//! Pebble, a certificate authority for tests that speaks ACME (of Let's Encrypt's authors), as a child process.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use crate::output::Output;
use crate::{Authority, DEADLINE, port};

/// An authority that certifies who answers for "localhost" on one port. Its keys are new with each start.
#[derive(Debug)]
pub struct Pebble {
    child: Option<Child>,
    output: Output,
    /// For its own server.
    authority: Authority,
    folder: TempDir,
    directory: u16,
    management: u16,
    validation: u16,
}

impl Pebble {
    /// Chooses ports. Nothing runs yet.
    pub fn new() -> Result<Self> {
        let authority = Authority::new()?;
        let pebble = Self {
            child: None,
            output: Output::new()?,
            folder: TempDir::new()?,
            directory: port::free()?,
            management: port::free()?,
            validation: port::free()?,
            authority,
        };
        let own = pebble.authority.certify_server()?;
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{}", pebble.directory),
            "managementListenAddress": format!("127.0.0.1:{}", pebble.management),
            "certificate": own.certificate,
            "privateKey": own.key,
            "httpPort": pebble.validation,
            "tlsPort": pebble.validation,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        fs::write(pebble.config_file(), config.to_string())?;
        Ok(pebble)
    }

    /// The port where it looks for who wants a certificate.
    #[must_use]
    pub fn validation_port(&self) -> u16 {
        self.validation
    }

    /// The address of its directory.
    #[must_use]
    pub fn directory_url(&self) -> String {
        format!("https://localhost:{}/dir", self.directory)
    }

    /// The file that a client of its directory must be given.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let child = Command::new("pebble")
            .arg("-config")
            .arg(self.config_file())
            // It asks at once, and refuses nothing at random.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdin(Stdio::null())
            .stdout(self.output.stdio()?)
            .stderr(self.output.stdio()?)
            .spawn()
            .context("cannot start pebble; it is in Debian's package pebble")?;
        self.child = Some(child);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.directory)).is_err()
            || TcpStream::connect((Ipv4Addr::LOCALHOST, self.management)).is_err()
        {
            if let Some(status) = self.child.as_mut().and_then(|it| it.try_wait().ok()?) {
                bail!("pebble ended with {status}:\n{}", self.output.tail());
            }
            ensure!(Instant::now() < deadline, "pebble does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends it.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The authority of what it has issued since its start.
    pub fn root(&self) -> Result<CertificateDer<'static>> {
        let answer = self.ask("/roots/0")?;
        CertificateDer::from_pem_slice(answer.as_bytes()).context("its root")
    }

    /// How many certificates were ordered since its start.
    pub fn orders(&self) -> Result<usize> {
        Ok(self.output.read_all()?.matches("orders in the db").count())
    }

    /// What its management answers to GET.
    fn ask(&self, path: &str) -> Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.file())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(Arc::new(config), name)?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.management))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut stream = StreamOwned::new(connection, stream);
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        match stream.read_to_string(&mut answer) {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error.into()),
            _ => {}
        }
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        ensure!(head.contains(" 200 "), "{head}");
        Ok(body.to_owned())
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("pebble.json")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.stop();
        // The test harness shows this only for a test that failed.
        eprintln!("pebble wrote:\n{}", self.output.tail());
    }
}
