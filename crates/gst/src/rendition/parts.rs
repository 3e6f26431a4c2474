//! The elements of a rendition.

use gst::prelude::*;
use gstreamer as gst;

use super::property::set;
use super::{BuildError, Plan};
use crate::codec::Format;

/// The size of an RTP packet without extensions and encryption: with them it stays within 1,200 bytes, which
/// every path takes.
const MTU: u32 = 1_140;

pub(super) fn make(name: &str, format: &Format) -> Result<gst::Element, BuildError> {
    let made = gst::ElementFactory::make(name).build();
    made.map_err(|_| BuildError::Missing(name.to_owned(), format.packages))
}

pub(super) fn encoder(factory: &gst::ElementFactory) -> Result<gst::Element, BuildError> {
    let made = factory.create().name("encoder").build();
    made.map_err(|_| BuildError::Missing(factory.name().to_string(), "its plugin again"))
}

/// What encoders of sound get: as Opus takes it without a mapping of channels (RFC 7587), or as G.711 is (RFC 3551,
/// section 4.5.14).
pub(super) fn raw_sound(format: &Format) -> gst::Caps {
    let caps = gst::Caps::builder("audio/x-raw");
    if matches!(format.name, "PCMU" | "PCMA") {
        caps.field("rate", 8_000).field("channels", 1).build()
    } else {
        caps.field("channels", gst::IntRange::new(1, 2)).build()
    }
}

pub(super) fn capsfilter(caps: &gst::Caps) -> gst::Element {
    gst::ElementFactory::make("capsfilter")
        .property("caps", caps)
        .build()
        .expect("capsfilter is part of GStreamer's core")
}

pub(super) fn payloader(plan: &Plan<'_>) -> Result<gst::Element, BuildError> {
    let payloader = make(plan.format.payloader, plan.format)?;
    // Payloaders differ in the type of the offset.
    set(&payloader, "mtu", &MTU.to_string());
    set(
        &payloader,
        "timestamp-offset",
        &plan.timestamp_offset.to_string(),
    );
    set(&payloader, "config-interval", "-1");
    set(&payloader, "aggregate-mode", "zero-latency");
    Ok(payloader)
}

pub(super) fn link(pipeline: &gst::Pipeline, chain: &[gst::Element]) -> Result<(), BuildError> {
    for element in chain {
        // A fresh pipeline has no element of that name.
        let _ = pipeline.add(element);
    }
    for pair in chain.windows(2) {
        let failed = |_| BuildError::Link(pair[0].name().into(), pair[1].name().into());
        pair[0].link(&pair[1]).map_err(failed)?;
    }
    Ok(())
}
