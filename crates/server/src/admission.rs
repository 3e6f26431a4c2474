//! Which connections and requests are served, by the address that they come from and by their origin.
//!
//! A TCP connection is looked at when it arrives, and each HTTP request on it again: a trusted proxy
//! may bring requests of many clients. A client counts for its address while its request is answered, and
//! if that becomes a WebSocket, until it is closed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use wigwag_hub::Payer;

use crate::address_limiter::{AddressLimiter, AddressLimits, AddressPermit, Refused};
use crate::caller_budget::CallerBudget;
use crate::forwarded::{ForwardedHeader, client_address, is_forwarded, is_trusted};
use crate::host::{KnownHosts, host_header};
use crate::log_limiter::LogLimiter;
use crate::message_limiter::MessageLimiter;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::origin::{AllowedOrigin, Relation, relation};
use crate::proxy_warnings::ProxyWarnings;
use crate::rate::Rate;
use crate::refusal::Refusal;
use crate::reloadable::Reloadable;
use crate::tls::LiveTls;
use crate::websocket_request::asks_for_websocket;
use crate::work_budget::WorkBudget;

/// Warnings of refusals.
const WARNINGS_PER_SECOND: u32 = 1;
const WARNING_BURST: u32 = 10;

/// Of an origin or a host in the log; names are shorter.
const MAX_SHOWN_BYTES: usize = 300;

/// What decides whether a client is served.
#[derive(Clone, Debug)]
pub(crate) struct AdmissionSettings {
    pub(crate) addresses: AddressLimits,
    /// How long a refused connection has to read the reason; none closes it without an answer.
    pub(crate) refusal_timeout: Option<Duration>,
    pub(crate) allowed_origins: Vec<AllowedOrigin>,
    pub(crate) known_hosts: KnownHosts,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) forwarded_header: ForwardedHeader,
    pub(crate) metrics_from: Vec<Network>,
}

/// The admission control of one port, or of several that count together.
#[derive(Debug)]
pub(crate) struct AdmissionControl {
    settings: Reloadable<AdmissionSettings>,
    addresses: Arc<AddressLimiter>,
    /// The names in its certificate are names of the server.
    tls: Option<Arc<LiveTls>>,
    metrics: Arc<Metrics>,
    log: LogLimiter,
    proxy_warnings: ProxyWarnings,
}

/// A TCP connection that is served, if only with the reason of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionInfo {
    control: Arc<AdmissionControl>,
    /// The other end of the connection.
    peer: IpAddr,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
enum Verdict {
    /// Counts for its own address; exempt without a permit.
    Client(Option<Arc<AddressPermit>>),
    /// Brings requests of others.
    Proxy,
    Refused(Refusal),
}

/// The client that makes a request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its own address, also where a trusted proxy stands between.
    pub(crate) address: IpAddr,
    settings: Arc<AdmissionSettings>,
    /// None for a client that is exempt from what is counted by address.
    permit: Option<Arc<AddressPermit>>,
    /// Whether the request is of that address. It is not where a proxy shows that is not declared, or does not name its
    /// client: then it may be of anyone, also if the address is this machine's.
    is_known: bool,
    control: Arc<AdmissionControl>,
}

impl AdmissionControl {
    pub(crate) fn new(
        settings: AdmissionSettings,
        tls: Option<Arc<LiveTls>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = Instant::now();
        Self {
            settings: Reloadable::new(settings),
            addresses: Arc::new(AddressLimiter::new(now)),
            tls,
            metrics,
            log: LogLimiter::new(Rate::new(WARNINGS_PER_SECOND, WARNING_BURST)),
            proxy_warnings: ProxyWarnings::default(),
        }
    }

    /// Replaces the settings, for connections and requests from now on.
    pub(crate) fn reload(&self, settings: AdmissionSettings) {
        self.settings.replace(settings);
    }

    /// The addresses that are known now.
    pub(crate) fn addresses(&self) -> &AddressLimiter {
        &self.addresses
    }

