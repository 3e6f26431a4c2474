//! One encoding of one stream, in a pipeline of its own: its errors, its end and its hanging are its own.
//!
//! `appsrc ! [convert ! deinterlace ! scale ! encode !] [parse !] pay ! appsink`, on the clock and base time of the element.
//!
//! # Contract
//!
//! * [`Rendition::build`] makes the pipeline; the owner may change its encoder, then calls
//!   [`play`](Rendition::play), which returns at once.
//! * Frames and failures go to the [`Outlet`], from threads of the pipeline; after a failure nothing more
//!   comes. Dropping a rendition stops it, without waiting.

mod clock_advance;
mod colour;
mod colour_description;
pub(crate) mod encoder;
mod frames;
mod parts;
mod property;
mod raw;

use std::sync::Arc;
use std::sync::mpsc::Sender;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use wigwag_media::encoder_control::Manners;
use wigwag_media::frame::Frame;
use wigwag_media::ids::{Bitrate, RenditionId};
use wigwag_media::session::Codec;

pub(crate) use clock_advance::ClockAdvance;

use crate::codec::Format;
use crate::log;
use crate::turn::Turn;
use parts::capsfilter;

/// Raw pictures that may wait for an encoder; older ones make way, for a late picture is worth less than
/// the next.
const MAX_WAITING_PICTURES: u64 = 2;

/// Audio and encoded pictures cannot be left out as easily: this much may wait.
const MAX_WAITING_TIME: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// What a rendition is made of.
pub(crate) struct Plan<'a> {
    pub(crate) id: RenditionId,
    pub(crate) format: &'static Format,
    /// The codec as sessions name it.
    pub(crate) codec: Codec,
    /// What the encoder has to make.
    pub(crate) encoded_caps: &'a gst::Caps,
    /// What encodes; none if the stream comes encoded.
    pub(crate) encoder: Option<&'a gst::ElementFactory>,
    /// What RTP timestamps of the stream begin with, the same for all its renditions.
    pub(crate) timestamp_offset: u32,
}

/// Where the frames of a rendition go.
pub(crate) trait Outlet: Send + Sync + 'static {
    /// A frame is ready.
    fn frame(&self, frame: Arc<Frame>);
    /// The rendition failed; the text says where and why.
    fn failed(&self, reason: String);
    /// The element's clock and base time, which the frames' times refer to.
    fn clock(&self) -> Option<(gst::Clock, gst::ClockTime)>;
    /// How far ahead of that clock the frames' times are.
    fn clock_advance(&self) -> &ClockAdvance;
}

/// Why a rendition could not be made.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("no element \"{0}\"; install {1}")]
    Missing(String, &'static str),
    #[error("{0} cannot be linked to {1}")]
    Link(String, String),
}

/// A rendition that runs, or will.
pub(crate) struct Rendition {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    encoder: Option<gst::Element>,
    stopped: Option<Sender<()>>,
    outlet: Arc<dyn Outlet>,
    turn: Turn,
}

impl Rendition {
    /// Makes the pipeline.
    pub(crate) fn build(plan: &Plan<'_>, outlet: Arc<dyn Outlet>) -> Result<Self, BuildError> {
        let id = plan.id;
        let name = format!(
            "rendition-{}-{}-{}",
            id.stream.0, plan.format.name, id.level
        );
        let pipeline = gst::Pipeline::with_name(&name);
        let source = source(plan);
        let encoder = plan.encoder.map(parts::encoder).transpose()?;
        let mut chain = vec![source.clone().upcast::<gst::Element>()];
        if let Some(encoder) = &encoder {
            if plan.format.audio {
                for name in ["audioconvert", "audioresample"] {
                    chain.push(parts::make(name, plan.format)?);
                }
                chain.push(capsfilter(&parts::raw_sound(plan.format)));
            } else {
                chain.extend(raw::chain(plan, source.upcast_ref())?);
                colour_description::describe(encoder, plan.format.name);
            }
            chain.push(encoder.clone());
            chain.push(capsfilter(&encoded_caps(plan, encoder)));
        }
        if let Some(parser) = plan.format.parser {
            chain.push(parts::make(parser, plan.format)?);
        }
        if let Some(parsed) = plan.format.parsed.and_then(|caps| caps.parse().ok()) {
            chain.push(capsfilter(&parsed));
        }
        chain.push(parts::payloader(plan)?);
        let sink = frames::sink(plan, Arc::clone(&outlet));
        chain.push(sink.clone().upcast());
        parts::link(&pipeline, &chain)?;
        if let Some((clock, base_time)) = outlet.clock() {
            pipeline.use_clock(Some(&clock));
            pipeline.set_base_time(base_time);
        }
        pipeline.set_start_time(gst::ClockTime::NONE);
        watch(&pipeline, Arc::clone(&outlet));
        Ok(Self {
            pipeline,
            source,
            sink,
            encoder,
            stopped: None,
            outlet,
            turn: Turn::default(),
        })
    }

