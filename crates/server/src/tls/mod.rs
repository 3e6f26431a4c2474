//! TLS of a server that goes on while its certificate is replaced.
//!
//! [`LiveTls::open`] reads and checks everything and is the only place where a defect keeps a server from starting.
//! From then on the server polls [`LiveTls::keep`], which looks at the files or orders certificates, and calls
//! [`LiveTls::accept`] for each connection. A handshake is given what is in force when it begins; connections that
//! exist are never touched. What cannot be used is said in the log and tried again, and what was in force stays so. There
//! is no way from here to plain text: without a certificate handshakes fail.

#[cfg(feature = "acme")]
mod acme;
#[cfg(not(feature = "acme"))]
#[path = "acme_absent.rs"]
mod acme;
#[cfg(feature = "acme")]
mod acme_folder;
mod certificate;
mod expiry;
mod failures;
mod parameters;
mod settings;
mod stability;
mod state;
mod watched;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

pub use settings::{
    AcmeConfig, ClientCertificates, LETS_ENCRYPT, TlsConfig, TlsFiles, TlsSource, TlsVersion,
    WATCH_INTERVAL,
};

use crate::error::TlsError;
use crate::host::AllowedHost;
use acme::{Acme, is_tls_alpn_challenge};
use certificate::Certificate;
use failures::{Failures, is_departure};
use parameters::TlsParameters;
use stability::Stability;
use state::TlsState;
use watched::Stamps;

impl TlsConfig {
    /// Reads and checks everything as a start does, and writes nothing: a folder of ACME's that is missing is not made,
    /// and whether it can be written to is only found at the start.
    ///
    /// # Errors
    ///
    /// As when a server starts.
    pub fn check(&self) -> Result<(), TlsError> {
        self.check_interval()?;
        TlsParameters::read(self)?;
        match &self.source {
            TlsSource::Files(files) => Certificate::read(files).map(drop),
            TlsSource::Acme(order) => Acme::check(order),
        }
    }
}

/// The TLS of a server, for as long as that runs.
pub struct LiveTls {
    state: Arc<TlsState>,
    acme: Option<Acme>,
    loaded: Mutex<Loaded>,
    failures: Failures,
}

/// What was read last.
struct Loaded {
    config: TlsConfig,
    stamps: Stamps,
    /// What was said in the log about files that cannot be used. They are tried again until there is nothing to say.
    problem: Option<String>,
    /// Files that differ from those in use, until they are.
    stability: Stability,
}

impl LiveTls {
    /// Reads and checks everything.
    pub(crate) fn open(config: &TlsConfig) -> Result<Arc<Self>, TlsError> {
        config.check_interval()?;
        let stamps = Stamps::of(config);
        let parameters = TlsParameters::read(config)?;
        let (certificate, acme) = match &config.source {
            TlsSource::Files(files) => (Some(Certificate::read(files)?), None),
            TlsSource::Acme(order) => {
                let acme = Acme::open(order)?;
                (acme.kept_certificate(), Some(acme))
            }
        };
        Ok(Arc::new(Self {
            state: Arc::new(TlsState::new(certificate, parameters)),
            acme,
            loaded: Mutex::new(Loaded {
                config: config.clone(),
                stamps,
                problem: None,
                stability: Stability::default(),
            }),
            failures: Failures::default(),
        }))
    }