    /// Looks at a new TCP connection. None is to be closed without an answer.
    pub(crate) fn admit_connection(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionInfo> {
        let settings = self.settings.now();
        let peer = peer.to_canonical();
        let verdict = if is_trusted(peer, &settings.trusted_proxies) {
            Verdict::Proxy
        } else {
            match self.admit(peer, true, &settings.addresses) {
                Ok(permit) => Verdict::Client(permit),
                Err(refused) => {
                    self.count(peer, refused.refusal, None);
                    if !refused.answered || settings.refusal_timeout.is_none() {
                        self.metrics.unanswered.add(1);
                        return None;
                    }
                    Verdict::Refused(refused.refusal)
                }
            }
        };
        Some(ConnectionInfo {
            control: Arc::clone(self),
            peer,
            verdict,
        })
    }

    /// `is_known` is as of [`Client`]: this machine is exempt only for requests of its own.
    fn admit(
        &self,
        address: IpAddr,
        is_known: bool,
        limits: &AddressLimits,
    ) -> Result<Option<Arc<AddressPermit>>, Refused> {
        if limits.exempt_loopback && is_known && address.is_loopback() {
            return Ok(None);
        }
        let permit = self.addresses.admit(address, limits, Instant::now())?;
        Ok(Some(Arc::new(permit)))
    }

    /// Counts and logs a refusal, of a request with its head.
    fn count(&self, address: IpAddr, refusal: Refusal, head: Option<&HeaderMap>) {
        self.metrics.refused.count(refusal.name());
        let limit = refusal.name();
        // What an operator would have to allow.
        let is_about_names = matches!(refusal, Refusal::Origin | Refusal::Host);
        let head = head.filter(|_| is_about_names);
        let origin = head.and_then(|head| shown(head, &ORIGIN));
        let host = head.and_then(|head| shown(head, &HOST));
        if self.log.allows() {
            tracing::warn!(%address, limit, origin, host, %refusal, "refused");
        } else {
            tracing::debug!(%address, limit, origin, host, %refusal, "refused");
        }
    }
}

impl ConnectionInfo {
    /// The time for each step before a WebSocket: less for a connection that only gets the reason of its refusal.
    pub(crate) fn handshake_timeout(&self, usual: Duration) -> Duration {
        match self.verdict {
            Verdict::Refused(_) => {
                let refusal_timeout = self.control.settings.now().refusal_timeout;
                usual.min(refusal_timeout.unwrap_or_default())
            }
            _ => usual,
        }
    }

    /// Whether it only gets the reason of its refusal.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused(_))
    }

    /// Finds the client that makes a request, and whether it may.
    pub(crate) fn admit_request(&self, headers: &HeaderMap) -> Result<Client, Refusal> {
        if let Verdict::Refused(refusal) = self.verdict {
            // It was counted when the connection came.
            return Err(refusal);
        }
        let settings = self.control.settings.now();
        let trusted = &settings.trusted_proxies;
        let named = is_trusted(self.peer, trusted)
            .then(|| client_address(headers, settings.forwarded_header, trusted))
            .flatten();
        let address = named.unwrap_or(self.peer);
        let is_known = match named {
            // For a proxy elsewhere, the loopback interface is another.
            Some(address) => !address.is_loopback() || self.peer.is_loopback(),
            None => !is_forwarded(headers),
        };
        if named.is_none() && !is_known {
            self.warn_of_proxy(trusted);
        }
        let permit = self.permit(address, is_known, &settings.addresses);
        let admitted = permit.and_then(|permit| {
            let client = Client {
                address,
                settings,
                permit,
                is_known,
                control: Arc::clone(&self.control),
            };
            client.check(headers).map(|()| client)
        });
        if let Err(refusal) = admitted {
            self.control.count(address, refusal, Some(headers));
        }
        admitted
    }

    fn warn_of_proxy(&self, trusted: &[Network]) {
        if is_trusted(self.peer, trusted) {
            self.control.proxy_warnings.unnamed(self.peer);
        } else if self.peer.is_loopback() {
            self.control.proxy_warnings.undeclared(self.peer);
        }
    }

    fn permit(
        &self,
        address: IpAddr,
        is_known: bool,
        limits: &AddressLimits,
    ) -> Result<Option<Arc<AddressPermit>>, Refusal> {
        match &self.verdict {
            // An exempt connection has none, and its requests need one if they may be of others.
            Verdict::Client(permit) if address == self.peer && (permit.is_some() || is_known) => {
                Ok(permit.clone())
            }
            _ => self
                .control
                .admit(address, is_known, limits)
                .map_err(|refused| refused.refusal),
        }
    }
}

