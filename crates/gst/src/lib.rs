//! WebRTC elements for GStreamer, as the plugin `wigwag` (`libgstwigwag.so`).
//!
//! * `webrtcsink` sends what its pads get to any number of viewers: one encode serves all of them.
//!
//! Names of elements, properties and signals are those of the published `webrtcsink`, so that pipelines and
//! scripts run unchanged; the GObject types have names of their own, so that both plugins can be
//! installed.

mod bitstream;
mod codec;
mod decoding;
mod embedded;
mod engine;
mod log;
mod registry;
mod rendition;
mod runtime;
mod signaller;
mod signalling_server;
mod sink;
mod structure;
mod turn;
mod web_server;

use gst::glib;
use gstreamer as gst;

/// Registers the plugin in a program that is linked with it, after `gst::init`.
pub use plugin::plugin_register_static;
pub use signaller::Signaller;
pub use sink::{CongestionControl, Consumer, Transcode, WebRtcSink};

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    log::register();
    sink::register(plugin)
}

#[allow(missing_docs, reason = "the macro makes what GStreamer looks for")]
mod plugin {
    use gstreamer as gst;

    use super::plugin_init;

    gst::plugin_define!(
        wigwag,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        // What GStreamer calls this pair of licences.
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("BUILD_REL_DATE")
    );
}
