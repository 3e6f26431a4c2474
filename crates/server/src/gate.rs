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
use crate::config::Config;
use crate::forwarded::{client_address, is_forwarded, is_trusted};
use crate::http::{Shared, asks_for_websocket};
use crate::limits::Limits;
use crate::live::{Live, Settings};
use crate::meter::Meter;
use crate::metrics::Metrics;
use crate::origin::may_connect;
use crate::rate::{Rate, SharedTokenBucket};
use crate::refusal::Refusal;

/// Warnings of refusals: more go to the log as details only, so that a flood does not flood it too.
const WARNINGS_PER_SECOND: u32 = 1;
const WARNING_BURST: u32 = 10;

/// Addresses that a [`Gate::of_own`] remembers: more than come between two looks for those that have nothing any more.
const MAX_ADDRESSES_OF_OWN: usize = 8_192;

#[derive(Debug)]
pub(crate) struct Gate {
    live: Arc<Live>,
    clients: Arc<Clients>,
    metrics: Arc<Metrics>,
    /// Whether who is not let in is told so, as long as it does not come too often.
    answers: bool,
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
            answers: true,
            start: Instant::now(),
            warnings: SharedTokenBucket::default(),
        }
    }

    /// For a port with few places: so many connections at once from one address, this machine excepted, and nothing else
    /// is counted. Who has more is not told so, because that would take a place.
    pub(crate) fn of_own(max_connections_per_address: usize) -> Self {
        let config = Config {
            limits: Limits {
                max_connections_per_address,
                max_addresses: MAX_ADDRESSES_OF_OWN,
                address_connections_per_second: u32::MAX,
                address_connection_burst: u32::MAX,
                address_messages_per_second: u32::MAX,
                address_message_burst: u32::MAX,
                ..Limits::default()
            },
            ..Config::default()
        };
        let settings = Settings::of(&config).expect("nothing in it is zero");
        let now = Instant::now();
        Self {
            live: Arc::new(Live::new(settings)),
            clients: Arc::new(Clients::new(now)),
            metrics: Arc::new(Metrics::new()),
            answers: false,
            start: now,
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
                    if !(refused.answered && self.answers) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places_of_a_small_port() {
        let gate = Arc::new(Gate::of_own(2));
        let arrive = |address: &str| gate.arrive(address.parse().expect("an address"));
        let held = ["192.0.2.1", "192.0.2.1"].map(|address| arrive(address).expect("room"));
        for _ in 0..1_000 {
            assert!(arrive("192.0.2.1").is_none());
        }
        let other = arrive("192.0.2.2").expect("it has its own");
        let here: Vec<_> = (0..10).map(|_| arrive("127.0.0.1")).collect();
        assert!(here.iter().all(Option::is_some));
        drop((held, other));
        assert!(arrive("192.0.2.1").is_some());
    }
}
