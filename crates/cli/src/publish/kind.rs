//! The two kinds of media that are published.

/// Pictures or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Video,
    Audio,
}

impl Kind {
    /// The kind of a media type; none if it is neither.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        if media_type.starts_with("video/") || media_type.starts_with("image/") {
            Some(Self::Video)
        } else if media_type.starts_with("audio/") {
            Some(Self::Audio)
        } else {
            None
        }
    }
}
