//! A server from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::accept::{Door, Front, accept_all};
use crate::admin::{AdminConfig, AdminDoor};
use crate::clients::Clients;
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::error::StartError;
use crate::gate::Gate;
use crate::http::{Shared, router, text_router};
use crate::listen::{self, reachable, reached};
use crate::live::{Handle, Listens, Settings};
use crate::sockets::{Sockets, take_or_listen};
use crate::tls::{self, LiveTls, TlsConfig};

/// A server that listens. Its clients are served by [`run`](Self::run).
pub struct Server {
    doors: Vec<Door>,
    address: SocketAddr,
    text_address: Option<SocketAddr>,
    admin: Option<AdminDoor>,
    front: Front,
    handle: Handle,
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

    /// Finds out whether a server could start as told: reads the certificate and looks up the hosts. It listens nowhere
    /// and writes nothing, so it can be asked by another user than the server's, or beside a server that runs, before
    /// that is told to [`reload`](Handle::reload).
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind), but for what only shows when it is done: ports that are taken or not allowed, and a
    /// folder of ACME's that cannot be made or written to.
    pub async fn check(config: &Config) -> Result<(), StartError> {
        config.tls.as_ref().map(TlsConfig::check).transpose()?;
        Settings::of(config)?;
        let _addresses = listen::resolve(&config.host, config.port).await?;
        if let Some(admin) = &config.admin {
            AdminDoor::check(admin).await?;
        }
        listen::check_apart(&wanted(config, &Sockets::default())).await
    }

    /// As [`bind`](Self::bind), with sockets that listen already.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind), and a socket that is none of TCP.
    pub async fn bind_with(config: Config, sockets: Sockets) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(LiveTls::open).transpose()?;
        let settings = Settings::of(&config)?;
        listen::check_apart(&wanted(&config, &sockets)).await?;
        let (listener, address) =
            take_or_listen(sockets.signalling, &config.host, config.port).await?;
        let listens = Arc::new(Listens::of(&config));
        let shared = Shared::new(&config, settings, tls);
        let mut doors = vec![Door {
            listener,
            router: router(shared.clone()),
        }];
        let mut text_address = None;
        if config.text_port.is_some() || sockets.text.is_some() {
            let port = config.text_port.unwrap_or_default();
            let (listener, address) = take_or_listen(sockets.text, &config.host, port).await?;
            text_address = Some(address);
            let router = text_router(shared.clone());
            doors.push(Door { listener, router });
        }
        let front = front(&shared);
        let handed_over = sockets.admin.is_some().then(AdminConfig::default);
        let admin = match config.admin.or(handed_over) {
            Some(admin) => Some(AdminDoor::open(admin, sockets.admin, &front, &shared).await?),
            None => None,
        };
        Ok(Self {
            doors,
            address,
            text_address,
            admin,
            front,
            handle: Handle { shared, listens },
        })
    }

    /// Adds routes to those of the main port. They are behind the same limits; what they do not take goes to the page and
    /// the protocol.
    ///
    /// # Panics
    ///
    /// If one of them is a route of the server already, or they have a fallback.
    #[must_use]
    pub fn with_routes(mut self, routes: Router) -> Self {
        if let Some(main) = self.doors.first_mut() {
            main.router = std::mem::take(&mut main.router).merge(routes);
        }
        self
    }

    /// To tell it something while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where it listens; with the port that the system chose, if it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for the text protocol alone, if it was asked to.
    pub fn text_address(&self) -> Option<SocketAddr> {
        self.text_address
    }

    /// Where it listens for the admin API, if it was asked to.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminDoor::address)
    }

    /// The address of the admin API for a program on this machine.
    pub fn admin_url(&self) -> Option<String> {
        self.admin.as_ref().map(AdminDoor::url)
    }

    /// The signalling address for a client on this machine.
    pub fn url(&self) -> String {
        self.url_of(self.address)
    }

    /// All addresses at which clients reach it, that for this machine first.
    pub fn urls(&self) -> Vec<String> {
        let reached = reached(self.address).into_iter();
        reached.map(|address| self.url_of(address)).collect()
    }

    /// Whether clients on other machines may reach it.
    pub fn is_open_to_others(&self) -> bool {
        !self.address.ip().is_loopback()
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
            admin,
            front,
            handle: Handle { shared, .. },
            address,
            text_address,
        } = self;
        let tls = front.tls.is_some();
        tracing::info!(%address, tls, "serving");
        if let Some(address) = text_address {
            tracing::info!(%address, tls, "serving the text protocol");
        }
        let front_now = || {
            let limits = Arc::clone(&shared.live.now().limits);
            Front {
                handshake_timeout: limits.handshake_timeout,
                stall_timeout: limits.stall_timeout(),
                ..front.clone()
            }
        };
        {
            let accepting = accept_all(&doors, &shared.places, &shared.metrics, front_now);
            let forgetting = forget_addresses(&shared.clients);
            let tls = tls::keep(front.tls.as_ref());
            let administering = async {
                if let Some(admin) = &admin {
                    admin.serve().await;
                }
            };
            let mut serving =
                pin!(async { tokio::join!(accepting, forgetting, tls, administering) });
            tokio::select! {
                _ = serving.as_mut() => {}
                () = stop => {}
            }
            shared.stopping.begin();
            let delay = shared.live.now().limits.shutdown_delay;
            if !delay.is_zero() {
                tracing::info!(?delay, "not ready for newcomers any more");
                let _ = timeout(delay, serving).await;
            }
        }
        drop((doors, admin));
        tracing::info!("stopping");
        end(&front, &shared).await;
    }
}

