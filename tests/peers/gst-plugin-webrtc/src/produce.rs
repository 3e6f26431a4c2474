//! `produce`: a test picture behind webrtcsink.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use gst::glib;
use gst::prelude::*;

use crate::run_loop::{OnError, RunLoop};
use crate::signaller::Server;
use crate::{addresses, clock_picture, events};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The name in the producer's metadata
    #[arg(long, default_value = "gst-plugin-webrtc")]
    name: String,
    /// The codecs that webrtcsink may offer
    #[arg(long, default_value = "video/x-vp8")]
    video_caps: String,
    /// The width of the picture
    #[arg(long, default_value_t = 320)]
    width: i32,
    /// The height of the picture
    #[arg(long, default_value_t = 240)]
    height: i32,
    /// The rate of the encoders in bit/s, instead of the element's own
    #[arg(long)]
    bitrate: Option<u32>,
    /// A film (WebM) that is sent as it is encoded, instead of the test picture
    #[arg(long)]
    film: Option<PathBuf>,
    /// A picture with the time in it instead
    #[arg(long, conflicts_with = "film")]
    clock: bool,
    /// Sound as well, with the picture that has the time in it
    #[arg(long, requires = "clock")]
    sound: bool,
    /// The latency in milliseconds that the source of that reports
    #[arg(long, requires = "clock")]
    latency: Option<u64>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let run_loop = RunLoop::new();
    let pipeline = gst::Pipeline::new();
    let sink = webrtcsink(options)?;
    pipeline.add(&sink)?;
    match &options.film {
        Some(film) => add_film(&pipeline, film, &sink)?,
        None if options.clock => {
            let options = clock_picture::Options {
                width: options.width,
                height: options.height,
                sound: options.sound,
                latency: options.latency.map(gst::ClockTime::from_mseconds),
            };
            clock_picture::add(&pipeline, options, &sink)?;
        }
        None => add_test_picture(&pipeline, options, &sink)?,
    }
    run_loop.play(&pipeline, OnError::End)
}

fn add_film(pipeline: &gst::Pipeline, film: &Path, sink: &gst::Element) -> anyhow::Result<()> {
    let source = gst::ElementFactory::make("filesrc")
        .property("location", film)
        .build()?;
    let demux = gst::ElementFactory::make("matroskademux").build()?;
    pipeline.add_many([&source, &demux])?;
    source.link(&demux)?;
    let sink = sink.clone();
    demux.connect_pad_added(move |demux, pad| {
        if let Err(error) = demux.link_pads(Some(&pad.name()), &sink, None) {
            gst::element_error!(demux, gst::CoreError::Negotiation, ("{error}"));
        }
    });
    Ok(())
}

fn add_test_picture(
    pipeline: &gst::Pipeline,
    options: &Options,
    sink: &gst::Element,
) -> anyhow::Result<()> {
    let source = gst::ElementFactory::make("videotestsrc")
        .property("is-live", true)
        .build()?;
    let format = gst::ElementFactory::make("capsfilter")
        .property(
            "caps",
            gst::Caps::builder("video/x-raw")
                .field("width", options.width)
                .field("height", options.height)
                .field("framerate", gst::Fraction::new(30, 1))
                .build(),
        )
        .build()?;
    pipeline.add_many([&source, &format])?;
    gst::Element::link_many([&source, &format, sink])?;
    Ok(())
}

fn webrtcsink(options: &Options) -> anyhow::Result<gst::Element> {
    let caps = gst::Caps::from_str(&options.video_caps)
        .with_context(|| format!("not caps: {}", options.video_caps))?;
    let meta = gst::Structure::builder("meta")
        .field("name", &options.name)
        .build();
    let sink = gst::ElementFactory::make("webrtcsink")
        .property("video-caps", caps)
        .property("meta", meta)
        .property("stun-server", None::<String>)
        .property_from_str("congestion-control", "disabled")
        .build()?;
    if let Some(bitrate) = options.bitrate {
        for name in ["min-bitrate", "start-bitrate", "max-bitrate"] {
            sink.set_property(name, bitrate);
        }
    }
    options
        .server
        .configure(&sink.property::<glib::Object>("signaller"));
    sink.connect("consumer-added", false, |values| {
        // Emitted before negotiation, so the candidates are still to be gathered.
        if let Some(webrtcbin) = element(values, 2) {
            addresses::restrict(&webrtcbin, Ipv4Addr::LOCALHOST.into());
        }
        print_consumer("consumer-added", values);
        None
    });
    sink.connect("consumer-removed", false, |values| {
        print_consumer("consumer-removed", values);
        None
    });
    Ok(sink)
}

fn print_consumer(event: &str, values: &[glib::Value]) {
    if let Some(peer) = values.get(1).and_then(|value| value.get::<String>().ok()) {
        events::print_peer(event, &peer);
    }
}

fn element(values: &[glib::Value], index: usize) -> Option<gst::Element> {
    values.get(index)?.get().ok()
}
