//! The signalling server inside a sink (`run-signalling-server`).

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use wigwag_server::{Config, Server, TlsFiles};

/// Where the server listens.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

/// How long a server that is dropped is waited for, so that the next can have its port.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct SignallingServer {
    /// The address for a client on this machine.
    pub(crate) url: String,
    /// The certificate to trust, where it is served with one.
    pub(crate) cafile: Option<String>,
    running: Option<DropGuard>,
    stopped: mpsc::Receiver<()>,
}

impl SignallingServer {
    /// Starts it. The text of an error says what to do.
    pub(crate) fn start(settings: &Settings) -> Result<Self, String> {
        let tls = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: PathBuf::from(certificate),
                key: PathBuf::from(key),
            }),
            (None, None) => None,
            _ => {
                return Err(
                    "signalling-server-cert and signalling-server-key need each other".to_owned(),
                );
            }
        };
        let config = Config {
            host: settings.host.clone(),
            port: settings.port,
            tls,
            ..Config::default()
        };
        let runtime = crate::runtime::handle().ok_or("no threads are left for a server")?;
        let stop = CancellationToken::new();
        let told_to_stop = stop.clone().cancelled_owned();
        let (done, stopped) = mpsc::sync_channel(1);
        // Elements are started from threads of any kind, also from those of a runtime, which must not wait
        // for a task by its own means.
        let (started, start) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            match Server::bind(config).await {
                Ok(server) => {
                    let _ = started.send(Ok(server.url()));
                    server.run(told_to_stop).await;
                    let _ = done.send(());
                }
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                }
            }
        });
        let url = start
            .recv()
            .map_err(|_| "the server did not start".to_owned())??;
        Ok(Self {
            url,
            cafile: settings.certificate.clone(),
            running: Some(stop.drop_guard()),
            stopped,
        })
    }
}

impl Drop for SignallingServer {
    fn drop(&mut self) {
        drop(self.running.take());
        // Clients that do not let go are left to themselves.
        let _ = self.stopped.recv_timeout(STOP_TIMEOUT);
    }
}
