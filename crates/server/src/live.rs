//! What a running server is told anew: which settings are in force, and how to change them.
//!
//! A connection reads the settings once, when it comes, and keeps what it was given: a change costs the
//! messages nothing. The policies of the hubs are changed at once.

use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderValue;

use crate::admin::AdminConfig;
use crate::config::Config;
use crate::error::StartError;
use crate::forwarded::ForwardedHeader;
use crate::http::Shared;
use crate::limits::Limits;
use crate::metrics;
use crate::network::Network;
use crate::origin::AllowedOrigin;
use crate::page;
use crate::tls::{self, LiveTls};

/// The settings in force, for those who come now.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Settings>>);

/// The settings that every connection reads when it comes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) allowed_origins: Vec<AllowedOrigin>,
    /// The policy of the page, if it is not the usual one.
    pub(crate) page_policy: Option<HeaderValue>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) forwarded_header: ForwardedHeader,
    pub(crate) metrics_from: Vec<Network>,
}

impl Settings {
    /// Checks and takes what a running server can be told.
    pub(crate) fn of(config: &Config) -> Result<Self, StartError> {
        config.limits.check()?;
        check_policies(config)?;
        Ok(Self {
            limits: Arc::new(config.limits.clone()),
            allowed_origins: config.allowed_origins.clone(),
            page_policy: page::policy_with(&config.frame_ancestors),
            trusted_proxies: config.trusted_proxies.clone(),
            forwarded_header: config.forwarded_header,
            metrics_from: config.metrics_from.clone(),
        })
    }
}

/// Finds what would let nobody in.
fn check_policies(config: &Config) -> Result<(), StartError> {
    let Config {
        policy,
        text_policy,
        ..
    } = config;
    let numbers = [
        ("max_peers", policy.max_peers),
        ("text_limits.max_peers", text_policy.max_peers),
        ("text_limits.max_id_bytes", text_policy.max_id_bytes),
    ];
    match numbers.iter().find(|(_, number)| *number == 0) {
        Some((name, _)) => Err(StartError::Limit { name }),
        None => Ok(()),
    }
}

impl Live {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    pub(crate) fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

/// A server that may be running, to be told something from outside; see [`Server::handle`].
///
/// [`Server::handle`]: crate::Server::handle
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Shared,
    /// What can only be chosen at the start.
    pub(crate) listens: Arc<Listens>,
}

/// Where a server was told to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listens {
    host: String,
    port: u16,
    text_port: Option<u16>,
    admin: Option<AdminConfig>,
}

impl Listens {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            host: config.host.clone(),
            port: config.port,
            text_port: config.text_port,
            admin: config.admin.clone(),
        }
    }
}

/// What came of a [`Handle::reload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The fields of [`Config`] that differ from those that the server was started with, and count from its
    /// next start only.
    pub needs_restart: Vec<&'static str>,
}

impl Handle {
    /// The server's TLS, for as long as it runs; none if it serves plain text.
    pub fn tls(&self) -> Option<Arc<LiveTls>> {
        self.shared.tls.clone()
    }

    /// What is counted and what there is, in the OpenMetrics text format; the same as `/metrics` answers.
    pub fn metrics(&self) -> String {
        metrics::exposition(&self.shared)
    }

    /// Takes new settings while serving. Policies and the numbers of connections count at once, all else for
    /// connections and requests that come from now on. Nobody is disconnected. What counts from the next start only is
    /// not looked at; [`Server::check`](crate::Server::check) finds out beforehand whether there could be one.
    ///
    /// # Errors
    ///
    /// Anything that is wrong with the configuration; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<Reloaded, StartError> {
        let settings = Settings::of(&config)?;
        let mut needs_restart = self.listens.which_differ(&config);
        // All that can fail comes before the first change.
        if !tls::reconfigure(self.shared.tls.as_ref(), config.tls.as_ref())? {
            needs_restart.push("tls");
        }
        self.shared.places.set_limit(config.limits.max_connections);
        self.shared.live.change(settings);
        self.shared.switchboard.set_policy(config.policy);
        self.shared.text_switchboard.set_policy(config.text_policy);
        tracing::info!("took new settings");
        Ok(Reloaded { needs_restart })
    }
}

impl Listens {
    fn which_differ(&self, config: &Config) -> Vec<&'static str> {
        let wanted = Self::of(config);
        [
            ("host", self.host != wanted.host),
            ("port", self.port != wanted.port),
            ("text_port", self.text_port != wanted.text_port),
            ("admin", self.admin != wanted.admin),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_let_nobody_in_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            let error = Settings::of(&config).expect_err("nobody could connect");
            error.to_string()
        };
        for (change, name) in [
            (
                (|config| config.policy.max_peers = 0) as fn(&mut Config),
                "max_peers",
            ),
            (
                |config| config.text_policy.max_peers = 0,
                "text_limits.max_peers",
            ),
            (
                |config| config.text_policy.max_id_bytes = 0,
                "text_limits.max_id_bytes",
            ),
        ] {
            let expected = format!("the limit {name} must be more than 0");
            assert_eq!(refused(change), expected);
        }
    }

    #[test]
    fn what_counts_from_the_next_start_only_is_named() {
        let config = Config::default();
        let listens = Listens::of(&config);
        assert!(listens.which_differ(&config).is_empty());
        let other = Config {
            host: "localhost".to_owned(),
            port: 1,
            text_port: Some(2),
            admin: Some(AdminConfig::default()),
            ..Config::default()
        };
        let named = listens.which_differ(&other);
        assert_eq!(named, ["host", "port", "text_port", "admin"]);
    }
}