    /// Reads the files again, whether they seem to have been replaced or not.
    ///
    /// # Errors
    ///
    /// They cannot be used; what was in force stays so.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut loaded = self.loaded();
        let config = loaded.config.clone();
        let stamps = Stamps::of(&config);
        self.load(&mut loaded, config, stamps, |_| true).map(drop)
    }

    /// Has other settings in force from now on. False if they came too late, and nothing was changed: another way to
    /// get certificates, or another order, needs a restart.
    ///
    /// # Errors
    ///
    /// The settings or the files cannot be used; what was in force stays so.
    pub fn reconfigure(&self, config: &TlsConfig) -> Result<bool, TlsError> {
        let mut loaded = self.loaded();
        let is_possible = match (&loaded.config.source, &config.source) {
            (TlsSource::Files(_), TlsSource::Files(_)) => true,
            (before, after) => before == after,
        };
        if is_possible {
            config.check_interval()?;
            let stamps = Stamps::of(config);
            self.load(&mut loaded, config.clone(), stamps, |_| true)?;
        }
        Ok(is_possible)
    }

    /// Until when the certificate in use is valid; none while ACME has brought none yet.
    pub fn certificate_expires(&self) -> Option<SystemTime> {
        Some(self.state.certificate()?.validity.ends())
    }

    /// The names of servers in the certificate in use.
    pub(crate) fn names(&self) -> Arc<[AllowedHost]> {
        self.state.names()
    }

    /// How many handshakes have failed since the start. Clients that left without a word are not counted.
    pub fn handshakes_failed(&self) -> u64 {
        self.failures.count()
    }

    /// Looks at the files, orders certificates, and says in the log when one is about to expire. Never ends.
    pub(crate) async fn keep(self: &Arc<Self>) {
        if let Some(certificate) = self.state.certificate() {
            let until = certificate.validity.to;
            tracing::info!(%until, "there is a TLS certificate");
        }
        let order = async {
            match &self.acme {
                Some(acme) => acme.keep(&self.state).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(self.watch(), order, expiry::remind(&self.state));
    }

    /// Shakes hands with a client within this time. None if that failed, or if it was an authority that has got its
    /// answer.
    pub(crate) async fn accept<S>(
        &self,
        stream: S,
        client: Option<SocketAddr>,
        limit: Duration,
    ) -> Option<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // In a box, so that connections that exist do not carry its memory along.
        let Ok(result) = timeout(limit, Box::pin(self.shake_hands(stream))).await else {
            self.failures.timed_out(client);
            return None;
        };
        result.unwrap_or_else(|error| {
            let ready = self.state.certificate().is_some();
            self.failures.failed(client, &error, ready);
            None
        })
    }

    async fn shake_hands<S>(&self, stream: S) -> io::Result<Option<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = match LazyConfigAcceptor::new(Acceptor::default(), stream).await {
            Err(error) if is_departure(&error) => return Ok(None),
            hello => hello?,
        };
        if let Some(acme) = &self.acme
            && is_tls_alpn_challenge(&hello.client_hello())
        {
            // The authority has no certificate of a client, and nothing to say after the handshake.
            let mut stream = hello.into_stream(acme.answer()).await?;
            let _ = stream.shutdown().await;
            return Ok(None);
        }
        hello.into_stream(self.state.offer()).await.map(Some)
    }

    async fn watch(self: &Arc<Self>) {
        loop {
            let interval = self.loaded().config.watch_interval;
            sleep(interval).await;
            let live = Arc::clone(self);
            // Files may be on a disk that is slow.
            if let Err(error) = tokio::task::spawn_blocking(move || live.look()).await {
                tracing::error!(%error, "could not look at the TLS files");
            }
        }
    }

    /// Loads what has been replaced.
    fn look(&self) {
        let mut loaded = self.loaded();
        let stamps = Stamps::of(&loaded.config);
        if stamps == loaded.stamps && loaded.problem.is_none() {
            return;
        }
        let mut stability = std::mem::take(&mut loaded.stability);
        let is_stable = stability.looked(&stamps);
        let result = if is_stable {
            let in_use = self.state.certificate();
            let in_use = in_use.map_or(0, |certificate| certificate.chain_length());
            let config = loaded.config.clone();
            let allows = |chain: usize| stability.allows_chain(chain, in_use);
            self.load(&mut loaded, config, stamps, allows)
        } else {
            Ok(false)
        };
        // What is in use is as it was found.
        if !matches!(result, Ok(true)) {
            loaded.stability = stability;
        }
        if let Err(error) = result {
            let problem = error.to_string();
            // Certificate and key are replaced one after the other, so one look may come in between.
            if loaded.problem.as_ref() != Some(&problem) {
                tracing::warn!(%error, "cannot use the new TLS files; the old ones stay in use");
            }
            loaded.problem = Some(problem);
        }
    }

    /// Reads files that had these stamps before that, and has them in use. What is written meanwhile has others, and is
    /// found by the next look. False if the chain has a length that is not allowed yet; then what was in force stays so.
    fn load(
        &self,
        loaded: &mut Loaded,
        config: TlsConfig,
        stamps: Stamps,
        allows_chain: impl Fn(usize) -> bool,
    ) -> Result<bool, TlsError> {
        let parameters = TlsParameters::read(&config)?;
        match &config.source {
            TlsSource::Files(files) => {
                let certificate = Certificate::read(files)?;
                if !allows_chain(certificate.chain_length()) {
                    return Ok(false);
                }
                let until = certificate.validity.to;
                let file = files.certificate.display();
                if self.state.set(certificate, parameters) {
                    tracing::info!(%file, %until, "the TLS certificate was replaced");
                } else if loaded.problem.is_some() {
                    tracing::info!(%file, %until, "the TLS files can be used again");
                }
            }
            TlsSource::Acme(_) => self.state.set_parameters(parameters),
        }
        *loaded = Loaded {
            config,
            stamps,
            problem: None,
            stability: Stability::default(),
        };
        Ok(true)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LiveTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTls")
            .field("certificate_expires", &self.certificate_expires())
            .field("handshakes_failed", &self.handshakes_failed())
            .finish_non_exhaustive()
    }
}

