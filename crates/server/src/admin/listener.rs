//! The port of the admin API.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::config::AdminConfig;
use super::routes::router;
use crate::accept::{AcceptContext, Listener, accept_all};
use crate::address_limiter::AddressLimits;
use crate::admission::{AdmissionControl, AdmissionSettings};
use crate::error::StartError;
use crate::forwarded::ForwardedHeader;
use crate::host::KnownHosts;
use crate::listen::{reachable, resolve};
use crate::metrics::Metrics;
use crate::origin::AllowedOrigin;
use crate::permits::ConnectionPermits;
use crate::rate::Rate;
use crate::sockets::take_or_listen;
use crate::state::ServerState;

/// Connections at once; more wait in the system's backlog.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// Of these, those from one address that is not on this machine; more are closed without an answer, which would need a
/// permit.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 16;

/// Addresses that are remembered: more than come between two looks for those that have nothing any more.
const MAX_ADDRESSES: usize = 8_192;

/// For the TLS handshake, and again for the head of each request: short, because a client that waits has a permit.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// A client that takes nothing of an answer for this long is disconnected.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The port, listened on.
pub(crate) struct AdminListener {
    listener: Listener,
    context: AcceptContext,
    permits: Arc<ConnectionPermits>,
    address: SocketAddr,
}

impl AdminListener {
    /// Finds out whether it could be opened, without listening.
    pub(crate) async fn check(config: &AdminConfig, has_tls: bool) -> Result<(), StartError> {
        let mut addresses = resolve(&config.host, config.port).await?;
        let is_local = addresses.all(|address| is_local(&address));
        check_network(config, &config.host, is_local, has_tls)
    }

    /// Listens, unless a socket is handed over that does. `context` is that of the server.
    pub(crate) async fn open(
        config: AdminConfig,
        socket: Option<std::net::TcpListener>,
        context: &AcceptContext,
        state: &ServerState,
    ) -> Result<Self, StartError> {
        let (listener, address) = take_or_listen(socket, &config.host, config.port).await?;
        let is_local = is_local(&address);
        // Nobody was served yet.
        let host = address.ip().to_string();
        check_network(&config, &host, is_local, context.tls.is_some())?;
        // What stays on this machine is not read by others, and its certificate is hardly for such an address.
        let tls = context.tls.clone().filter(|_| !is_local);
        if tls.is_none() && !is_local {
            tracing::warn!(%address, "the token of the admin API crosses the network without TLS");
        }
        let access = if config.token.is_some() {
            Access::Token(Arc::clone(&state.admin_token))
        } else {
            tracing::warn!(
                %address,
                "every user of this machine may use the admin API, which has no token: admin.socket is for the user of \
                 the server alone, admin.token_file for those who have the token"
            );
            Access::Host
        };
        let listener = Listener {
            listener,
            router: router(state.clone(), access),
        };
        // A client that looks at the metrics is not in them.
        let metrics = Arc::new(Metrics::new());
        let admission = AdmissionControl::new(admission_settings(), None, Arc::clone(&metrics));
        let context = AcceptContext {
            tls,
            // An operator is to get in whatever others do, at the signalling port or here.
            admission: Some(Arc::new(admission)),
            metrics,
            answers_above_limit: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            ..context.clone()
        };
        Ok(Self {
            listener,
            context,
            permits: Arc::new(ConnectionPermits::new(MAX_CONNECTIONS)),
            address,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.context.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}/", reachable(self.address))
    }

    /// Serves until it is dropped.
    pub(crate) fn serve(&self) -> impl Future<Output = ()> {
        tracing::info!(address = %self.address, tls = self.context.tls.is_some(), "serving the admin API");
        let listeners = std::slice::from_ref(&self.listener);
        accept_all(listeners, &self.permits, &self.context.metrics, || {
            self.context.clone()
        })
    }
}

fn admission_settings() -> AdmissionSettings {
    AdmissionSettings {
        addresses: AddressLimits {
            max_connections: MAX_CONNECTIONS_PER_ADDRESS,
            max_connections_in_all: MAX_CONNECTIONS,
            connection_rate: Rate::UNLIMITED,
            message_rate: Rate::UNLIMITED,
            call_rate: Rate::UNLIMITED,
            max_addresses: MAX_ADDRESSES,
            exempt_loopback: true,
        },
        refusal_timeout: None,
        allowed_origins: vec![AllowedOrigin::Any],
        // The access to it has a check of its own.
        known_hosts: KnownHosts::any(),
        trusted_proxies: Vec::new(),
        forwarded_header: ForwardedHeader::default(),
        metrics_from: Vec::new(),
    }
}

/// Finds what others on the network could do or read.
fn check_network(
    config: &AdminConfig,
    host: &str,
    is_local: bool,
    has_tls: bool,
) -> Result<(), StartError> {
    let host = || host.to_owned();
    if is_local {
        return Ok(());
    }
    if config.token.is_none() {
        return Err(StartError::AdminWithoutToken { host: host() });
    }
    if !has_tls && !config.allow_plaintext {
        return Err(StartError::AdminPlaintext { host: host() });
    }
    Ok(())
}

fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::server::accept_context;
    use crate::settings::Settings;

    /// A client that waits or does not read has a place that an operator may need.
    #[tokio::test]
    async fn client_that_waits_soon_disconnected_whatever_the_limits_of_others() {
        let mut config = Config::default();
        config.limits.handshake_timeout = Duration::from_secs(3_600);
        config.limits.pong_timeout = Duration::from_secs(3_600);
        let settings = Settings::of(&config).expect("good ones");
        let state = ServerState::new(&config, settings, None);
        let admin = AdminConfig {
            port: 0,
            ..AdminConfig::default()
        };
        let opened = AdminListener::open(admin, None, &accept_context(&state), &state).await;
        let context = opened.map(|listener| listener.context).expect("opened");
        assert_eq!(context.handshake_timeout, Duration::from_secs(3));
        assert_eq!(context.stall_timeout, Duration::from_secs(30));
    }
}
