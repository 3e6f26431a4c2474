//! How sessions are made.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec as LibraryCodec;
use str0m::media::MediaKind;
use str0m::{RtcConfig, bwe};

use crate::demand::{Bitrate, StreamId};

/// How often the library reports what it measured; estimates that fall come with these reports.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// How to make a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The sender's certificate; all sessions share it.
    pub certificate: Certificate,
    /// Names the sender in descriptions: media stream id and CNAME.
    pub name: String,
    /// What is offered, in this order.
    pub streams: Vec<StreamConfig>,
    /// The first estimate of what the path can take; none for no congestion control.
    pub start_bitrate: Option<Bitrate>,
    /// How long frames may wait for a viewer.
    pub max_wait: Duration,
}

/// One stream that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// The sender's number for it.
    pub id: StreamId,
    /// The codec it is sent in.
    pub codec: Codec,
}

/// A codec that can be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// Opus (RFC 7587).
    Opus,
}

/// A certificate for DTLS and its key.
#[derive(Clone)]
pub struct Certificate(DtlsCert);

impl Certificate {
    /// A new one, self-signed, with a key on P-256. None if OpenSSL fails, as when the system has no
    /// randomness.
    pub fn generate() -> Option<Self> {
        provider().dtls_provider.generate_certificate().map(Self)
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl Codec {
    pub(super) fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 => MediaKind::Video,
        }
    }

    pub(super) fn of_library(self) -> LibraryCodec {
        match self {
            Self::Vp8 => LibraryCodec::Vp8,
            Self::Vp9 => LibraryCodec::Vp9,
            Self::H264 => LibraryCodec::H264,
            Self::Opus => LibraryCodec::Opus,
        }
    }
}

impl SessionConfig {
    pub(super) fn rtc_config(&self) -> RtcConfig {
        let offers = |codec| self.streams.iter().any(|stream| stream.codec == codec);
        RtcConfig::new()
            .set_crypto_provider(provider())
            .set_dtls_cert(self.certificate.0.clone())
            // We packetise, once for all.
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_vp8(offers(Codec::Vp8))
            .enable_vp9(offers(Codec::Vp9))
            .enable_h264(offers(Codec::H264))
            .enable_opus(offers(Codec::Opus), false)
            .enable_bwe(self.start_bitrate.map(bwe::Bitrate::bps))
            .set_stats_interval(Some(STATISTICS_INTERVAL))
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(crate::crypto_provider())))
}
