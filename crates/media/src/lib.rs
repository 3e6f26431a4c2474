//! WebRTC sessions: str0m with what it takes to talk to GStreamer and browsers at scale.
//!
//! Knows no GStreamer and no signalling. So far there is [`crypto_provider`], with which a
//! [`str0m::Rtc`] does DTLS with peers whose certificates have RSA keys, as GStreamer's do.

mod dtls;

use str0m::config::CryptoProvider;

/// What str0m needs of cryptography: DTLS by OpenSSL, SRTP and hashes by AWS-LC.
///
/// str0m's own DTLS knows no RSA, and every GStreamer peer has an RSA certificate.
pub fn crypto_provider() -> CryptoProvider {
    CryptoProvider {
        dtls_provider: &dtls::OpenSslDtls,
        ..str0m_aws_lc_rs::default_provider()
    }
}
