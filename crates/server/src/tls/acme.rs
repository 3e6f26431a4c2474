//! Certificates that are ordered (ACME, RFC 8555), and ordered again when a third of their life is left.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::DnsName;
use rustls_acme::acme::AcmeError;
pub(crate) use rustls_acme::is_tls_alpn_challenge;
use rustls_acme::{AcmeState, EventError, EventOk, OrderError};
use rustls_platform_verifier::Verifier;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::back_off::BackOff;
use crate::error::TlsError;
use crate::tls::acme_folder::{AcmeFolder, OrderFolder};
use crate::tls::certificate::{Certificate, Validity, provider};
use crate::tls::parameters::authorities;
use crate::tls::settings::AcmeConfig;
use crate::tls::state::TlsState;

/// How long an order may take; one that takes longer is given up for a new one. The library itself waits up to 17
/// minutes for an authority that works on it.
const ORDER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The library's waits after orders that failed.
const ORDER_BACK_OFF: BackOff = BackOff::new(Duration::from_secs(1), Duration::from_secs(1 << 16));

/// Characters of an authority's answer that go into the log.
const MAX_REASON: usize = 600;

type Orders = AcmeState<std::io::Error, std::io::Error>;
type OrderingError = EventError<std::io::Error, std::io::Error>;

/// Who orders.
pub(crate) struct Acme {
    domains: Vec<String>,
    contact: Vec<String>,
    directory: String,
    client: Arc<ClientConfig>,
    folder: AcmeFolder,
    /// How an authority's question is answered.
    answer: watch::Sender<Arc<rustls::ServerConfig>>,
}

impl Acme {
    /// Checks the settings, and makes the folder if it is missing.
    pub(crate) fn open(config: &AcmeConfig) -> Result<Self, TlsError> {
        let acme = Self::new(config)?;
        acme.folder.open()?;
        Ok(acme)
    }

    /// Checks the settings, and writes nothing.
    pub(crate) fn check(config: &AcmeConfig) -> Result<(), TlsError> {
        Self::new(config)?.folder.check()
    }

    fn new(config: &AcmeConfig) -> Result<Self, TlsError> {
        let domains = domains(&config.domains)?;
        let contact = config.contact.iter().map(|address| mail(address));
        let contact = contact.collect::<Result<Vec<_>, _>>()?;
        check_directory(&config.directory_url)?;
        let client = client(config)?;
        let idle = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        Ok(Self {
            domains,
            contact,
            directory: config.directory_url.clone(),
            client,
            folder: AcmeFolder::new(&config.cache_directory),
            answer: watch::Sender::new(Arc::new(idle)),
        })
    }

    /// The certificate of the last run.
    pub(crate) fn kept_certificate(&self) -> Option<Certificate> {
        self.folder.certificate(&self.domains, &self.directory)
    }

    /// For a handshake with the authority.
    pub(crate) fn answer(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.answer.borrow())
    }

    /// Orders when it is time. Never ends.
    pub(crate) async fn keep(&self, state: &Arc<TlsState>) {
        loop {
            if state.certificate().is_none() {
                tracing::warn!(
                    directory = self.directory,
                    domains = self.domains.join(" "),
                    "there is no TLS certificate yet: one is ordered, and clients are refused until it is there"
                );
            }
            let orders = self.orders(state);
            let answer = orders.challenge_rustls_config_with_provider(provider());
            self.answer.send_replace(answer);
            follow(orders, state).await;
            tracing::warn!("an order of a TLS certificate takes too long; another one is begun");
        }
    }

    fn orders(&self, state: &Arc<TlsState>) -> Orders {
        let client = Arc::clone(&self.client);
        rustls_acme::AcmeConfig::new_with_client_config(&self.domains, client)
            .directory(&self.directory)
            .contact(&self.contact)
            .cache(OrderFolder {
                folder: self.folder.clone(),
                state: Arc::clone(state),
            })
            .state()
    }
}

/// Says what comes of orders, until nothing comes for too long.
async fn follow(mut orders: Orders, state: &TlsState) {
    let mut failures = 0;
    loop {
        let validity = state.certificate().map(|certificate| certificate.validity);
        let limit = patience(validity, failures, SystemTime::now());
        match timeout(limit, orders.next()).await {
            Ok(Some(Ok(event))) => {
                if matches!(event, EventOk::DeployedNewCert) {
                    failures = 0;
                }
                tracing::debug!(?event, "ACME");
            }
            Ok(Some(Err(EventError::Order(error)))) => {
                failures += 1;
                let next_attempt = back_off(failures);
                let reason = reason(&error);
                tracing::warn!(reason, ?next_attempt, "cannot get a TLS certificate");
            }
            Ok(Some(Err(error))) => say_of_the_folder(&error),
            Ok(None) | Err(_) => return,
        }
    }
}

fn say_of_the_folder(error: &OrderingError) {
    tracing::error!(%error, "cannot keep what an order of a TLS certificate brought, or find it again");
}

