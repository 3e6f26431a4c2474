//! How sessions are made.

use std::time::Duration;

use str0m::media::MediaKind;

use super::colour_space::ColourSpace;
use super::identity::Certificate;
use super::timing::PlayoutDelay;
use crate::ids::{Bitrate, StreamId, StreamKind};

/// How to make a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The sender's certificate; all sessions share it.
    pub certificate: Certificate,
    /// Names the sender in descriptions: the media stream id.
    pub name: String,
    /// What is offered, in this order.
    pub streams: Vec<StreamConfig>,
    /// The first estimate of what the path can take; none for no congestion control.
    pub start_bitrate: Option<Bitrate>,
    /// How long frames may wait for a viewer.
    pub max_wait: Duration,
    /// Whether viewers may ask for packets of video again (RFC 4588).
    pub retransmission: bool,
    /// What is offered of each stream.
    pub extent: OfferExtent,
    /// What is received; nothing unless set.
    pub receive: Option<ReceiveConfig>,
}

/// What is received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveConfig {
    /// The codecs that are taken, the preferred first. They are offered as they stand; of a peer that offers, every profile of
    /// them is taken.
    pub codecs: Vec<Codec>,
    /// The kinds of what is offered to be received, one for each section.
    pub offered: Vec<StreamKind>,
}

/// How much an offer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OfferExtent {
    /// Every codec of every stream, under every name by which viewers decode it.
    #[default]
    Full,
    /// For viewers that fail at what they do not know: of each stream the one codec that every viewer has
    /// (VP8 or constrained baseline, Opus or G.711), alone. Streams without one are left out, unless none
    /// has one.
    Common,
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
    /// Whether its source decides when key frames come: descriptions say so (`a=x-wigwag-passed-through`), for viewers
    /// that have to wait for one, or show it wrong, to know why.
    pub passed_through: Option<PassedThrough>,
}

/// One codec that a stream can be sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecConfig {
    /// The sender's number for it: the `codec` of a [`RenditionId`](crate::ids::RenditionId).
    pub number: u32,
    /// Another number of the sender's for the same codec, which is sent under the same payload type though it cannot be had
    /// yet: what is passed through now and may have to be encoded later, or the other way round.
    pub alternate_number: Option<u32>,
    /// The codec.
    pub codec: Codec,
    /// What the samples of its pictures mean, if that is known; of no consequence for audio.
    pub colour_space: Option<ColourSpace>,
}

/// Pictures whose source decides when key frames come, not we.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedThrough {
    /// Why not every viewer shows them right, for people; one line.
    pub caveat: Option<String>,
}

/// A codec that can be offered.
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
    pub(super) fn kind(self) -> MediaKind {
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
    pub(super) fn clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            _ => 90_000,
        }
    }

    /// The payload type that stands for it without being agreed on (RFC 3551, table 4).
    pub(super) fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            _ => None,
        }
    }
}

impl StreamConfig {
    /// None if it has no codec.
    pub(super) fn kind(&self) -> Option<MediaKind> {
        self.codecs.first().map(|config| config.codec.kind())
    }
}
