//! A server from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::accept::{AcceptContext, Listener, accept_all};
use crate::address_limiter::AddressLimiter;
use crate::admin::config::AdminConfig;
use crate::admin::listener::AdminListener;
use crate::admin::socket::AdminSocketListener;
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::error::StartError;
use crate::handle::Handle;
#[cfg(feature = "text")]
use crate::http::text_router;
use crate::http::{check_host, router};
use crate::listen::{self, reachable, reached};
use crate::settings::{ListenSettings, Settings};
use crate::sockets::{Sockets, take_or_listen};
use crate::state::ServerState;
use crate::tls::{self, LiveTls, TlsConfig};

/// A server that listens. Its clients are served by [`run`](Self::run).
pub struct Server {
    /// The main port first.
    listeners: Vec<Listener>,
    address: SocketAddr,
    text_address: Option<SocketAddr>,
    admin: Option<AdminListener>,
    admin_socket: Option<AdminSocketListener>,
    context: AcceptContext,
    handle: Handle,
}

impl Server {
    /// Reads the certificate and listens.
    ///
    /// # Errors
    ///
    /// Anything that is wrong with the configuration; the server never starts in a lesser way than it
    /// was configured.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, Sockets::default()).await
    }

    /// Finds out whether a server could start with a configuration: reads the certificate and looks up the hosts. It
    /// listens nowhere and writes nothing, so it can be called by another user than the server's, or beside a server that
    /// runs, before its [`reload`](Handle::reload).
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind), but for what only shows when it is done: ports that are taken or not allowed, and a
    /// folder of ACME's that cannot be made or written to.
    pub async fn check(config: &Config) -> Result<(), StartError> {
        config.tls.as_ref().map(TlsConfig::check).transpose()?;
        Settings::of(config)?;
        check_features(config, &Sockets::default())?;
        let _addresses = listen::resolve(&config.host, config.port).await?;
        if let Some(admin) = &config.admin {
            AdminListener::check(admin, config.tls.is_some()).await?;
        }
        if let Some(socket) = &config.admin_socket {
            AdminSocketListener::check(socket)?;
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
        check_features(&config, &sockets)?;
        listen::check_apart(&wanted(&config, &sockets)).await?;
        let (listener, address) =
            take_or_listen(sockets.signalling, &config.host, config.port).await?;
        let listens = Arc::new(ListenSettings::of(&config));
        let state = ServerState::new(&config, settings, tls);
        #[cfg_attr(not(feature = "text"), expect(unused_mut, reason = "one port"))]
        let mut listeners = vec![Listener {
            listener,
            router: router(state.clone()),
        }];
        #[cfg_attr(not(feature = "text"), expect(unused_mut, reason = "one port"))]
        let mut text_address = None;
        #[cfg(feature = "text")]
        if config.text_port.is_some() || sockets.text.is_some() {
            let port = config.text_port.unwrap_or_default();
            let (listener, address) = take_or_listen(sockets.text, &config.host, port).await?;
            text_address = Some(address);
            let router = text_router(state.clone());
            listeners.push(Listener { listener, router });
        }
        let context = accept_context(&state);
        let handed_over = sockets.admin.is_some().then(AdminConfig::default);
        let admin = match config.admin.or(handed_over) {
            Some(admin) => Some(AdminListener::open(admin, sockets.admin, &context, &state).await?),
            None => None,
        };
        let admin_socket = config.admin_socket.as_ref();
        let admin_socket = admin_socket
            .map(|socket| AdminSocketListener::open(socket, &context, &state))
            .transpose()?;
        Ok(Self {
            listeners,
            address,
            text_address,
            admin,
            admin_socket,
            context,
            handle: Handle {
                state,
                listens,
                address,
            },
        })
    }

    /// Adds routes to those of the main port. They are behind the same limits and
    /// the same check of the host, and may find out the client with
    /// [`ClientAddress`](crate::ClientAddress); what they do not take goes to the page and the protocol. A route may
    /// upgrade its requests to WebSockets, which they close when [`Handle::stopping`] is ready.
    ///
    /// # Panics
    ///
    /// If one of them is a route of the server already, or they have a fallback.
    #[must_use]
    pub fn with_routes(mut self, routes: Router) -> Self {
        if let Some(main) = self.listeners.first_mut() {
            let routes = routes.layer(from_fn(check_host));
            main.router = std::mem::take(&mut main.router).merge(routes);
        }
        self
    }

    /// Controls it while it runs.
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
        self.admin.as_ref().map(AdminListener::address)
    }

    /// The address of the admin API for a program on this machine.
    pub fn admin_url(&self) -> Option<String> {
        self.admin.as_ref().map(AdminListener::url)
    }

    /// The Unix socket of the admin API, if it was asked to have one.
    pub fn admin_socket(&self) -> Option<&Path> {
        self.admin_socket.as_ref().map(AdminSocketListener::path)
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
        let scheme = if self.context.tls.is_some() {
            "wss"
        } else {
            "ws"
        };
        let address = reachable(address);
        format!("{scheme}://{address}/")
    }

    /// Serves until `stop` is ready; then every client is notified (close code 1001) and has a moment to leave.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            listeners,
            admin,
            admin_socket,
            context,
            handle: Handle { state, .. },
            address,
            text_address,
        } = self;
        let tls = context.tls.is_some();
        tracing::info!(%address, tls, "serving");
        if let Some(address) = text_address {
            tracing::info!(%address, tls, "serving the text protocol");
        }
        let context_now = || {
            let limits = Arc::clone(&state.settings.now().limits);
            AcceptContext {
                handshake_timeout: limits.handshake_timeout,
                stall_timeout: limits.stall_timeout(),
                ..context.clone()
            }
        };
        {
            let accepting = accept_all(&listeners, &state.permits, &state.metrics, context_now);
            let forgetting = forget_addresses(state.admission.addresses());
            let tls = tls::keep(context.tls.as_ref());
            let administering = async {
                if let Some(admin) = &admin {
                    admin.serve().await;
                }
            };
            let administering_at_socket = async {
                if let Some(socket) = &admin_socket {
                    socket.serve().await;
                }
            };
            let mut serving = pin!(async {
                tokio::join!(
                    accepting,
                    forgetting,
                    tls,
                    administering,
                    administering_at_socket
                )
            });
            tokio::select! {
                _ = serving.as_mut() => {}
                () = stop => {}
            }
            state.draining.cancel();
            let delay = state.settings.now().limits.shutdown_delay;
            if !delay.is_zero() {
                tracing::info!(?delay, "not ready for new clients any more");
                let _ = timeout(delay, serving).await;
            }
        }
        drop((listeners, admin, admin_socket));
        tracing::info!("stopping");
        end(&context, &state).await;
    }
}

