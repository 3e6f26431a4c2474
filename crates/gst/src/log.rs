//! Debug categories, named as in the published plugin so that `GST_DEBUG` settings keep working.

use std::sync::LazyLock;

use gstreamer as gst;

/// The sink and what it runs.
pub(crate) static SINK: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "webrtcsink",
        gst::DebugColorFlags::empty(),
        Some("WebRTC sink"),
    )
});

/// Signalling.
pub(crate) static SIGNALLER: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "webrtc-signaller",
        gst::DebugColorFlags::empty(),
        Some("WebRTC signaller"),
    )
});
