//! What `consume` counts: buffers of one kind that carry something.

use clap::ValueEnum;

/// As loud as a sample of 16 bits must be for the sound to be heard.
const AUDIBLE: u16 = 3_000;

/// The kind of media that is counted.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Media {
    /// Decoded pictures
    Video,
    /// Decoded sound that is not silent
    Audio,
    /// VP8 as it was sent
    Vp8,
    /// H.264 as it was sent
    H264,
    /// Opus as it was sent
    Opus,
}

impl Media {
    /// How the pads of webrtcsrc begin that carry it.
    pub(crate) fn pad_prefix(self) -> &'static str {
        match self {
            Self::Video | Self::Vp8 | Self::H264 => "video",
            Self::Audio | Self::Opus => "audio",
        }
    }

    /// The elements in front of the one that counts. What they take decides whether webrtcsrc decodes.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Video => "videoconvert ! video/x-raw,format=I420",
            Self::Audio => "audioconvert ! audio/x-raw,format=S16LE",
            Self::Vp8 => "capsfilter caps=video/x-vp8",
            Self::H264 => "capsfilter caps=video/x-h264",
            Self::Opus => "capsfilter caps=audio/x-opus",
        }
    }

    /// Whether a buffer is worth counting: a whole picture, a sound that is heard, anything encoded.
    pub(crate) fn counts(self, buffer: &gst::BufferRef, caps: &gst::Caps) -> bool {
        match self {
            Self::Video => picture_size(caps).is_some_and(|(width, height)| {
                buffer.size() >= (width as usize) * (height as usize) * 3 / 2
            }),
            Self::Audio => is_audible(buffer),
            Self::Vp8 | Self::H264 | Self::Opus => buffer.size() > 0,
        }
    }
}

/// Width and height, if these are caps of pictures.
pub(crate) fn picture_size(caps: &gst::CapsRef) -> Option<(u32, u32)> {
    let structure = caps.structure(0)?;
    let side = |name: &str| u32::try_from(structure.get::<i32>(name).ok()?).ok();
    Some((side("width")?, side("height")?))
}

fn is_audible(buffer: &gst::BufferRef) -> bool {
    buffer.map_readable().is_ok_and(|bytes| {
        let mut samples = bytes.chunks_exact(2);
        samples.any(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() > AUDIBLE)
    })
}
