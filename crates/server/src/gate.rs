//! Who gets in: from which address somebody comes, and whether it may have more.
//!
//! A TCP connection is looked at when it arrives, and each HTTP request on it again: a proxy that is trusted
//! may bring requests of many clients. A client counts for its address while its request is answered, and
//! if that becomes a WebSocket, until it is closed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use tokio::time::Instant;

use crate::clients::{Admission, Clients, Refused};
use crate::forwarded::{client_address, is_forwarded, is_trusted};
use crate::http::{Shared, asks_for_websocket};
use crate::live::{Live, Settings};
use crate::meter::Meter;
use crate::metrics::Metrics;
use crate::origin::may_connect;
use crate::rate::{Rate, SharedTokenBucket};
use crate::refusal::Refusal;

/// Warnings of refusals: more go to the log as details only, so that a flood does not flood it too.
const WARNINGS_PER_SECOND: u32 = 1;
const WARNING_BURST: u32 = 10;

#[derive(Debug)]
pub(crate) struct Gate {
    live: Arc<Live>,
    clients: Arc<Clients>,
    metrics: Arc<Metrics>,
    start: Instant,
    warnings: SharedTokenBucket,
}

/// A TCP connection that was let in, if only to be told why it is not served.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    gate: Arc<Gate>,
    /// Whom the connection is with.
    peer: IpAddr,
    standing: Standing,
}

#[derive(Clone, Debug)]
enum Standing {
    /// Counts for its own address.
    Client(Option<Arc<Admission>>),
    /// Speaks for others.
    Proxy,
    Refused(Refusal),
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its own address, also where a trusted proxy stands between.
    pub(crate) address: IpAddr,
    /// Those that count for it.
    pub(crate) settings: Arc<Settings>,
    /// None for who is exempt from what is counted by address.
    admission: Option<Arc<Admission>>,
    /// Whether a trusted proxy has named this address.
    named: bool,
    gate: Arc<Gate>,
}

impl Gate {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            live: Arc::clone(&shared.live),
            clients: Arc::clone(&shared.clients),
            metrics: Arc::clone(&shared.metrics),
            start: Instant::now(),
            warnings: SharedTokenBucket::default(),
        }
    }

    /// Looks at a new TCP connection. None is to be closed without a word.
    pub(crate) fn arrive(self: &Arc<Self>, peer: IpAddr) -> Option<Visitor> {
        let settings = self.live.now();
        let peer = peer.to_canonical();
        let standing = if is_trusted(peer, &settings.trusted_proxies) {
            Standing::Proxy
        } else {
            match self.admit(peer, true, &settings) {
                Ok(admission) => Standing::Client(admission),
                Err(refused) => {
                    self.note(peer, refused.refusal);
                    if !refused.answered {
                        self.metrics.unanswered.add(1);
                        return None;
                    }
                    Standing::Refused(refused.refusal)
                }
            }
        };
        Some(Visitor {
            gate: Arc::clone(self),
            peer,
            standing,
        })
    }

    /// `is_known` is false where a proxy on this machine may stand for anybody: then the machine is not exempt.
    fn admit(
        &self,
        address: IpAddr,
        is_known: bool,
        settings: &Settings,
    ) -> Result<Option<Arc<Admission>>, Refused> {
        let limits = &settings.limits;
        if limits.exempt_loopback && is_known && address.is_loopback() {
            return Ok(None);
        }
        let admission = self.clients.admit(address, limits, Instant::now())?;
        Ok(Some(Arc::new(admission)))
    }

    /// Counts and logs a refusal.
    fn note(&self, address: IpAddr, refusal: Refusal) {
        self.metrics.refused.count(refusal.name());
        let rate = Rate::new(WARNINGS_PER_SECOND, WARNING_BURST);
        let limit = refusal.name();
        if self.warnings.take(rate, self.start.elapsed()).is_ok() {
            tracing::warn!(%address, limit, %refusal, "refused");
        } else {
            tracing::debug!(%address, limit, %refusal, "refused");
        }
    }
}

impl Visitor {
    /// How long it may take for anything before a WebSocket: less for who is only told why.
    pub(crate) fn patience(&self, handshake_timeout: Duration) -> Duration {
        match self.standing {
            Standing::Refused(_) => {
                handshake_timeout.min(self.gate.live.now().limits.close_timeout)
            }
            _ => handshake_timeout,
        }
    }

    /// Whether it is only told why it is not served.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.standing, Standing::Refused(_))
    }

    /// Finds out who asks, and whether that is allowed.
    pub(crate) fn request(&self, headers: &HeaderMap) -> Result<Client, Refusal> {
        if let Standing::Refused(refusal) = self.standing {
            // It was counted when it came.
            return Err(refusal);
        }
        let settings = self.gate.live.now();
        let trusted = &settings.trusted_proxies;
        let named = is_trusted(self.peer, trusted)
            .then(|| client_address(headers, settings.forwarded_header, trusted))
            .flatten();
        let address = named.unwrap_or(self.peer);
        let is_known = named.is_some() || !is_forwarded(headers);
        let admitted = self.admission(address, is_known, &settings);
        let admitted = admitted.and_then(|admission| {
            let client = Client {
                address,
                settings,
                admission,
                named: named.is_some(),
                gate: Arc::clone(&self.gate),
            };
            client.may_ask(headers).map(|()| client)
        });
        if let Err(refusal) = admitted {
            self.gate.note(address, refusal);
        }
        admitted
    }

    fn admission(
        &self,
        address: IpAddr,
        is_known: bool,
        settings: &Settings,
    ) -> Result<Option<Arc<Admission>>, Refusal> {
        match &self.standing {
            Standing::Client(admission) if address == self.peer => Ok(admission.clone()),
            _ => self
                .gate
                .admit(address, is_known, settings)
                .map_err(|refused| refused.refusal),
        }
    }
}

impl Client {
    fn may_ask(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(admission) = &self.admission {
            // A request is worth a message.
            let rate = self.settings.limits.address_message_rate();
            admission
                .count_message(rate, Instant::now())
                .map_err(|retry_after| Refusal::MessageRate { retry_after })?;
        }
        if let Some(origin) = headers.get(ORIGIN)
            && asks_for_websocket(headers)
        {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            if !may_connect(&self.settings.allowed_origins, origin.as_bytes(), host) {
                return Err(Refusal::Origin);
            }
        }
        Ok(())
    }

    /// Whether it may see the metrics. Behind a proxy that nobody declared, or that does not say who asks, everyone
    /// has the proxy's address; where that shows, nobody may.
    pub(crate) fn may_see_metrics(&self, headers: &HeaderMap) -> bool {
        is_trusted(self.address, &self.settings.metrics_from)
            && (self.named || !is_forwarded(headers))
    }

    /// Counts and logs that it does not get what it asks for.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Refusal {
        self.gate.note(self.address, refusal);
        refusal
    }

    /// To count its messages.
    pub(crate) fn meter(&self, now: Instant) -> Meter {
        match &self.admission {
            None => Meter::free(),
            Some(admission) => Meter::new(Arc::clone(admission), &self.settings.limits, now),
        }
    }
}
