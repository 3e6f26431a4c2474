//! A server without ports, for simulations and for the fuzzer: connections are streams in memory, in whatever time
//! the runtime has. It is part of the library only when one of these is built.

use std::sync::Arc;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::accept::{Front, serve_stream};
use crate::config::Config;
use crate::error::StartError;
use crate::http::{Shared, router};
use crate::live::{Live, Settings};
use crate::outbound::Waiting;
use crate::places::Places;
use crate::server;
use crate::switchboard::Switchboard;
use crate::text_switchboard::TextSwitchboard;

/// All of a server but the listening.
#[derive(Clone)]
pub struct Stage {
    front: Front,
    router: Router,
    shared: Shared,
    places: Arc<Places>,
}

impl Stage {
    /// A server without clients.
    ///
    /// # Errors
    ///
    /// The configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let settings = Settings::of(config)?;
        let limits = Arc::clone(&settings.limits);
        let shared = Shared {
            switchboard: Arc::new(Switchboard::new(config.policy.clone())),
            text_switchboard: Arc::new(TextSwitchboard::new(config.text_policy.clone())),
            live: Arc::new(Live::new(settings)),
        };
        let front = Front {
            tls: None,
            handshake_timeout: limits.handshake_timeout,
            stall_timeout: None,
            stopping: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        };
        Ok(Self {
            front,
            router: router(shared.clone()),
            shared,
            places: Arc::new(Places::new(limits.max_connections)),
        })
    }

    /// Serves a connection by a task of its own, as soon as there is room for it.
    pub async fn accept(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let place = self.places.take().await;
        let (front, router) = (self.front.clone(), self.router.clone());
        tokio::spawn(async move {
            let abandoned = front.abandoned.clone();
            tokio::select! {
                () = serve_stream(stream, None, place, router, front) => {}
                () = abandoned.cancelled() => {}
            }
        });
    }

    /// Stops as a server does that is told to.
    pub async fn stop(&self) {
        server::end(&self.front, &self.shared, &self.places).await;
    }

    /// Connections at the moment, of whatever kind.
    pub fn connections(&self) -> usize {
        self.places.taken()
    }

    /// How many things are kept of peers: nothing, when nobody is connected.
    pub fn remembered(&self) -> usize {
        self.shared.switchboard.remembered() + self.shared.text_switchboard.remembered()
    }

    /// What waits for each peer at the moment.
    pub fn queues(&self) -> Vec<Waiting> {
        let mut queues = self.shared.switchboard.queues();
        queues.extend(self.shared.text_switchboard.queues());
        queues
    }
}
