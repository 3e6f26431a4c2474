//! The signals of `webrtcsink`, and how they are emitted.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::WebRtcSink;
use super::consumer::Consumer;
use crate::rendition::encoder;

/// What `encoder-setup` says of an encoder that nobody caused alone.
pub(super) const SHARED: &str = "shared";

/// All of them.
pub(super) fn all() -> &'static [Signal] {
    static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
        let consumer = |name| {
            Signal::builder(name)
                .param_types([String::static_type(), gst::Element::static_type()])
                .build()
        };
        vec![
            consumer("consumer-added"),
            consumer("consumer-removed"),
            Signal::builder("encoder-setup")
                .param_types([
                    String::static_type(),
                    String::static_type(),
                    gst::Element::static_type(),
                ])
                .return_type::<bool>()
                .accumulator(|_, _, value| {
                    let handled = value.get().unwrap_or(false);
                    if handled {
                        ControlFlow::Break(value.clone())
                    } else {
                        ControlFlow::Continue(value.clone())
                    }
                })
                .run_last()
                .class_handler(|values| {
                    set_up_encoder(values);
                    Some(false.to_value())
                })
                .build(),
            Signal::builder("get-sessions")
                .action()
                .return_type::<glib::StrV>()
                .class_handler(|values| {
                    let sink = values
                        .first()
                        .and_then(|value| value.get::<WebRtcSink>().ok());
                    let sessions = sink.map(|sink| sink.imp().sessions()).unwrap_or_default();
                    Some(glib::StrV::from(sessions).to_value())
                })
                .build(),
        ]
    });
    SIGNALS.as_ref()
}

impl WebRtcSink {
    pub(super) fn emit_consumer_added(&self, peer: &str, consumer: &Consumer) {
        self.emit_by_name::<()>("consumer-added", &[&peer, consumer]);
    }

    pub(super) fn emit_consumer_removed(&self, peer: &str, consumer: &Consumer) {
        self.emit_by_name::<()>("consumer-removed", &[&peer, consumer]);
    }

    /// Lets the application set an encoder up, and sets it up if the application does not.
    pub(super) fn emit_encoder_setup(&self, peer: &str, pad: &str, encoder: &gst::Element) {
        self.emit_by_name::<bool>("encoder-setup", &[&peer, &pad, encoder]);
    }
}

fn set_up_encoder(values: &[glib::Value]) {
    let sink = values
        .first()
        .and_then(|value| value.get::<WebRtcSink>().ok());
    let encoder = values
        .get(3)
        .and_then(|value| value.get::<gst::Element>().ok());
    if let (Some(sink), Some(encoder)) = (sink, encoder) {
        let rate = |name| sink.property::<u32>(name);
        let rate = rate("start-bitrate").min(rate("max-bitrate"));
        encoder::set_up(&encoder, rate.into());
    }
}
