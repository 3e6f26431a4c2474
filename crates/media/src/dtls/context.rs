//! OpenSSL contexts, one for each certificate.
//!
//! A context is some 50 KiB and takes a millisecond to make; sessions with one certificate share it.

use std::sync::{Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509;
use str0m_proto::crypto::dtls::DtlsCert;

/// Contexts kept at once, 13 MiB. A sender has a certificate, and a process may have a hundred senders, one for each of its
/// cameras; a program that makes one for every session must not grow with them.
const MAX_CONTEXTS: usize = 256;

/// AES-128-GCM first: the cheapest where the processor helps, and enough. The last is what every
/// WebRTC peer must know (RFC 8827, 6.5).
const SRTP_PROFILES: &str = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";

/// Forward secrecy and authenticated encryption, by RSA and ECDSA certificates; the last two for
/// peers that know nothing newer (RFC 8827, 6.5).
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
    ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";

static CONTEXTS: Mutex<Vec<(DtlsCert, SslContext)>> = Mutex::new(Vec::new());

/// The context for a certificate, the one used last at the end of the list.
pub(super) fn shared(certificate: &DtlsCert) -> Result<SslContext, ErrorStack> {
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = contexts.iter().position(|(known, _)| {
        known.certificate == certificate.certificate && known.private_key == certificate.private_key
    });
    let (owned, context) = match known {
        Some(place) => contexts.remove(place),
        None => (certificate.clone(), new(certificate)?),
    };
    if contexts.len() >= MAX_CONTEXTS {
        contexts.remove(0);
    }
    contexts.push((owned, context.clone()));
    Ok(context)
}

fn new(certificate: &DtlsCert) -> Result<SslContext, ErrorStack> {
    Ok(builder(certificate)?.build())
}

fn builder(certificate: &DtlsCert) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::dtls())?;
    let certificate_der = X509::from_der(&certificate.certificate)?;
    let key = PKey::private_key_from_der(&certificate.private_key)?;
    context.set_certificate(&certificate_der)?;
    context.set_private_key(&key)?;
    context.check_private_key()?;

    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_tlsext_use_srtp(SRTP_PROFILES)?;
    // A certificate is asked for and must come; whose it is, str0m decides by its fingerprint.
    let must_have = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(must_have, |_, _| true);
    // Sessions are never resumed, and the size of datagrams is told, not asked for.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_options(
        SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | SslOptions::NO_QUERY_MTU,
    );
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::certificate::generate;

    #[test]
    fn contexts_are_shared_and_bounded() {
        use foreign_types::ForeignType;
        let ours = generate().expect("a certificate");
        let first = shared(&ours).expect("a context");
        for _ in 0..MAX_CONTEXTS + 8 {
            let other = generate().expect("a certificate");
            shared(&other).expect("a context");
            assert_eq!(shared(&ours).expect("a context").as_ptr(), first.as_ptr());
        }
        let kept = CONTEXTS.lock().expect("not poisoned").len();
        assert!(kept <= MAX_CONTEXTS, "{kept} are kept");
    }

    #[test]
    fn sessions_are_neither_renegotiated_nor_resumed() {
        let mut context = builder(&generate().expect("a certificate")).expect("a context");
        let options = SslOptions::NO_RENEGOTIATION | SslOptions::NO_TICKET;
        assert!(
            context.options().contains(options),
            "{:?}",
            context.options()
        );
        // It returns what was set before.
        let mode = context.set_session_cache_mode(SslSessionCacheMode::BOTH);
        assert_eq!(mode, SslSessionCacheMode::OFF);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (generate().expect("one"), generate().expect("another"));
        let mixed = DtlsCert {
            certificate: one.certificate,
            private_key: other.private_key,
        };
        assert!(shared(&mixed).is_err());
    }
}
