//! The port of the admin API.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::{Admin, AdminConfig, router};
use crate::accept::{Door, Front, accept_all};
use crate::error::StartError;
use crate::gate::Gate;
use crate::http::Shared;
use crate::listen::{reachable, resolve};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::sockets::take_or_listen;

/// Connections at once; more wait in the system's backlog.
const MAX_CONNECTIONS: usize = 64;

/// Of these, those from one address that is not on this machine; more are closed.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 16;

/// For the TLS handshake, and again for the head of each request: short, because who waits has a place.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// A client that takes nothing of an answer for this long is disconnected.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The port, listened on.
pub(crate) struct AdminDoor {
    door: Door,
    front: Front,
    places: Arc<Places>,
    address: SocketAddr,
}

impl AdminDoor {
    /// Finds out whether it could be opened, without listening.
    pub(crate) async fn check(config: &AdminConfig) -> Result<(), StartError> {
        let mut addresses = resolve(&config.host, config.port).await?;
        if config.token.is_none() && !addresses.all(|address| is_local(&address)) {
            let host = config.host.clone();
            return Err(StartError::AdminWithoutToken { host });
        }
        Ok(())
    }

    /// Listens, unless a socket is handed over that does. `front` is that of the server.
    pub(crate) async fn open(
        config: AdminConfig,
        socket: Option<std::net::TcpListener>,
        front: &Front,
        shared: &Shared,
    ) -> Result<Self, StartError> {
        let (listener, address) = take_or_listen(socket, &config.host, config.port).await?;
        let is_local = is_local(&address);
        let access = match config.token {
            Some(token) => Access::Token(token),
            // Nobody was served yet.
            None if !is_local => {
                let host = address.ip().to_string();
                return Err(StartError::AdminWithoutToken { host });
            }
            None => Access::Host,
        };
        // What stays on this machine is not read by others, and its certificate is hardly for such an address.
        let tls = front.tls.clone().filter(|_| !is_local);
        if tls.is_none() && !is_local {
            tracing::warn!(%address, "the token of the admin API crosses the network without TLS");
        }
        let admin = Admin {
            shared: shared.clone(),
            access,
        };
        let door = Door {
            listener,
            router: router(Arc::new(admin)),
        };
        let front = Front {
            tls,
            // An operator is to get in whatever others do, at the signalling port or here.
            gate: Some(Arc::new(Gate::of_own(MAX_CONNECTIONS_PER_ADDRESS))),
            // Who looks at the metrics is not in them.
            metrics: Arc::new(Metrics::new()),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            ..front.clone()
        };
        Ok(Self {
            door,
            front,
            places: Arc::new(Places::new(MAX_CONNECTIONS)),
            address,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.front.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}/", reachable(self.address))
    }

    /// Serves until it is dropped.
    pub(crate) fn serve(&self) -> impl Future<Output = ()> {
        tracing::info!(address = %self.address, tls = self.front.tls.is_some(), "serving the admin API");
        let doors = std::slice::from_ref(&self.door);
        accept_all(doors, &self.places, &self.front.metrics, || {
            self.front.clone()
        })
    }
}

fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
