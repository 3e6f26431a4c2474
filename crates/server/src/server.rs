//! A server from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::accept::{Front, accept_all};
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::error::StartError;
use crate::http::router;
use crate::limits::Limits;
use crate::listen::{listen, reachable};
use crate::switchboard::Switchboard;
use crate::tls;

/// A server that listens. Its clients are served by [`run`](Self::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    front: Front,
    switchboard: Arc<Switchboard>,
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
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (listener, address) = listen(&config.host, config.port).await?;
        let limits = Arc::new(config.limits);
        let switchboard = Arc::new(Switchboard::new(config.policy, (*limits).clone()));
        let front = Front {
            tls,
            router: router(Arc::clone(&switchboard), Arc::clone(&limits)),
            permits: Arc::new(Semaphore::new(limits.max_connections)),
            handshake_timeout: limits.handshake_timeout,
            // Peers that do not read are found by what waits for them.
            stall_timeout: None,
            stopping: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        };
        Ok(Self {
            listener,
            address,
            front,
            switchboard,
            limits,
        })
    }

    /// Where it listens; with the port that the system chose, if it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The signalling address for a client on this machine.
    pub fn url(&self) -> String {
        let scheme = if self.front.tls.is_some() {
            "wss"
        } else {
            "ws"
        };
        let address = reachable(self.address);
        format!("{scheme}://{address}/")
    }

    /// Serves until `stop` is ready; then everyone is told (close code 1001) and given a moment.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            listener,
            front,
            switchboard,
            address,
            limits,
        } = self;
        tracing::info!(%address, tls = front.tls.is_some(), "serving");
        tokio::select! {
            () = accept_all(listener, front.clone()) => {}
            () = stop => {}
        }
        tracing::info!("stopping");
        front.stopping.cancel();
        let all_gone = async {
            // A client may have been on its way into the switchboard when the others were told.
            while front.permits.available_permits() < limits.max_connections {
                switchboard.close_all(&CloseReason::ShuttingDown);
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
