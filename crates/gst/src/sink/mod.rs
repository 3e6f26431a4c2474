//! `webrtcsink`: what its pads get, to any number of viewers.
//!
//! # Threads and locks
//!
//! * Each sink that is started has one control thread ([`control`]), which owns its sessions, renditions and
//!   signaller. Everybody else sends it messages; signals to the application are emitted there, under no
//!   lock.
//! * Streaming threads hand buffers to renditions and frames to sessions, and wait for neither.
//! * Stopping tells the control thread, and waits for it, for at most [`control::STOP_TIMEOUT`].

mod access_units;
mod congestion_control;
mod consumer;
mod control;
mod control_failures;
mod decodings;
mod encoders;
mod feeds;
mod flow;
mod imp;
mod input;
mod later;
mod messages;
mod pace;
mod pad_caps;
mod pads;
mod playout_delay;
mod properties;
mod renditions;
mod session_limits;
mod sessions;
mod settings;
mod signals;
mod snapshot;
mod statistics;
mod stats_type;
mod streams;
mod timeline;
mod transcode;
mod unanswered;
mod unshowable;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

pub use congestion_control::CongestionControl;
pub use consumer::Consumer;
pub use transcode::Transcode;

glib::wrapper! {
    /// Sends what its pads get to any number of viewers, encoded once. Factory name `webrtcsink`.
    pub struct WebRtcSink(ObjectSubclass<imp::WebRtcSink>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "webrtcsink",
        gst::Rank::NONE,
        WebRtcSink::static_type(),
    )
}
