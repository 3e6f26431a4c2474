//! A server from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::accept::{Door, Front, accept_all};
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::error::StartError;
use crate::http::{Shared, router, text_router};
use crate::limits::Limits;
use crate::listen::{self, reachable};
use crate::sockets::{Sockets, take_or_listen};
use crate::switchboard::Switchboard;
use crate::text_switchboard::TextSwitchboard;
use crate::tls;

/// A server that listens. Its clients are served by [`run`](Self::run).
pub struct Server {
    doors: Vec<Door>,
    address: SocketAddr,
    text_address: Option<SocketAddr>,
    front: Front,
    switchboard: Arc<Switchboard>,
    text_switchboard: Arc<TextSwitchboard>,
    limits: Arc<Limits>,
}

impl Server {
    /// Reads the certificate and listens.
    ///
    /// # Errors
    ///
    /// Anything that is wrong with the configuration; the server never starts in a lesser way than it
    /// was told to.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, Sockets::default()).await
    }

    /// Finds out whether a server could start as told, without listening: reads the certificate and looks up the host.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind), but for ports that are taken.
    pub async fn check(config: &Config) -> Result<(), StartError> {
        config.tls.as_ref().map(tls::acceptor).transpose()?;
        listen::resolve(&config.host, config.port).await?;
        Ok(())
    }

    /// As [`bind`](Self::bind), with sockets that listen already.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind), and a socket that is none of TCP.
    pub async fn bind_with(config: Config, sockets: Sockets) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (listener, address) =
            take_or_listen(sockets.signalling, &config.host, config.port).await?;
        let limits = Arc::new(config.limits);
        let switchboard = Arc::new(Switchboard::new(config.policy, (*limits).clone()));
        let text_switchboard = TextSwitchboard::new(config.text_policy, (*limits).clone());
        let shared = Shared {
            switchboard: Arc::clone(&switchboard),
            text_switchboard: Arc::new(text_switchboard),
            limits: Arc::clone(&limits),
        };
        let text_switchboard = Arc::clone(&shared.text_switchboard);
        let mut doors = vec![Door {
            listener,
            router: router(shared.clone()),
        }];
        let mut text_address = None;
        if config.text_port.is_some() || sockets.text.is_some() {
            let port = config.text_port.unwrap_or_default();
            let (listener, address) = take_or_listen(sockets.text, &config.host, port).await?;
            text_address = Some(address);
            let router = text_router(shared);
            doors.push(Door { listener, router });
        }
        let front = Front {
            tls,
            permits: Arc::new(Semaphore::new(limits.max_connections)),
            handshake_timeout: limits.handshake_timeout,
            // Peers that do not read are found by what waits for them.
            stall_timeout: None,
            stopping: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        };
        Ok(Self {
            doors,
            address,
            text_address,
            front,
            switchboard,
            text_switchboard,
            limits,
        })
    }

    /// Where it listens; with the port that the system chose, if it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for the text protocol alone, if it was asked to.
    pub fn text_address(&self) -> Option<SocketAddr> {
        self.text_address
    }

    /// The signalling address for a client on this machine.
    pub fn url(&self) -> String {
        self.url_of(self.address)
    }

    /// The same for a client of the text protocol, by the port that speaks nothing else, if there is one.
    pub fn text_url(&self) -> Option<String> {
        self.text_address.map(|address| self.url_of(address))
    }

    fn url_of(&self, address: SocketAddr) -> String {
        let scheme = if self.front.tls.is_some() {
            "wss"
        } else {
            "ws"
        };
        let address = reachable(address);
        format!("{scheme}://{address}/")
    }

    /// Serves until `stop` is ready; then everyone is told (close code 1001) and given a moment.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            doors,
            front,
            switchboard,
            text_switchboard,
            address,
            text_address,
            limits,
        } = self;
        let tls = front.tls.is_some();
        tracing::info!(%address, tls, "serving");
        if let Some(address) = text_address {
            tracing::info!(%address, tls, "serving the text protocol");
        }
        tokio::select! {
            () = accept_all(&doors, front.clone()) => {}
            () = stop => {}
        }
        drop(doors);
        tracing::info!("stopping");
        front.stopping.cancel();
        let all_gone = async {
            // A client may have been on its way into the switchboard when the others were told.
            while front.permits.available_permits() < limits.max_connections {
                switchboard.close_all(&CloseReason::ShuttingDown);
                text_switchboard.close_all(&CloseReason::ShuttingDown);
                tokio::time::sleep(SHUTDOWN_POLL).await;
            }
        };
        if timeout(limits.shutdown_timeout, all_gone).await.is_err() {
            tracing::warn!("some clients did not close in time");
        }
        front.abandoned.cancel();
    }
}

/// How often a stopping server looks whether everyone is gone.
const SHUTDOWN_POLL: std::time::Duration = std::time::Duration::from_millis(10);