/// Has other settings in force from now on. False if that needs a restart; then nothing has changed.
pub(crate) fn reconfigure(
    tls: Option<&Arc<LiveTls>>,
    config: Option<&TlsConfig>,
) -> Result<bool, TlsError> {
    match (tls, config) {
        (Some(tls), Some(config)) => tls.reconfigure(config),
        (tls, config) => Ok(tls.is_none() && config.is_none()),
    }
}

/// Keeps TLS up to date if there is any. Never ends.
pub(crate) async fn keep(tls: Option<&Arc<LiveTls>>) {
    match tls {
        Some(tls) => tls.keep().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Files {
        folder: tempfile::TempDir,
        key: KeyPair,
    }

    impl Files {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().expect("a folder"),
                key: KeyPair::generate().expect("a key"),
            }
        }

        /// A certificate for the key.
        fn leaf(&self) -> String {
            let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
            params.self_signed(&self.key).expect("a certificate").pem()
        }

        fn write(&self, chain: &[&str]) {
            let folder = self.folder.path();
            fs::write(folder.join("cert.pem"), chain.concat()).expect("written");
            fs::write(folder.join("key.pem"), self.key.serialize_pem()).expect("written");
        }

        fn open(&self) -> Arc<LiveTls> {
            let folder = self.folder.path();
            let files = TlsFiles {
                certificate: folder.join("cert.pem"),
                key: folder.join("key.pem"),
            };
            LiveTls::open(&files.into()).expect("good files")
        }
    }

    fn chain(live: &LiveTls) -> usize {
        live.state
            .certificate()
            .expect("there is one")
            .chain_length()
    }

    #[test]
    fn certificate_that_is_cut_while_it_is_written_never_in_use() {
        let files = Files::new();
        let (leaf, intermediate) = (files.leaf(), files.leaf());
        files.write(&[&leaf, &intermediate]);
        let live = files.open();
        let renewed = files.leaf();
        // It stops between the two for some looks.
        for written in [&renewed[..renewed.len() / 2], &renewed[..]] {
            files.write(&[written]);
            for _ in 0..3 {
                live.look();
                assert_eq!(chain(&live), 2);
            }
        }
        // It has another length: times of files are not exact.
        files.write(&["# renewed\n", &renewed, &intermediate]);
        live.look();
        let is_in_use = |leaf: &str| {
            use rustls::pki_types::CertificateDer;
            use rustls::pki_types::pem::PemObject;
            let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).expect("a certificate");
            live.state
                .certificate()
                .expect("there is one")
                .certified
                .cert[0]
                == leaf
        };
        assert!(is_in_use(&leaf), "it was seen once");
        live.look();
        assert!(is_in_use(&renewed));
        assert_eq!(chain(&live), 2);
    }

    #[test]
    fn shorter_chain_that_stays_in_use_in_the_end() {
        let files = Files::new();
        let (leaf, intermediate) = (files.leaf(), files.leaf());
        files.write(&[&leaf, &intermediate]);
        let live = files.open();
        files.write(&[&leaf]);
        for _ in 0..3 {
            live.look();
        }
        assert_eq!(chain(&live), 2);
        live.look();
        assert_eq!(chain(&live), 1);
    }

    #[test]
    fn replacement_while_files_are_read_found_by_later_looks() {
        let files = Files::new();
        files.write(&[&files.leaf()]);
        let live = files.open();
        let mut loaded = live.loaded();
        let config = loaded.config.clone();
        let before = Stamps::of(&config);
        // It comes between the stamps and the reading.
        files.write(&["# renewed\n", &files.leaf()]);
        live.load(&mut loaded, config.clone(), before, |_| true)
            .expect("read");
        assert!(
            loaded.stamps != Stamps::of(&config),
            "so the next look reads them again"
        );
    }
}
