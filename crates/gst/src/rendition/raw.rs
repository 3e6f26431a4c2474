//! From raw pictures of any kind to what encoders and browsers take.
//!
//! `convert ! 4:2:0, 8 bits ! deinterlace ! scale ! whole frames, square pixels`, then the colours of
//! [`colour_description`](super::colour_description).

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::colour::Conversion;
use super::parts::{capsfilter, make};
use super::property::set;
use super::{BuildError, Plan};
use crate::codec::Format;

/// Where nothing says how many frames come a second, encoders divide their rate by this many.
const USUAL_FRAME_RATE: gst::Fraction = gst::Fraction::new_raw(30, 1);

/// What every profile that browsers take is made of.
const FORMATS: [&str; 2] = ["I420", "NV12"];

/// The elements between the source and the encoder.
pub(super) fn chain(
    plan: &Plan<'_>,
    source: &gst::Element,
) -> Result<Vec<gst::Element>, BuildError> {
    let format = plan.format;
    if let Some(pad) = source.static_pad("src") {
        name_frame_rate(&pad);
    }
    let deinterlace = make("deinterlace", format)?;
    // One frame of both fields, from one of them and at once.
    set(&deinterlace, "mode", "auto");
    set(&deinterlace, "method", "linear");
    set(&deinterlace, "fields", "top");
    set(&deinterlace, "locking", "none");
    let end = capsfilter(&caps(format));
    if let Some(pad) = end.static_pad("src") {
        set_colours(&pad);
    }
    let formats = gst::Caps::builder("video/x-raw")
        .field("format", gst::List::new(FORMATS))
        .build();
    Ok(vec![
        make("videoconvert", format)?,
        capsfilter(&formats),
        deinterlace,
        make("videoscale", format)?,
        end,
    ])
}

/// What encoders get: whole frames, square pixels, of H.264 and H.265 an even number each way, since with half the
/// colour in each direction their encoders refuse others.
fn caps(format: &Format) -> gst::Caps {
    let mut caps = gst::Caps::builder("video/x-raw")
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive");
    if matches!(format.name, "H264" | "H265") {
        let even = gst::IntRange::with_step(2, i32::MAX - 1, 2);
        caps = caps.field("width", even).field("height", even);
    }
    caps.build()
}

/// The colours in which everything is sent: BT.601 in limited range. VP8 has no other (RFC 6386, section 9.2), and
/// browsers that convert pictures without a graphics processor show the blue of BT.709 up to 9 of 255 too dark, since
/// its factor is more than they calculate with.
fn sent_colorimetry() -> Option<gst_video::VideoColorimetry> {
    "bt601".parse().ok()
}

/// A picture whose frame rate nobody knows gets the usual one in its caps; its times stay as they are.
fn name_frame_rate(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(caps) = event.view()
            && let Some(caps) = with_frame_rate(caps.caps())
        {
            *event = gst::event::Caps::builder(&caps)
                .seqnum(event.seqnum())
                .build();
        }
        gst::PadProbeReturn::Ok
    });
}

fn with_frame_rate(caps: &gst::CapsRef) -> Option<gst::Caps> {
    let structure = caps.structure(0)?;
    let rate = |field| {
        let rate = structure.get::<gst::Fraction>(field).ok()?;
        (rate.numer() > 0).then_some(rate)
    };
    if rate("framerate").is_some() {
        return None;
    }
    let mut caps = caps.to_owned();
    let named = rate("max-framerate").unwrap_or(USUAL_FRAME_RATE);
    caps.make_mut().set("framerate", named);
    Some(caps)
}

/// Converts what goes through a pad, and says so in its caps.
fn set_colours(pad: &gst::Pad) {
    let converter: Mutex<Option<(Conversion, gst_video::VideoInfo)>> = Mutex::new(None);
    let mask = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER;
    pad.add_probe(mask, move |_, info| {
        // Only the pipeline's thread comes here; the lock is for the type's sake.
        let mut converter = converter.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Caps(caps) = event.view() {
                    let found = conversion(caps.caps());
                    *converter = found.as_ref().map(|(found, _)| found.clone());
                    if let Some((_, caps)) = found {
                        *event = gst::event::Caps::builder(&caps)
                            .seqnum(event.seqnum())
                            .build();
                    }
                }
            }
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if let Some((conversion, info)) = &*converter {
                    // What cannot be written goes on in its own colours: better than nothing.
                    let _ = conversion.apply(buffer.make_mut(), info);
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

type Converter = (Conversion, gst_video::VideoInfo);

/// How pictures with these caps are converted, and the caps that they have then; none if they are right.
fn conversion(caps: &gst::CapsRef) -> Option<(Converter, gst::Caps)> {
    let info = gst_video::VideoInfo::from_caps(caps).ok()?;
    let colorimetry = sent_colorimetry()?;
    let conversion = Conversion::between(&info.colorimetry(), &colorimetry)?;
    let mut caps = caps.to_owned();
    caps.make_mut().set("colorimetry", colorimetry.to_string());
    Some(((conversion, info), caps))
}