/// How long an order may have no news.
fn patience(validity: Option<Validity>, failures: u32, now: SystemTime) -> Duration {
    let due = validity.map(|validity| {
        let life = validity.ends().duration_since(validity.begins());
        validity.ends() - life.unwrap_or_default() / 3
    });
    let rest = due.and_then(|due| due.duration_since(now).ok());
    rest.unwrap_or_default() + back_off(failures) + ORDER_TIMEOUT
}

/// The library's wait after so many orders that failed, one after the other.
fn back_off(failures: u32) -> Duration {
    let before = failures.checked_sub(1);
    before.map_or(Duration::ZERO, |before| ORDER_BACK_OFF.after(before))
}

/// What the authority says was wrong, if it says it, and what the library says otherwise.
fn reason(error: &OrderError) -> String {
    let problems = match error {
        OrderError::BadAuth(auth) => auth
            .challenges
            .iter()
            .filter_map(|it| it.error.as_ref())
            .collect(),
        OrderError::BadOrder(order) => order.error.iter().collect(),
        _ => Vec::new(),
    };
    let details: Vec<&str> = problems
        .iter()
        .filter_map(|it| it.detail.as_deref())
        .collect();
    let reason = if !details.is_empty() {
        details.join("; ")
    } else if let OrderError::Acme(AcmeError::HttpRequest(error)) = error {
        format!("the directory does not answer as it should: {error}")
    } else {
        error.to_string()
    };
    reason.chars().take(MAX_REASON).collect()
}

/// In small letters, as clients send them.
fn domains(given: &[String]) -> Result<Vec<String>, TlsError> {
    if given.is_empty() {
        return Err(TlsError::NoDomain);
    }
    let domain = |name: &String| {
        let is_address = name.parse::<std::net::IpAddr>().is_ok();
        let is_name = DnsName::try_from(name.as_str()).is_ok();
        if is_name && !is_address {
            Ok(name.to_ascii_lowercase())
        } else {
            Err(TlsError::Domain { name: name.clone() })
        }
    };
    given.iter().map(domain).collect()
}

/// As the authority wants it.
fn mail(address: &str) -> Result<String, TlsError> {
    let bare = address.strip_prefix("mailto:").unwrap_or(address);
    let is_address = bare
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !bare.contains(char::is_whitespace);
    if is_address {
        return Ok(format!("mailto:{bare}"));
    }
    Err(TlsError::Contact {
        address: address.to_owned(),
    })
}

fn check_directory(url: &str) -> Result<(), TlsError> {
    let parsed = url.parse::<axum::http::Uri>();
    let is_good = parsed.is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    if is_good {
        return Ok(());
    }
    Err(TlsError::DirectoryUrl {
        url: url.to_owned(),
    })
}

/// How the directory is spoken to.
fn client(config: &AcmeConfig) -> Result<Arc<ClientConfig>, TlsError> {
    let verifier: Arc<dyn ServerCertVerifier> = match &config.authority {
        Some(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            verifier.map_err(|error| TlsError::Authority {
                path: path.clone(),
                reason: error.to_string(),
            })?
        }
        None => {
            let verifier = Verifier::new(provider());
            Arc::new(verifier.map_err(|error| TlsError::SystemAuthorities {
                reason: error.to_string(),
            })?)
        }
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use x509_parser::time::ASN1Time;

    use super::*;

    #[test]
    fn names_that_no_authority_certifies_this_way_are_refused() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let taken = domains(&names(&["Example.org", "a.example.org"])).expect("names");
        assert_eq!(taken, ["example.org", "a.example.org"]);
        for bad in [
            "",
            "*.example.org",
            "192.0.2.1",
            "::1",
            "a b",
            "https://a.example",
        ] {
            let error = domains(&names(&["example.org", bad])).expect_err(bad);
            assert!(matches!(error, TlsError::Domain { .. }), "{error}");
        }
        assert!(matches!(domains(&[]), Err(TlsError::NoDomain)));
    }

    #[test]
    fn contacts_and_directories_are_checked() {
        for good in ["me@example.org", "mailto:me@example.org"] {
            assert_eq!(mail(good).expect("an address"), "mailto:me@example.org");
        }
        for bad in ["", "me", "@example.org", "me@", "a b@example.org"] {
            assert!(mail(bad).is_err(), "{bad}");
        }
        check_directory(crate::tls::LETS_ENCRYPT).expect("good");
        for bad in ["", "http://example.org/dir", "example.org", "https://"] {
            assert!(check_directory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_is_given_up_no_sooner_than_the_library_begins_the_next() {
        let time = |days: i64| ASN1Time::from_timestamp(days * 24 * 60 * 60).expect("a time");
        let day = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let validity = Some(Validity {
            from: time(0),
            to: time(90),
        });
        assert_eq!(patience(None, 0, UNIX_EPOCH), ORDER_TIMEOUT);
        let limit = patience(validity, 0, UNIX_EPOCH + day(10));
        assert_eq!(limit, day(50) + ORDER_TIMEOUT);
        let limit = patience(validity, 3, UNIX_EPOCH + day(70));
        assert_eq!(limit, Duration::from_secs(4) + ORDER_TIMEOUT);
        assert_eq!(back_off(100), Duration::from_secs(65_536));
    }
}