/// Where it is to listen, but for sockets that do so already.
fn wanted<'a>(config: &'a Config, sockets: &Sockets) -> Vec<(&'a str, u16)> {
    let host = config.host.as_str();
    let signalling = sockets.signalling.is_none().then_some((host, config.port));
    let text = config.text_port.map(|port| (host, port));
    let admin = config.admin.as_ref();
    let admin = admin.map(|admin| (admin.host.as_str(), admin.port));
    let text = text.filter(|_| sockets.text.is_none());
    let admin = admin.filter(|_| sockets.admin.is_none());
    [signalling, text, admin].into_iter().flatten().collect()
}

/// What every connection of a server needs.
pub(crate) fn front(shared: &Shared) -> Front {
    let limits = &shared.live.now().limits;
    Front {
        tls: shared.tls.clone(),
        gate: Some(Arc::new(Gate::new(shared))),
        metrics: Arc::clone(&shared.metrics),
        handshake_timeout: limits.handshake_timeout,
        stall_timeout: limits.stall_timeout(),
        stopping: CancellationToken::new(),
        abandoned: CancellationToken::new(),
    }
}

/// Tells everyone that the server stops, and waits a moment for them to go.
pub(crate) async fn end(front: &Front, shared: &Shared) {
    front.stopping.cancel();
    // Who is still on its way into a switchboard is told when it gets there.
    shared.switchboard.close_all(&CloseReason::ShuttingDown);
    shared
        .text_switchboard
        .close_all(&CloseReason::ShuttingDown);
    let patience = shared.live.now().limits.shutdown_timeout;
    if timeout(patience, shared.places.all_free()).await.is_err() {
        tracing::warn!("some clients did not close in time");
    }
    front.abandoned.cancel();
}

/// How often addresses that have nothing any more are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

async fn forget_addresses(clients: &Clients) {
    loop {
        tokio::time::sleep(FORGET_INTERVAL).await;
        clients.forget_idle(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Outbound;

    #[tokio::test]
    async fn who_comes_when_all_were_told_is_told_as_well() {
        let config = Config::default();
        let settings = Settings::of(&config).expect("good ones");
        let shared = Shared::new(&config, settings, None);
        let queue = || Outbound::new(&config.limits, Arc::clone(&shared.metrics));
        let connect = || Arc::clone(&shared.switchboard).connect(queue());
        let connect_text = || Arc::clone(&shared.text_switchboard).connect(queue());
        let held = (connect().expect("room"), connect_text().expect("room"));
        end(&front(&shared), &shared).await;
        let told = [connect().map(drop), connect_text().map(drop)];
        assert_eq!(told, [(); 2].map(|()| Err(CloseReason::ShuttingDown)));
        drop(held);
        assert_eq!(shared.switchboard.remembered(), 0);
        assert_eq!(shared.text_switchboard.remembered(), 0);
    }
}
