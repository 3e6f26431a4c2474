//! How sessions are made.

use std::time::Duration;

use str0m::media::MediaKind;

use crate::codec::Codec;
use crate::identity::Certificate;
use crate::ids::{Bitrate, StreamId, StreamKind};
use crate::rtp::extension_values::colour_space::ColourSpace;
use crate::rtp::extension_values::timing::PlayoutDelay;

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

impl StreamConfig {
    /// None if it has no codec.
    pub(crate) fn kind(&self) -> Option<MediaKind> {
        self.codecs.first().map(|config| config.codec.kind())
    }
}
