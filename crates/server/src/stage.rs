//! A server without ports, for simulations and for the fuzzer: connections are streams in memory, in whatever time
//! the runtime has. It is part of the library only when one of these is built.

use std::net::Ipv4Addr;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::{Arrival, Front, serve_stream};
use crate::backlog::Waiting;
use crate::config::Config;
use crate::error::StartError;
use crate::http::{Shared, router};
use crate::live::Settings;
use crate::server;

/// All of a server but the listening.
#[derive(Clone)]
pub struct Stage {
    front: Front,
    router: Router,
    shared: Shared,
}

impl Stage {
    /// A server without clients.
    ///
    /// # Errors
    ///
    /// The configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let shared = Shared::new(config, Settings::of(config)?, None);
        Ok(Self {
            front: server::front(&shared),
            router: router(shared.clone()),
            shared,
        })
    }

    /// Serves a connection by a task of its own, as soon as there is room for it, unless it is closed without a word.
    pub async fn accept(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.shared.places.one_free().await;
        let gate = self.front.gate.as_ref();
        let Some(visitor) = gate.and_then(|gate| gate.arrive(Ipv4Addr::LOCALHOST.into())) else {
            return;
        };
        let arrival = Arrival {
            place: self.shared.places.take(),
            visitor: Some(visitor),
        };
        let (front, router) = (self.front.clone(), self.router.clone());
        tokio::spawn(async move {
            let abandoned = front.abandoned.clone();
            tokio::select! {
                () = serve_stream(stream, None, arrival, router, front) => {}
                () = abandoned.cancelled() => {}
            }
        });
    }

    /// Stops as a server does that is told to.
    pub async fn stop(&self) {
        server::end(&self.front, &self.shared).await;
    }

    /// Connections at the moment, of whatever kind.
    pub fn connections(&self) -> usize {
        self.shared.places.taken()
    }

    /// How many things are kept of peers: nothing, when nobody is connected.
    pub fn remembered(&self) -> usize {
        self.shared.switchboard.remembered()
            + self.shared.text_switchboard.remembered()
            + self.shared.clients.connections()
    }

    /// What waits for each peer at the moment.
    pub fn queues(&self) -> Vec<Waiting> {
        let mut queues = self.shared.switchboard.queues();
        queues.extend(self.shared.text_switchboard.queues());
        queues
    }
}
