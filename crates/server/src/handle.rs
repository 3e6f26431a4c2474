//! Control of a server that runs: new settings, and what it has counted.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::accept_check;
use crate::config::Config;
use crate::error::StartError;
use crate::settings::{ListenSettings, Settings};
use crate::state::ServerState;
use crate::tls::{self, LiveTls};

/// A server that may be running, to be controlled from outside; see [`Server::handle`](crate::Server::handle).
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) state: ServerState,
    pub(crate) listens: Arc<ListenSettings>,
    pub(crate) address: SocketAddr,
}

/// The result of a [`Handle::reload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The restart-only fields of [`Config`] that differ from those that the server was started with.
    pub needs_restart: Vec<&'static str>,
}

impl Handle {
    /// The server's TLS, for as long as it runs; none if it serves plain text.
    pub fn tls(&self) -> Option<Arc<LiveTls>> {
        self.state.tls.clone()
    }

    /// All that is counted and all that there is, in the OpenMetrics text format; the same as the answer of `/metrics`.
    #[cfg(feature = "metrics")]
    pub fn metrics(&self) -> String {
        self.state.exposition()
    }

    /// Whether the server accepts connections on its main port, or is full: by a connection of its own, within seconds.
    pub fn accepts(&self) -> impl Future<Output = bool> + Send + use<> {
        let (state, address) = (self.state.clone(), self.address);
        async move { accept_check::accepts(&state, address).await }
    }

    /// Waits until the server has begun to stop. WebSockets of [`Server::with_routes`](crate::Server::with_routes) are
    /// closed by their own tasks, within [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout) of this.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopping = self.state.stopping.clone();
        async move { stopping.cancelled().await }
    }

    /// Takes new settings while serving. Policies and the numbers of connections apply at once, all else to
    /// connections and requests that come from now on. Nobody is disconnected. Restart-only settings are
    /// not looked at; [`Server::check`](crate::Server::check) finds out beforehand whether a server could start with them.
    ///
    /// # Errors
    ///
    /// Anything that is wrong with the configuration; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<Reloaded, StartError> {
        let settings = Settings::of(&config)?;
        let mut needs_restart = self.listens.which_differ(&config);
        // All that can fail comes before the first change.
        if !tls::reconfigure(self.state.tls.as_ref(), config.tls.as_ref())? {
            needs_restart.push("tls");
        }
        self.state.reload(settings, config);
        tracing::info!("took new settings");
        Ok(Reloaded { needs_restart })
    }
}
