//! Handshakes that fail: counted, and said in the log where the operator or the client's owner can do something.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Failures that are logged at level info in [`NOTICE_PERIOD`]; the others are at level debug. Any client can make as
/// many as it likes.
const MAX_NOTICES: u32 = 20;

/// The time that [`MAX_NOTICES`] is for.
const NOTICE_PERIOD: Duration = Duration::from_secs(60);

/// All that failed since the start.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: AtomicU64,
    notices: Mutex<Notices>,
}

impl Failures {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// A handshake has ended in an error. `ready` is whether the server had a certificate.
    pub(crate) fn failed(&self, client: Option<SocketAddr>, error: &io::Error, ready: bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        match reason(error, ready) {
            Some(reason) => self.say(client, &reason),
            None => tracing::debug!(?client, %error, "TLS handshake failed"),
        }
    }

    /// A handshake has taken too long.
    pub(crate) fn timed_out(&self, client: Option<SocketAddr>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(?client, "TLS handshake took too long");
    }

    fn say(&self, client: Option<SocketAddr>, reason: &str) {
        let client = client.map_or_else(|| "a client".to_owned(), |address| address.to_string());
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        match notices.take(Instant::now()) {
            Notice::Say => tracing::info!(client, reason, "TLS handshake failed"),
            Notice::SayLast => tracing::info!(
                client,
                reason,
                "TLS handshake failed; more of them are logged at level debug for a minute"
            ),
            Notice::Keep => tracing::debug!(client, reason, "TLS handshake failed"),
        }
    }
}

/// Whether the client left before it had said what it wants, as checks of a port do.
pub(crate) fn is_departure(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

/// The reason, where the operator or the client's owner can fix it; none for noise of unknown clients.
fn reason(error: &io::Error, ready: bool) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let reason = match error {
        // What the library says when it is given no certificate.
        Error::General(_) if !ready => "the server has no certificate yet".into(),
        Error::NoCertificatesPresented => "the client has no certificate, which is required".into(),
        Error::InvalidCertificate(why) => {
            let why = match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "it is of none of the authorities that are trusted".into()
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it has expired".into()
                }
                other => other.to_string(),
            };
            format!("the client's certificate is refused: {why}")
        }
        Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown),
        ) => format!("the client refuses the server's certificate: {alert:?}"),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => "the client speaks older versions of TLS only".into(),
        _ => return None,
    };
    Some(reason)
}

/// How many more may be said.
#[derive(Debug, Default)]
struct Notices {
    begin: Option<Instant>,
    said: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Notice {
    Say,
    SayLast,
    Keep,
}

impl Notices {
    fn take(&mut self, now: Instant) -> Notice {
        let is_over = |begin| now.saturating_duration_since(begin) >= NOTICE_PERIOD;
        if self.begin.is_none_or(is_over) {
            self.begin = Some(now);
            self.said = 0;
        }
        self.said = self.said.saturating_add(1);
        match self.said {
            said if said < MAX_NOTICES => Notice::Say,
            MAX_NOTICES => Notice::SayLast,
            _ => Notice::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_leaves_the_log_readable() {
        let mut notices = Notices::default();
        let begin = Instant::now();
        let taken = |notices: &mut Notices, now| -> Vec<Notice> {
            let all = (0..MAX_NOTICES * 3).map(|_| notices.take(now));
            all.filter(|notice| *notice != Notice::Keep).collect()
        };
        let said = taken(&mut notices, begin);
        assert_eq!(said.len(), MAX_NOTICES as usize);
        assert_eq!(said.last(), Some(&Notice::SayLast));
        assert!(taken(&mut notices, begin + NOTICE_PERIOD / 2).is_empty());
        let said = taken(&mut notices, begin + NOTICE_PERIOD);
        assert_eq!(said.len(), MAX_NOTICES as usize);
    }
}
