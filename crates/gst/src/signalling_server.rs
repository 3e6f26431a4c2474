//! The signalling server inside a sink (`run-signalling-server`).

use wigwag_server::{BrowserAccess, Config, Server};

use crate::embedded::{Embedded, tls_files};

/// Where the server listens.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct SignallingServer {
    /// The address for a client on this machine.
    pub(crate) url: String,
    /// All addresses for clients.
    pub(crate) urls: Vec<String>,
    /// Whether clients on other machines may reach it.
    pub(crate) is_open: bool,
    /// The certificate to trust, where it is served with one.
    pub(crate) cafile: Option<String>,
    _running: Embedded,
}

impl SignallingServer {
    /// Starts it. The text of an error says what to do.
    pub(crate) fn start(settings: &Settings) -> Result<Self, String> {
        let (certificate, key) = (settings.certificate.as_deref(), settings.key.as_deref());
        let access = BrowserAccess::from_environment().map_err(|error| error.to_string())?;
        let mut config = Config {
            host: settings.host.clone(),
            port: settings.port,
            tls: tls_files(certificate, key, "signalling-server")?.map(Into::into),
            ..Config::default()
        };
        access.add_to(&mut config);
        let describe = |server: &Server| (server.url(), server.urls(), server.is_open_to_others());
        let ((url, urls, is_open), running) =
            Embedded::start(Server::bind(config), describe, Server::run)?;
        Ok(Self {
            url,
            urls,
            is_open,
            cafile: settings.certificate.clone(),
            _running: running,
        })
    }
}
