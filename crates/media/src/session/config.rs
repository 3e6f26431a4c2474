//! How sessions are made.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::media::MediaKind;

use super::timing::PlayoutDelay;
use crate::demand::{Bitrate, StreamId};

/// How to make a session.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whether viewers may ask for packets of video again (RFC 4588).
    pub retransmission: bool,
}

/// One stream that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// The sender's number for it.
    pub id: StreamId,
    /// What it can be sent in, the preferred first. All of one kind: video or sound.
    pub codecs: Vec<CodecConfig>,
    /// How long viewers that allow it shall hold back its pictures; none leaves it to them. Of no consequence
    /// for audio.
    pub playout_delay: Option<PlayoutDelay>,
}

/// One codec that a stream can be sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecConfig {
    /// The sender's number for it: the `codec` of a [`RenditionId`](crate::demand::RenditionId).
    pub number: u32,
    /// The codec.
    pub codec: Codec,
}

/// A codec that can be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628), profile 0.
    Vp9,
    /// H.264 (RFC 6184), packetization mode 1.
    H264 {
        /// Profile, constraints and level as in SDP: `0x42e01f` is constrained baseline at level 3.1.
        profile_level_id: u32,
    },
    /// H.265 (RFC 7798), main profile, main tier.
    H265,
    /// AV1 (the AV1 RTP specification), main profile.
    Av1,
    /// Opus (RFC 7587).
    Opus,
}

/// A certificate for DTLS and its key.
#[derive(Clone)]
pub struct Certificate(Arc<DtlsCert>);

impl Certificate {
    /// A new one, self-signed, with a key on P-256. None if OpenSSL fails, as when the system has no
    /// randomness.
    pub fn generate() -> Option<Self> {
        let certificate = provider().dtls_provider.generate_certificate()?;
        Some(Self(Arc::new(certificate)))
    }

    pub(super) fn of_library(&self) -> DtlsCert {
        DtlsCert::clone(&self.0)
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

impl Codec {
    pub(super) fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 { .. } | Self::H265 | Self::Av1 => MediaKind::Video,
        }
    }
}

impl StreamConfig {
    /// None if it has no codec.
    pub(super) fn kind(&self) -> Option<MediaKind> {
        self.codecs.first().map(|config| config.codec.kind())
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(crate::crypto_provider())))
}
