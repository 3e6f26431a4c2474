//! The property `transcode`.

use gst::glib;
use gstreamer as gst;

/// Whether what comes encoded is transcoded for viewers that cannot show it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WigwagTranscode")]
#[repr(u32)]
pub enum Transcode {
    /// For those who need it, as long as they do.
    #[default]
    #[enum_value(
        name = "When needed: transcoded for viewers that cannot show it as it comes",
        nick = "when-needed"
    )]
    WhenNeeded,
    /// Everybody gets it as it comes, or not at all.
    #[enum_value(name = "Never: passed through as it comes", nick = "never")]
    Never,
}
