//! The tracks in what comes from the pads of a source: found, sorted by their kind, and published or thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gstreamer as gst;

use super::description::{data_of_rtp, media_type};
use super::elements::{add, broken, make};
use super::event::Failure;
use super::kind::Kind;
use super::source_state::SourceState;
use super::track::Track;

/// Takes apart what comes from a pad.
pub(super) fn parse(shared: &Arc<SourceState>, pad: &gst::Pad) -> Result<(), Failure> {
    if let Some(data) = data_of_rtp(pad) {
        ignore(shared, pad, &data);
        return Ok(());
    }
    let pipeline = shared.pipeline()?;
    let parser = make("parsebin")?;
    shared.parser_added();
    let counted = AtomicBool::new(false);
    parser.connect_pad_added({
        let shared = Arc::clone(shared);
        move |_, pad| {
            // Nothing flows until all pads are there, so no track is ready before the last is known.
            if !counted.swap(true, Ordering::Relaxed) {
                shared.parser_shows_tracks();
            }
            let media_type = media_type(pad).unwrap_or_default();
            match Kind::of(&media_type) {
                Some(kind) => attach(&shared, kind, pad),
                None => ignore(&shared, pad, &media_type),
            }
        }
    });
    pipeline.add(&parser).map_err(|_| broken())?;
    parser.sync_state_with_parent().map_err(|_| broken())?;
    let entry = parser.static_pad("sink").ok_or_else(broken)?;
    let whole = whole_pictures(&pipeline, pad)?;
    whole
        .as_ref()
        .unwrap_or(pad)
        .link(&entry)
        .map_err(|_| broken())?;
    Ok(())
}

/// Publishes a track, unless there is one of the kind.
pub(super) fn attach(shared: &Arc<SourceState>, kind: Kind, pad: &gst::Pad) {
    if !shared.add_track(kind) {
        let kind = match kind {
            Kind::Video => "another picture",
            Kind::Audio => "another sound",
        };
        return ignore(shared, pad, kind);
    }
    if let Err(failure) = Track::attach(shared, kind, pad) {
        shared.fail(failure);
    }
}

/// Puts packets of H.264 and H.265 together by their times and markers, in a form in which pictures stay whole: of
/// a byte stream, a parser takes parameter sets between slices for the beginning of another picture.
fn whole_pictures(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<Option<gst::Pad>, Failure> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let encoding = caps
        .structure(0)
        .filter(|caps| caps.name() == "application/x-rtp")
        .and_then(|caps| caps.get::<String>("encoding-name").ok());
    let (depayloader, pictures) = match encoding.as_deref() {
        Some("H264") => (
            "rtph264depay",
            "video/x-h264, stream-format=(string)avc, alignment=(string)au",
        ),
        Some("H265") => (
            "rtph265depay",
            "video/x-h265, stream-format=(string)hvc1, alignment=(string)au",
        ),
        _ => return Ok(None),
    };
    let (depayloader, filter) = (make(depayloader)?, make("capsfilter")?);
    filter.set_property_from_str("caps", pictures);
    add(pipeline, &[depayloader.clone(), filter.clone()])?;
    let entry = depayloader.static_pad("sink").ok_or_else(broken)?;
    pad.link(&entry).map_err(|_| broken())?;
    Ok(filter.static_pad("src"))
}

/// Throws away what comes from a pad, so that nothing waits for it.
fn ignore(shared: &SourceState, pad: &gst::Pad, what: &str) {
    shared.lacks(format!("{what} is not published"));
    let made = make("fakesink").ok().zip(shared.pipeline().ok());
    let Some((sink, pipeline)) = made else {
        return;
    };
    sink.set_property("sync", false);
    sink.set_property("async", false);
    if pipeline.add(&sink).is_ok()
        && sink.sync_state_with_parent().is_ok()
        && let Some(entry) = sink.static_pad("sink")
    {
        let _ = pad.link(&entry);
    }
}
