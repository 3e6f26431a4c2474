//! A web server for the page alone, or for a directory: what `webrtcsink run-web-server=true` runs.
//!
//! It has nothing to do with signalling; the page gets the address of that. [`WebServer::bind`] finds all
//! that is wrong with the configuration, [`WebServer::run`] serves until it is to stop and then
//! returns soon, whatever its clients do.

mod directory;
mod redirect;
mod routes;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::accept::{AcceptContext, Listener, accept_all};
use crate::error::StartError;
use crate::host::{AllowedHost, KnownHosts};
use crate::listen::{listen, reachable, without_brackets};
use crate::metrics::Metrics;
use crate::permits::ConnectionPermits;
use crate::tls::{self, LiveTls, TlsFiles};
use directory::Directory;
use redirect::encoded;
use routes::{Content, Site, router};

/// How to run a [`WebServer`].
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Address or name to listen on; an IPv6 address with or without brackets.
    pub host: String,
    /// TCP port; 0 lets the system choose one.
    pub port: u16,
    /// Serves `https` instead of `http`; files that are replaced are used from then on.
    pub tls: Option<TlsFiles>,
    /// Under which path the content is, with or without slashes around it; the root redirects there.
    /// Empty for the root itself.
    pub path: String,
    /// What is served.
    pub content: WebContent,
    /// Names by which browsers may ask for it, besides addresses, `localhost`, the names of this machine, the one above,
    /// and those in the certificate.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Limits of connections.
    pub limits: WebLimits,
}

/// On port 8080 of the loopback interface, without TLS: the page as it is.
impl Default for WebConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            tls: None,
            path: String::new(),
            content: WebContent::Page { signalling: None },
            allowed_hosts: Vec::new(),
            limits: WebLimits::default(),
        }
    }
}

/// What a [`WebServer`] serves.
#[derive(Clone, Debug)]
pub enum WebContent {
    /// The [`page`](crate::page) that is part of this library.
    Page {
        /// The signalling address that it gets, in the forms that [`index`](crate::page::index) takes.
        signalling: Option<String>,
    },
    /// The files in a directory and below, `index.html` where an address names a folder. What a symbolic
    /// link leads to outside is not served, nor what has a name that begins with a dot (`.well-known`
    /// excepted).
    Directory(PathBuf),
}

/// What the connections of a [`WebServer`] may cost.
#[derive(Clone, Debug)]
pub struct WebLimits {
    /// Connections at once; more wait in the system's backlog.
    pub max_connections: usize,
    /// For the TLS handshake, and again for the head of each HTTP request, the first or a later one.
    pub handshake_timeout: Duration,
    /// A client that takes nothing of an answer for this long is disconnected.
    pub stall_timeout: Duration,
    /// How long a server that stops goes on with answers that it has begun.
    pub shutdown_timeout: Duration,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            max_connections: 256,
            handshake_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_millis(200),
        }
    }
}

/// A web server that listens. Its clients are served by [`run`](Self::run).
pub struct WebServer {
    listener: Listener,
    address: SocketAddr,
    /// The name that was configured, where it was none of an address.
    name: Option<String>,
    path: String,
    context: AcceptContext,
    limits: WebLimits,
}

impl WebServer {
    /// Reads the certificate, looks for the directory, and listens.
    ///
    /// # Errors
    ///
    /// Anything that is wrong with the configuration; the server never starts in a lesser way than it
    /// was configured, and never in plain text when it was given a certificate.
    pub async fn bind(config: WebConfig) -> Result<Self, StartError> {
        let tls = config.tls.map(|files| LiveTls::open(&files.into()));
        let tls = tls.transpose()?;
        let path = prefix(&config.path)?;
        let content = match config.content {
            WebContent::Page { signalling } => Content::page(signalling.as_deref()),
            WebContent::Directory(path) => Content::Directory(Directory::open(path).await?),
        };
        let (listener, address) = listen(&config.host, config.port).await?;
        let host = without_brackets(&config.host);
        let limits = config.limits;
        let mut names = config.allowed_hosts;
        names.extend(config.host.parse::<AllowedHost>());
        let known_hosts = KnownHosts::with_this_machine(names);
        let site = Site::new(path.clone(), content, known_hosts, tls.clone());
        let listener = Listener {
            listener,
            router: router(site),
        };
        let context = AcceptContext {
            tls,
            // A client that may see the page may see it as often as it likes.
            admission: None,
            metrics: Arc::new(Metrics::new()),
            answers_above_limit: false,
            handshake_timeout: limits.handshake_timeout,
            stall_timeout: limits.stall_timeout,
            stopping: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        };
        Ok(Self {
            listener,
            address,
            name: host.parse::<IpAddr>().is_err().then(|| host.to_owned()),
            path,
            context,
            limits,
        })
    }

    /// Where it listens; with the port that the system chose, if it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the content for a browser on this machine, with the name that was configured: a
    /// certificate may be for that only.
    pub fn url(&self) -> String {
        let scheme = if self.context.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let address = match &self.name {
            Some(name) => format!("{name}:{}", self.address.port()),
            None => reachable(self.address).to_string(),
        };
        format!("{scheme}://{address}{}/", encoded(&self.path))
    }

    /// Serves until `stop` is ready; then answers that were begun are given a moment.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            listener,
            context,
            limits,
            address,
            ..
        } = self;
        let permits = Arc::new(ConnectionPermits::new(limits.max_connections));
        tracing::info!(%address, tls = context.tls.is_some(), "serving the page");
        tokio::select! {
            () = accept_all(std::slice::from_ref(&listener), &permits, &context.metrics, || context.clone()) => {}
            () = tls::keep(context.tls.as_ref()) => {}
            () = stop => {}
        }
        drop(listener);
        context.stopping.cancel();
        if timeout(limits.shutdown_timeout, permits.all_returned())
            .await
            .is_err()
        {
            tracing::debug!("some answers were not taken in time");
        }
        context.abandoned.cancel();
    }
}

/// The path without its last slash: empty, or begun by a slash.
fn prefix(path: &str) -> Result<String, StartError> {
    let parts = || path.split('/').filter(|part| !part.is_empty());
    if parts().any(|part| matches!(part, "." | "..")) {
        return Err(StartError::Path {
            path: path.to_owned(),
        });
    }
    Ok(parts().flat_map(|part| ["/", part]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_with_or_without_slashes() {
        for (given, taken) in [("", ""), ("/", ""), ("a", "/a"), ("//a/b c/", "/a/b c")] {
            assert_eq!(prefix(given).expect("a path"), taken, "{given}");
        }
        for bad in [".", "..", "a/../b"] {
            let error = prefix(bad).expect_err("no browser asks for it").to_string();
            assert!(error.contains(bad), "{error}");
        }
    }
}
