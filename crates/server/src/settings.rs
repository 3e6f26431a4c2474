//! The settings of a running server, sorted by when a change of them applies.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;

use crate::admin::config::{AdminConfig, AdminSocket};
use crate::admission::AdmissionSettings;
use crate::config::Config;
use crate::error::StartError;
use crate::host::{AllowedHost, KnownHosts};
use crate::limits::Limits;
use crate::origin::AllowedOrigin;
use crate::page;
use crate::page_policy::PagePolicy;
use crate::tls::TlsSource;

/// The settings that can be changed while a server runs. The policies of the hubs can be, too.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) connections: ConnectionSettings,
    pub(crate) admission: AdmissionSettings,
}

/// The settings that a connection reads once, when it comes.
#[derive(Debug)]
pub(crate) struct ConnectionSettings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) page_policy: PagePolicy,
    /// The `Strict-Transport-Security` of the page, if it has one.
    pub(crate) page_hsts: Option<HeaderValue>,
    /// The page, if it is not as its file is.
    pub(crate) page_index: Option<Vec<u8>>,
}

impl Settings {
    /// Checks a configuration, and takes what can be changed from it.
    pub(crate) fn of(config: &Config) -> Result<Self, StartError> {
        config.limits.check()?;
        check_policies(config)?;
        Ok(Self {
            connections: ConnectionSettings {
                limits: Arc::new(config.limits.clone()),
                page_policy: PagePolicy {
                    ancestors: config.frame_ancestors.clone(),
                    hosts: config.signalling_hosts.clone(),
                    signalling: None,
                },
                page_hsts: config.tls.as_ref().and_then(|tls| hsts(tls.hsts_max_age)),
                page_index: (!config.signalling_hosts.is_empty())
                    .then(|| page::index(None, &config.signalling_hosts).into_owned()),
            },
            admission: AdmissionSettings {
                addresses: config.limits.of_address(),
                refusal_timeout: Some(config.limits.close_timeout),
                allowed_origins: config.allowed_origins.clone(),
                known_hosts: known_hosts(config),
                trusted_proxies: config.trusted_proxies.clone(),
                forwarded_header: config.forwarded_header,
                metrics_from: config.metrics_from.clone(),
            },
        })
    }
}

/// Not for names below those of the certificate: they may be other machines.
fn hsts(max_age: Duration) -> Option<HeaderValue> {
    let seconds = max_age.as_secs();
    let value = HeaderValue::try_from(format!("max-age={seconds}")).ok();
    value.filter(|_| seconds > 0)
}

/// The names of the server but for those in its certificate, which may change.
fn known_hosts(config: &Config) -> KnownHosts {
    let mut names = config.allowed_hosts.clone();
    let origins = config.allowed_origins.iter();
    names.extend(origins.filter_map(AllowedOrigin::known_host));
    names.extend(config.host.parse::<AllowedHost>());
    // Until there is a certificate for them.
    if let Some(TlsSource::Acme(acme)) = config.tls.as_ref().map(|tls| &tls.source) {
        names.extend(acme.domains.iter().filter_map(|domain| domain.parse().ok()));
    }
    KnownHosts::with_this_machine(names)
}

/// Finds what would keep every client out.
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

/// The restart-only settings: where a server listens, and whether a port needs a token, but not which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenSettings {
    host: String,
    port: u16,
    text_port: Option<u16>,
    admin: Option<AdminConfig>,
    admin_has_token: bool,
    admin_socket: Option<AdminSocket>,
}

impl ListenSettings {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            host: config.host.clone(),
            port: config.port,
            text_port: config.text_port,
            admin: config.admin.clone().map(|admin| AdminConfig {
                token: None,
                ..admin
            }),
            admin_has_token: config
                .admin
                .as_ref()
                .is_some_and(|admin| admin.token.is_some()),
            admin_socket: config.admin_socket.clone(),
        }
    }

    /// The fields of a configuration that differ from these.
    pub(crate) fn which_differ(&self, config: &Config) -> Vec<&'static str> {
        let wanted = Self::of(config);
        [
            ("host", self.host != wanted.host),
            ("port", self.port != wanted.port),
            ("text_port", self.text_port != wanted.text_port),
            (
                "admin",
                self.admin != wanted.admin || self.admin_has_token != wanted.admin_has_token,
            ),
            ("admin_socket", self.admin_socket != wanted.admin_socket),
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
    fn policy_that_keeps_every_client_out_refused() {
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
    fn changed_restart_only_settings_named() {
        let config = Config::default();
        let listens = ListenSettings::of(&config);
        assert!(listens.which_differ(&config).is_empty());
        let other = Config {
            host: "localhost".to_owned(),
            port: 1,
            text_port: Some(2),
            admin: Some(AdminConfig::default()),
            admin_socket: Some(AdminSocket::new("admin.sock".into())),
            ..Config::default()
        };
        let named = listens.which_differ(&other);
        assert_eq!(
            named,
            ["host", "port", "text_port", "admin", "admin_socket"]
        );
    }
}
