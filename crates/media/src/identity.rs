//! What all sessions of a sender have in common: its certificate, and the name by which receivers know which of its streams
//! are of one clock.

use std::sync::Arc;
use std::time::Instant;

use openssl::rand::rand_bytes;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::media::{MediaKind, Mid};
use str0m::{Rtc, RtcConfig};

use crate::rtp::extension_values::timing::ClockReference;

/// A certificate for DTLS, its key, and the CNAME of all streams that are sent with it.
#[derive(Clone)]
pub struct Certificate(Arc<Identity>);

struct Identity {
    certificate: DtlsCert,
    /// As in `a=fingerprint`.
    fingerprint: String,
    canonical_name: CanonicalName,
    clock: ClockReference,
}

/// The CNAME (RFC 3550, section 6.5.1) of all streams of a session. Receivers play those in step that have the same:
/// GStreamer's `rtpbin` goes by nothing else.
///
/// str0m makes one up for each section that is declared, and takes none of ours. It draws it from a generator of the thread,
/// so the generator is given the same seed before each.
struct CanonicalName {
    seed: u64,
    name: String,
}

impl Certificate {
    /// A new one, self-signed, with a key on P-256. None if OpenSSL fails, as when the system has no
    /// randomness.
    pub fn generate() -> Option<Self> {
        let certificate = provider().dtls_provider.generate_certificate()?;
        // A connection that nobody uses knows how both are written.
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(provider())
            .set_dtls_cert(certificate.clone())
            .build(Instant::now());
        let fingerprint = rtc.direct_api().local_dtls_fingerprint().to_string();
        let seed = random_number()?;
        let name = declare(&mut rtc, seed, Mid::from("0"), MediaKind::Video)?;
        Some(Self(Arc::new(Identity {
            certificate,
            fingerprint,
            canonical_name: CanonicalName { seed, name },
            clock: ClockReference::now(),
        })))
    }

    /// The clock by which captured frames are dated, so that steps of the system's clock do not move streams against each other.
    pub(crate) fn clock(&self) -> ClockReference {
        self.0.clock
    }

    pub(crate) fn for_str0m(&self) -> DtlsCert {
        self.0.certificate.clone()
    }

    /// As in `a=fingerprint` (RFC 8122, section 5).
    pub(crate) fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// The CNAME of all streams.
    pub(crate) fn canonical_name(&self) -> &str {
        &self.0.canonical_name.name
    }

    /// Declares a section of a connection, whose CNAME is that of all; none if the system has no randomness.
    pub(crate) fn declare_media(&self, rtc: &mut Rtc, mid: Mid, kind: MediaKind) -> Option<()> {
        let canonical_name = &self.0.canonical_name;
        let declared = declare(rtc, canonical_name.seed, mid, kind)?;
        debug_assert_eq!(declared, canonical_name.name);
        Some(())
    }
}

/// The same certificate, not an equal one.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Certificate {}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(crate::crypto_provider())
}

/// A number that nobody can guess; none if the system has no randomness.
pub(crate) fn random_number() -> Option<u64> {
    let mut bytes = [0; 8];
    rand_bytes(&mut bytes).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

/// Declares a section and returns its CNAME, for which the seed stands. What the thread draws afterwards has nothing to do with
/// the seed.
fn declare(rtc: &mut Rtc, seed: u64, mid: Mid, kind: MediaKind) -> Option<String> {
    let afterwards = random_number()?;
    fastrand::seed(seed);
    let name = rtc.direct_api().declare_media(mid, kind).cname().to_owned();
    fastrand::seed(afterwards);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_a_certificate_have_its_cname_and_others_another() {
        let certificates = [(); 2].map(|()| Certificate::generate().expect("a certificate"));
        let [first, second] = &certificates;
        assert_ne!(first.canonical_name(), second.canonical_name());
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(provider())
            .build(Instant::now());
        for (mid, kind) in [("0", MediaKind::Audio), ("1", MediaKind::Video)] {
            let mid = Mid::from(mid);
            assert!(first.declare_media(&mut rtc, mid, kind).is_some());
            let media = rtc.media(mid).expect("it is declared");
            assert_eq!(media.cname(), first.canonical_name());
        }
    }

    #[test]
    fn what_is_drawn_after_a_section_was_declared_is_not_the_same_twice() {
        let certificate = Certificate::generate().expect("a certificate");
        let drawn = || {
            let mut rtc = RtcConfig::new()
                .set_crypto_provider(provider())
                .build(Instant::now());
            certificate
                .declare_media(&mut rtc, Mid::from("0"), MediaKind::Video)
                .expect("there is randomness");
            fastrand::u64(..)
        };
        assert_ne!(drawn(), drawn());
    }
}