impl Client {
    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(permit) = &self.permit {
            // A request is worth a message.
            let rate = self.settings.addresses.message_rate;
            permit
                .count_message(rate, Instant::now())
                .map_err(|retry_after| Refusal::MessageRate { retry_after })?;
        }
        if let Some(origin) = headers.get(ORIGIN)
            && asks_for_websocket(headers)
        {
            let allowed = &self.settings.allowed_origins;
            match relation(allowed, origin.as_bytes(), host_header(headers)) {
                Relation::Allowed => {}
                Relation::SameHost => self.check_host(headers)?,
                Relation::Foreign => return Err(Refusal::Origin),
            }
        }
        Ok(())
    }

    /// Whether the server is known by the name that the request is for.
    pub(crate) fn check_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let certified = self.control.tls.as_ref().map(|tls| tls.names());
        let certified = certified.as_deref().unwrap_or_default();
        let is_known = self.settings.known_hosts.allow_request(headers, certified);
        is_known.then_some(()).ok_or(Refusal::Host)
    }

    /// Whether it may see the metrics. Behind a proxy that is not declared, or that does not name its client, every
    /// client has the proxy's address; where that shows, none may.
    pub(crate) fn may_see_metrics(&self) -> bool {
        self.is_known && is_trusted(self.address, &self.settings.metrics_from)
    }

    /// Counts and logs a refusal of what it asks for, by a request with this head.
    pub(crate) fn refuse(&self, refusal: Refusal, head: &HeaderMap) -> Refusal {
        self.control.count(self.address, refusal, Some(head));
        refusal
    }

    /// Who pays for what its connection holds.
    pub(crate) fn payer(&self) -> Payer {
        self.permit
            .as_ref()
            .map_or(Payer::NOBODY, |permit| permit.payer())
    }

    /// The budget for work that its connection makes for others; none if that is exempt.
    pub(crate) fn work_budget(&self, now: Instant) -> Option<WorkBudget> {
        let permit = self.permit.as_ref()?;
        Some(WorkBudget::new(Arc::clone(permit), now))
    }

    /// The budget for the sessions that its connection starts; none if that is exempt.
    pub(crate) fn caller_budget(&self, answer_rate: Rate, now: Instant) -> Option<CallerBudget> {
        let permit = self.permit.as_ref()?;
        let call_rate = self.settings.addresses.call_rate;
        Some(CallerBudget::new(
            Arc::clone(permit),
            answer_rate,
            call_rate,
            now,
        ))
    }

    /// The limiter of the messages of its connection, which may have `peer_rate` itself.
    pub(crate) fn message_limiter(&self, peer_rate: Rate, now: Instant) -> MessageLimiter {
        match &self.permit {
            None => MessageLimiter::exempt(),
            Some(permit) => {
                let address_rate = self.settings.addresses.message_rate;
                MessageLimiter::new(Arc::clone(permit), peer_rate, address_rate, now)
            }
        }
    }
}

/// The value of a header for the log.
fn shown<'a>(head: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = head.get(name)?.to_str().ok()?;
    value.get(..value.len().min(MAX_SHOWN_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> AdmissionSettings {
        AdmissionSettings {
            addresses: AddressLimits {
                max_connections: 2,
                max_connections_in_all: 1_000_000,
                connection_rate: Rate::new(1_000_000, 1_000_000),
                message_rate: Rate::new(1, 1),
                call_rate: Rate::new(1, 1),
                max_addresses: 2,
                exempt_loopback: true,
            },
            refusal_timeout: None,
            allowed_origins: Vec::new(),
            known_hosts: KnownHosts::any(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            metrics_from: Network::loopback().into(),
        }
    }

    #[test]
    fn loopback_named_by_a_proxy_elsewhere_is_not_this_machine() {
        let is_own = |peer: &str, named: Option<&str>| {
            let settings = AdmissionSettings {
                trusted_proxies: ["127.0.0.1", "10.0.0.7"]
                    .map(|proxy| proxy.parse().expect("one"))
                    .into(),
                ..settings()
            };
            let control = AdmissionControl::new(settings, None, Arc::new(Metrics::new()));
            let connection = Arc::new(control).admit_connection(peer.parse().expect("an address"));
            let mut headers = HeaderMap::new();
            if let Some(named) = named {
                headers.insert("x-forwarded-for", named.parse().expect("a value"));
            }
            let client = connection
                .expect("room")
                .admit_request(&headers)
                .expect("room");
            assert_eq!(
                client.permit.is_none(),
                client.may_see_metrics(),
                "{peer} {named:?}"
            );
            client.permit.is_none()
        };
        assert!(is_own("127.0.0.1", None));
        assert!(is_own("127.0.0.1", Some("127.0.0.1")));
        assert!(!is_own("127.0.0.1", Some("unknown")));
        assert!(!is_own("10.0.0.7", Some("127.0.0.1")));
        assert!(!is_own("10.0.0.7", Some("192.0.2.1")));
    }

    #[test]
    fn address_over_its_connections_closed_unanswered_others_served() {
        let control = Arc::new(AdmissionControl::new(
            settings(),
            None,
            Arc::new(Metrics::new()),
        ));
        let admit = |address: &str| control.admit_connection(address.parse().expect("an address"));
        let held = ["192.0.2.1", "192.0.2.1"].map(|address| admit(address).expect("room"));
        for _ in 0..1_000 {
            assert!(admit("192.0.2.1").is_none());
        }
        let other = admit("192.0.2.2").expect("it has its own");
        let here: Vec<_> = (0..10).map(|_| admit("127.0.0.1")).collect();
        assert!(here.iter().all(Option::is_some));
        drop((held, other));
        assert!(admit("192.0.2.1").is_some());
    }
}
