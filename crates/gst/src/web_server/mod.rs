//! The web server inside a sink (`run-web-server`), with our page unless it is told of another.

mod address;

use wigwag_server::{BrowserAccess, WebConfig, WebContent, WebServer as Server};

pub(crate) use address::{HostAddress, Signalling};

use crate::embedded::{Embedded, tls_files};

/// Where the server listens, and what it serves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) address: HostAddress,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) path: Option<String>,
    /// Our page if none.
    pub(crate) directory: Option<String>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct WebServer {
    /// The address for a browser on this machine.
    pub(crate) url: String,
    /// Whether the same is there at every address of this machine.
    pub(crate) is_everywhere: bool,
    /// What may keep the page from working, if anything.
    pub(crate) warning: Option<String>,
    _running: Embedded,
}

impl WebServer {
    /// Starts it. The text of an error says what to do.
    pub(crate) fn start(settings: &Settings, signalling: &Signalling) -> Result<Self, String> {
        let (certificate, key) = (settings.certificate.as_deref(), settings.key.as_deref());
        let tls = tls_files(certificate, key, "web-server")?;
        let address = &settings.address;
        if address.secure && tls.is_none() {
            return Err(format!(
                "web-server-host-addr is {address}, but https needs web-server-cert and web-server-key"
            ));
        }
        let told = signalling.for_page_at(address);
        let is_refused = tls.is_some() && told.starts_with("ws://") && settings.directory.is_none();
        let warning = is_refused.then(|| {
            "the page is served over https, and browsers may keep it from a signalling server \
             without TLS: give that a certificate, too (signalling-server-cert and -key)"
                .to_owned()
        });
        let access = BrowserAccess::from_environment().map_err(|error| error.to_string())?;
        let config = WebConfig {
            host: address.host.clone(),
            port: address.port,
            tls,
            path: settings.path.clone().unwrap_or_default(),
            content: match &settings.directory {
                Some(directory) => WebContent::Directory(directory.into()),
                None => WebContent::Page {
                    signalling: Some(told),
                },
            },
            allowed_hosts: access.hosts,
            ..WebConfig::default()
        };
        let describe = |server: &Server| (server.url(), server.address().ip().is_unspecified());
        let ((url, is_everywhere), running) =
            Embedded::start(Server::bind(config), describe, Server::run)
                .map_err(|error| format!("the web server did not start: {error}"))?;
        Ok(Self {
            url,
            is_everywhere,
            warning,
            _running: running,
        })
    }
}
