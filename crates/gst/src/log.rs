//! Debug categories, named as in the published plugin so that `GST_DEBUG` settings keep working.

use std::sync::LazyLock;

use gstreamer as gst;

/// The sink and what it runs.
pub(crate) static SINK: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| category("webrtcsink", "WebRTC sink"));

/// The bitrates that encoders get.
pub(crate) static CONGESTION_CONTROL: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| category("webrtcsink-homegrowncc", "Bitrates of the WebRTC sink"));

/// Encoders, decoders and payloaders.
pub(crate) static ELEMENTS: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| category("webrtcutils", "Encoders of the WebRTC sink"));

/// Signalling. Descriptions and candidates are named, never shown.
pub(crate) static SIGNALLER: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| category("webrtc-signaller", "WebRTC signaller"));

/// Makes all of them known to GStreamer, which lists what is known.
pub(crate) fn register() {
    for category in [&SINK, &CONGESTION_CONTROL, &ELEMENTS, &SIGNALLER] {
        LazyLock::force(category);
    }
}

fn category(name: &str, description: &str) -> gst::DebugCategory {
    gst::DebugCategory::new(name, gst::DebugColorFlags::empty(), Some(description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_of_the_published_sink_are_known() {
        gst::init().expect("GStreamer starts");
        register();
        for name in [
            "webrtcsink",
            "webrtcsink-homegrowncc",
            "webrtcutils",
            "webrtc-signaller",
        ] {
            assert!(gst::DebugCategory::get(name).is_some(), "{name}");
        }
    }
}
