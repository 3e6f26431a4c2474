//! A server without ports, for simulations and for the fuzzer: connections are streams in memory, and time is that of
//! the runtime. It is part of the library only when one of these is built.

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::{AcceptContext, RequestContext, serve_stream};
use crate::backlog::Waiting;
use crate::config::Config;
use crate::error::StartError;
use crate::forwarded::{ForwardedHeader, client_address};
use crate::http::router;
use crate::network::Network;
use crate::server::{self, accept_context};
use crate::settings::Settings;
use crate::state::ServerState;
use crate::tls::LiveTls;

/// All of a server but the listening.
#[derive(Clone)]
pub struct InMemoryServer {
    context: AcceptContext,
    router: Router,
    state: ServerState,
}

impl InMemoryServer {
    /// A server without clients.
    ///
    /// # Errors
    ///
    /// The configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(LiveTls::open).transpose()?;
        let state = ServerState::new(config, Settings::of(config)?, tls);
        Ok(Self {
            context: accept_context(&state),
            router: router(state.clone()),
            state,
        })
    }

    /// Serves a connection from this machine by a task of its own, as soon as there is room for it, unless it is closed
    /// without an answer.
    pub async fn accept(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.accept_from(Ipv4Addr::LOCALHOST.into(), stream).await;
    }

    /// The same for a client at an address.
    pub async fn accept_from(
        &self,
        address: IpAddr,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        self.serve(address, stream, self.router.clone()).await;
    }

    /// The same to the admin API, whose requests have to show this token.
    #[cfg(feature = "admin")]
    pub async fn accept_operator(
        &self,
        address: IpAddr,
        token: crate::Secret,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let router = crate::admin::router_for(self.state.clone(), token);
        self.serve(address, stream, router).await;
    }

    async fn serve(
        &self,
        address: IpAddr,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
    ) {
        self.state.permits.available().await;
        let Some(connection) = self.state.admission.admit_connection(address) else {
            return;
        };
        let request_context = RequestContext {
            permit: self.state.permits.take().await,
            connection: Some(connection),
            is_above_limit: false,
        };
        let context = self.context.clone();
        tokio::spawn(async move {
            let abandoned = context.abandoned.clone();
            tokio::select! {
                () = serve_stream(stream, None, request_context, router, context) => {}
                () = abandoned.cancelled() => {}
            }
        });
    }

    /// Stops as a server does.
    pub async fn stop(&self) {
        server::end(&self.context, &self.state).await;
    }

    /// The number of connections at the moment, of any kind.
    pub fn connections(&self) -> usize {
        self.state.permits.taken()
    }

    /// The number of things that are kept of peers: none when nobody is connected.
    pub fn remembered(&self) -> usize {
        let text = {
            #[cfg(feature = "text")]
            {
                self.state.text.remembered()
            }
            #[cfg(not(feature = "text"))]
            0
        };
        self.state.json.remembered() + text + self.state.admission.addresses().connections()
    }

    /// What waits for each peer at the moment.
    pub fn waiting(&self) -> Vec<Waiting> {
        #[allow(unused_mut, reason = "without the text protocol")]
        let mut waiting = self.state.json.waiting();
        #[cfg(feature = "text")]
        waiting.extend(self.state.text.waiting());
        waiting
    }
}

/// The client of a request that proxies in these networks brought, by the values of the header in which they name it; none
/// if they name nobody, or what they say cannot be read.
pub fn client_behind_proxies(
    values: &[&[u8]],
    header: ForwardedHeader,
    trusted: &[Network],
) -> Option<IpAddr> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header.name(), HeaderValue::from_bytes(value).ok()?);
    }
    client_address(&headers, header, trusted)
}
