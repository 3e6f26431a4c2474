//! What names streams, renditions, viewers and peers.

use std::ops::RangeInclusive;

/// A bitrate in bit/s.
pub type Bitrate = u64;

/// A stream of the sender: one of its pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// A session with a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(pub u64);

/// Whose viewer it is: sessions of one peer have the same number. What a peer may cause, it may cause once, however many sessions
/// it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u64);

/// One encoding of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionId {
    /// What is encoded.
    pub stream: StreamId,
    /// Which codec and profile, as the sender numbers them.
    pub codec: u32,
    /// Which of the encodings with that codec: 0 has the lowest rate.
    pub level: u8,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

impl RenditionId {
    /// All renditions that a stream can have, in their order.
    pub fn all_of(stream: StreamId) -> RangeInclusive<Self> {
        let with = |codec, level| Self {
            stream,
            codec,
            level,
        };
        with(0, 0)..=with(u32::MAX, u8::MAX)
    }
}
