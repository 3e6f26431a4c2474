//! What a viewer is told at its start.

use str0m::RtcConfig;

/// How a viewer counts, and what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverSettings {
    /// How packets are counted.
    pub counting: Counting,
    /// The only codec of video that is taken; any unless set.
    pub video_codec: Option<VideoCodec>,
}

/// How packets are counted, which also says what the sender hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// Decrypted, with all that a viewer does: the sender hears receiver reports, transport-wide feedback,
    /// requests for lost packets, and for key frames after a loss.
    #[default]
    Decrypted,
    /// By their headers, which are in clear. The sender hears receiver reports, transport-wide feedback and
    /// requests for key frames after a loss, but nothing is asked to be sent again. What is counted is not
    /// authenticated, and key frames are not told from others.
    Headers,
}

/// A codec of video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// VP8 (RFC 6386).
    Vp8,
    /// VP9.
    Vp9,
    /// H.264, or AVC.
    H264,
    /// H.265, or HEVC.
    H265,
    /// AV1.
    Av1,
}

impl ReceiverSettings {
    pub(super) fn codecs_of_str0m(&self, config: RtcConfig) -> RtcConfig {
        let Some(codec) = self.video_codec else {
            return config;
        };
        let config = config.clear_codecs().enable_opus(true, false);
        match codec {
            VideoCodec::Vp8 => config.enable_vp8(true),
            VideoCodec::Vp9 => config.enable_vp9(true),
            VideoCodec::H264 => config.enable_h264(true),
            VideoCodec::H265 => config.enable_h265(true),
            VideoCodec::Av1 => config.enable_av1(true),
        }
    }
}
