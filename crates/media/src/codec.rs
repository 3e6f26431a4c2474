//! Codecs, as they are negotiated.

use str0m::media::MediaKind;

/// A codec that can be negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9 {
        /// 0 is 4:2:0 with 8 bits, 1 other chroma, 2 and 3 the same with more bits.
        profile: u8,
    },
    /// H.264 (RFC 6184), packetization mode 1.
    H264 {
        /// Profile, constraints and level as in SDP: `0x42e01f` is constrained baseline at level 3.1.
        profile_level_id: u32,
    },
    /// H.265 (RFC 7798), main tier.
    H265 {
        /// `profile-id`: 1 is main, 2 main 10.
        profile: u8,
    },
    /// AV1 (the AV1 RTP specification).
    Av1 {
        /// 0 is main, 1 high, 2 professional.
        profile: u8,
    },
    /// Opus (RFC 7587).
    Opus,
    /// G.711, μ-law (RFC 3551, section 4.5.14), one channel.
    Pcmu,
    /// G.711, A-law (RFC 3551, section 4.5.14), one channel.
    Pcma,
}

impl Codec {
    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => MediaKind::Audio,
            Self::Vp8
            | Self::Vp9 { .. }
            | Self::H264 { .. }
            | Self::H265 { .. }
            | Self::Av1 { .. } => MediaKind::Video,
        }
    }

    /// The RTP clock, in Hz: of all video (RFC 3551, section 5), of Opus (RFC 7587, section 4.1), and of G.711.
    pub(crate) fn clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            _ => 90_000,
        }
    }

    /// The payload type that stands for it without being agreed on (RFC 3551, table 4).
    pub(crate) fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            _ => None,
        }
    }
}
