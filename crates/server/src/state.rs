//! All that the parts of a running server share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::admin::secret::Secret;
use crate::admission::AdmissionControl;
use crate::close_reason::CloseReason;
use crate::config::Config;
use crate::held_bytes::HeldBytes;
use crate::json_hub::JsonHub;
use crate::log_limiter::LogLimiter;
#[cfg(not(feature = "text"))]
use crate::metrics::TextSnapshot;
use crate::metrics::{Metrics, Protocol, Snapshot, TlsSnapshot};
use crate::permits::ConnectionPermits;
use crate::rate::Rate;
use crate::registry::Registry;
use crate::reloadable::Reloadable;
use crate::settings::{ConnectionSettings, Settings};
#[cfg(feature = "text")]
use crate::text_hub::TextHub;
use crate::tls::LiveTls;

/// Lines about single connections in the log: when they come and leave, and why they are closed.
const LOG_LINES_PER_SECOND: u32 = 20;
const LOG_LINE_BURST: u32 = 2_000;

/// The state of a server: both protocols, and what is counted and limited for all connections together.
#[derive(Clone, Debug)]
pub(crate) struct ServerState {
    pub(crate) json: Arc<Registry<JsonHub>>,
    #[cfg(feature = "text")]
    pub(crate) text: Arc<Registry<TextHub>>,
    pub(crate) settings: Arc<Reloadable<ConnectionSettings>>,
    pub(crate) admission: Arc<AdmissionControl>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) permits: Arc<ConnectionPermits>,
    pub(crate) held: Arc<HeldBytes>,
    /// For lines about single connections.
    pub(crate) log: Arc<LogLimiter>,
    /// New clients are to go elsewhere: the server is about to stop.
    pub(crate) draining: CancellationToken,
    /// Connections are to end when the request that they are about is answered.
    pub(crate) stopping: CancellationToken,
    pub(crate) tls: Option<Arc<LiveTls>>,
    /// The token of the admin API's port, if that has one.
    pub(crate) admin_token: Arc<Reloadable<Option<Secret>>>,
}

impl ServerState {
    /// The state of a server that has no clients yet.
    pub(crate) fn new(config: &Config, settings: Settings, tls: Option<Arc<LiveTls>>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let max_connections = settings.connections.limits.max_connections;
        let admission =
            AdmissionControl::new(settings.admission, tls.clone(), Arc::clone(&metrics));
        Self {
            json: Arc::new(Registry::new(JsonHub::new(config.policy.clone()))),
            #[cfg(feature = "text")]
            text: Arc::new(Registry::new(TextHub::new(config.text_policy.clone()))),
            permits: Arc::new(ConnectionPermits::new(max_connections)),
            settings: Arc::new(Reloadable::new(settings.connections)),
            admission: Arc::new(admission),
            held: Arc::default(),
            metrics,
            log: Arc::new(LogLimiter::new(Rate::new(
                LOG_LINES_PER_SECOND,
                LOG_LINE_BURST,
            ))),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tls,
            admin_token: Arc::new(Reloadable::new(admin_token(config))),
        }
    }

    /// Replaces what can be changed while the server runs. Policies and the number of connections apply at once.
    pub(crate) fn reload(&self, settings: Settings, config: Config) {
        self.permits.set_limit(config.limits.max_connections);
        self.settings.replace(settings.connections);
        self.admission.reload(settings.admission);
        // A port goes on as it was started, with a token or without.
        if let Some(token) = admin_token(&config) {
            self.admin_token.replace(Some(token));
        }
        self.json.set_policy(config.policy);
        #[cfg(feature = "text")]
        self.text.set_policy(config.text_policy);
    }

    /// Closes every WebSocket of both protocols, and all that come later.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        self.json.close_all(reason);
        #[cfg(feature = "text")]
        self.text.close_all(reason);
    }

    /// The limit that keeps new clients of a protocol out, if one is reached.
    pub(crate) fn full(&self, protocol: Protocol) -> Option<&'static str> {
        if self.permits.are_taken() {
            return Some("limits.max_connections");
        }
        match protocol {
            Protocol::Json => self.json.is_full().then_some("limits.max_peers"),
            #[cfg(feature = "text")]
            Protocol::Text => self.text.is_full().then_some("text_limits.max_peers"),
            #[cfg(not(feature = "text"))]
            Protocol::Text => None,
        }
    }

    /// The numbers of what there is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            connections: self.permits.taken(),
            addresses: self.admission.addresses().len(),
            held_bytes: self.held.in_all(),
            json: self.json.snapshot(),
            #[cfg(feature = "text")]
            text: self.text.snapshot(),
            #[cfg(not(feature = "text"))]
            text: TextSnapshot::default(),
            tls: self.tls.as_ref().map(|tls| TlsSnapshot {
                handshakes_failed: tls.handshakes_failed(),
                certificate_expires: tls.certificate_expires(),
            }),
        }
    }

    /// All metrics as text, with what there is now.
    #[cfg(feature = "metrics")]
    pub(crate) fn exposition(&self) -> String {
        crate::metrics::exposition(Arc::clone(&self.metrics), self.snapshot())
    }
}

fn admin_token(config: &Config) -> Option<Secret> {
    config.admin.as_ref()?.token.clone()
}