/// Finds what a configuration asks for that is not built.
#[cfg_attr(
    feature = "text",
    expect(clippy::unnecessary_wraps, reason = "without the feature it may fail")
)]
fn check_features(config: &Config, sockets: &Sockets) -> Result<(), StartError> {
    #[cfg(not(feature = "text"))]
    if config.text_port.is_some() || sockets.text.is_some() {
        return Err(StartError::NotBuilt { feature: "text" });
    }
    let _ = (config, sockets);
    Ok(())
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

/// The context of the connections of a server.
pub(crate) fn accept_context(state: &ServerState) -> AcceptContext {
    let limits = Arc::clone(&state.settings.now().limits);
    AcceptContext {
        tls: state.tls.clone(),
        admission: Some(Arc::clone(&state.admission)),
        metrics: Arc::clone(&state.metrics),
        answers_above_limit: true,
        handshake_timeout: limits.handshake_timeout,
        stall_timeout: limits.stall_timeout(),
        stopping: state.stopping.clone(),
        abandoned: CancellationToken::new(),
    }
}

/// Notifies every client that the server stops, and waits a moment for them to leave.
pub(crate) async fn end(context: &AcceptContext, state: &ServerState) {
    state.stopping.cancel();
    // A client that is still on its way into a registry is notified when it gets there.
    state.close_all(&CloseReason::ShuttingDown);
    let limit = state.settings.now().limits.shutdown_timeout;
    if timeout(limit, state.permits.all_returned()).await.is_err() {
        tracing::warn!("some clients did not close in time");
    }
    context.abandoned.cancel();
}

/// How often addresses that have nothing any more are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

async fn forget_addresses(addresses: &AddressLimiter) {
    loop {
        tokio::time::sleep(FORGET_INTERVAL).await;
        addresses.forget_idle(Instant::now());
    }
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use super::*;
    use crate::outbound::Outbound;

    #[tokio::test]
    async fn client_that_connects_after_the_stop_closed_for_it() {
        let config = Config::default();
        let settings = Settings::of(&config).expect("good ones");
        let state = ServerState::new(&config, settings, None);
        let queue = || Outbound::new(&config.limits, Arc::clone(&state.metrics));
        let connect = || Arc::clone(&state.json).connect(queue());
        let connect_text = || Arc::clone(&state.text).connect(queue());
        let held = (connect().expect("room"), connect_text().expect("room"));
        end(&accept_context(&state), &state).await;
        let refused = [connect().map(drop), connect_text().map(drop)];
        assert_eq!(refused, [(); 2].map(|()| Err(CloseReason::ShuttingDown)));
        drop(held);
        assert_eq!(state.json.remembered(), 0);
        assert_eq!(state.text.remembered(), 0);
    }
}