    /// Starts it; failures go to the outlet.
    pub(crate) fn play(&self) {
        let outlet = Arc::clone(&self.outlet);
        self.turn.start(&self.pipeline, move |started| {
            // Most elements have posted a message before, which says more and counts; some say nothing.
            if !started {
                outlet.failed("it could not start".to_owned());
            }
        });
    }

    /// Where the stream goes in.
    pub(crate) fn source(&self) -> &gst_app::AppSrc {
        &self.source
    }

    /// The pipeline, for signals.
    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// What encodes, for signals; none if the stream comes encoded.
    pub(crate) fn encoder(&self) -> Option<&gst::Element> {
        self.encoder.as_ref()
    }

    /// What its encoder bears; none if the stream is passed through.
    pub(crate) fn manners(&self) -> Option<Manners> {
        self.encoder.as_ref().map(encoder::manners)
    }

    /// Changes the rate, if the encoder's can be.
    pub(crate) fn set_rate(&self, rate: Bitrate) {
        if let Some(encoder) = &self.encoder {
            encoder::set_rate(encoder, rate);
        }
    }

    /// Stops it. The sender is dropped when that is done.
    pub(crate) fn stop(mut self, stopped: Sender<()>) {
        self.stopped = Some(stopped);
    }

    /// Asks the encoder for a key frame with all headers.
    pub(crate) fn make_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        self.sink.send_event(event);
    }
}

impl Drop for Rendition {
    fn drop(&mut self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        // Stopping waits for the encoder, and this may be called from anywhere.
        self.turn.stop(&self.pipeline, self.stopped.take());
    }
}

/// What the encoder has to make, in the form in which its colours can be described.
fn encoded_caps(plan: &Plan<'_>, encoder: &gst::Element) -> gst::Caps {
    let mut caps = plan.encoded_caps.to_owned();
    if let Some((field, value)) = colour_description::form(encoder, plan.format.name) {
        for structure in caps.make_mut().iter_mut() {
            if !structure.has_field(field) {
                structure.set(field, value);
            }
        }
    }
    caps
}

fn source(plan: &Plan<'_>) -> gst_app::AppSrc {
    let source = gst_app::AppSrc::builder()
        .name("input")
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(false)
        .max_bytes(0)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build();
    if plan.encoder.is_some() && !plan.format.audio {
        source.set_max_buffers(MAX_WAITING_PICTURES);
        source.set_max_time(gst::ClockTime::ZERO);
    } else {
        source.set_max_buffers(0);
        source.set_max_time(MAX_WAITING_TIME);
    }
    source
}

/// Tells of errors. The handler runs on the thread that posts the message.
fn watch(pipeline: &gst::Pipeline, outlet: Arc<dyn Outlet>) {
    let Some(bus) = pipeline.bus() else {
        return;
    };
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let place = error.src().map(|src| src.name().to_string());
                let place = place.unwrap_or_else(|| "an element".to_owned());
                outlet.failed(format!("{place}: {}", error.error()));
            }
            gst::MessageView::Warning(warning) => {
                gst::warning!(log::SINK, "in a rendition: {}", warning.error());
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}
