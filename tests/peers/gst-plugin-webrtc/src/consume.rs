//! `consume`: webrtcsrc, decoding, and a count of the frames that came out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use gst::glib;
use gst::prelude::*;
use serde_json::json;

use crate::run_loop::RunLoop;
use crate::signaller::Server;
use crate::{events, loopback};

const PROGRESS_EVERY: u64 = 15;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The id of the producer to receive from
    #[arg(long)]
    producer: String,
    /// How many decoded frames are enough
    #[arg(long)]
    frames: u64,
    /// After how many seconds to give up
    #[arg(long, default_value_t = 30)]
    timeout: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let run_loop = RunLoop::new();
    let pipeline = gst::Pipeline::new();
    let source = webrtcsrc(options, &run_loop)?;
    let decoded = counting_sink(options.frames, &run_loop)?;
    pipeline.add_many([source.upcast_ref(), decoded.upcast_ref::<gst::Element>()])?;
    connect_first_video_pad(&source, &decoded);
    give_up_after(options.timeout, &run_loop);
    run_loop.play(&pipeline)
}

fn webrtcsrc(options: &Options, run_loop: &RunLoop) -> anyhow::Result<gst::Element> {
    let source = gst::ElementFactory::make("webrtcsrc")
        .property("stun-server", None::<String>)
        .build()?;
    let signaller = source.property::<glib::Object>("signaller");
    options.server.configure(&signaller);
    signaller.set_property("producer-peer-id", &options.producer);
    signaller.connect("webrtcbin-ready", false, |values| {
        if let Some(webrtcbin) = values.get(2).and_then(|value| value.get().ok()) {
            loopback::restrict(&webrtcbin);
        }
        None
    });
    let run_loop = run_loop.clone();
    signaller.connect("session-ended", false, move |_| {
        // webrtcsrc only drops its pad, and the pipeline would wait for ever.
        events::print(&json!({"event": "session-ended"}));
        run_loop.end(1);
        Some(false.to_value())
    });
    Ok(source)
}

/// A bin that takes raw video only, which makes webrtcsrc decode.
fn counting_sink(wanted: u64, run_loop: &RunLoop) -> anyhow::Result<gst::Bin> {
    let bin = gst::parse::bin_from_description(
        "queue ! videoconvert ! video/x-raw,format=I420 ! fakesink name=frames sync=false",
        true,
    )?;
    let sink = bin
        .by_name("frames")
        .and_then(|sink| sink.static_pad("sink"))
        .ok_or_else(|| anyhow::anyhow!("fakesink has no pad"))?;
    let count = Arc::new(AtomicU64::new(0));
    let run_loop = run_loop.clone();
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let picture = pad.current_caps().and_then(|caps| picture_size(&caps));
        let Some((width, height)) = picture else {
            return gst::PadProbeReturn::Ok;
        };
        let complete = info
            .buffer()
            .is_some_and(|buffer| buffer.size() >= (width * height * 3 / 2) as usize);
        if complete {
            let now = count.fetch_add(1, Ordering::SeqCst) + 1;
            if now == wanted {
                events::print(&frames("frames", now, width, height));
                run_loop.end(0);
            } else if now < wanted && (now == 1 || now % PROGRESS_EVERY == 0) {
                events::print(&frames("progress", now, width, height));
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(bin)
}

fn frames(event: &str, count: u64, width: u32, height: u32) -> serde_json::Value {
    json!({"event": event, "count": count, "width": width, "height": height})
}

fn picture_size(caps: &gst::Caps) -> Option<(u32, u32)> {
    let structure = caps.structure(0)?;
    let side = |name: &str| u32::try_from(structure.get::<i32>(name).ok()?).ok();
    Some((side("width")?, side("height")?))
}

/// Takes the first video pad; whatever else comes is thrown away.
fn connect_first_video_pad(source: &gst::Element, decoded: &gst::Bin) {
    let decoded = decoded.downgrade();
    source.connect_pad_added(move |source, pad| {
        let Some(decoded) = decoded.upgrade() else {
            return;
        };
        let sink = decoded.static_pad("sink");
        let free = sink.filter(|sink| !sink.is_linked() && pad.name().starts_with("video"));
        let linked = match free {
            Some(sink) => pad.link(&sink).map(drop).map_err(anyhow::Error::from),
            None => throw_away(source, pad),
        };
        if let Err(error) = linked {
            events::print(&json!({"event": "error", "details": format!("link: {error}")}));
        }
    });
}

fn throw_away(source: &gst::Element, pad: &gst::Pad) -> anyhow::Result<()> {
    let bin = source
        .parent()
        .and_then(|parent| parent.downcast::<gst::Bin>().ok())
        .ok_or_else(|| anyhow::anyhow!("webrtcsrc is in no bin"))?;
    let fakesink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()?;
    bin.add(&fakesink)?;
    fakesink.sync_state_with_parent()?;
    let sink = fakesink
        .static_pad("sink")
        .ok_or_else(|| anyhow::anyhow!("fakesink has no pad"))?;
    pad.link(&sink)?;
    Ok(())
}

fn give_up_after(seconds: u64, run_loop: &RunLoop) {
    let run_loop = run_loop.clone();
    glib::timeout_add_once(Duration::from_secs(seconds), move || {
        let details = format!("not enough frames after {seconds} seconds");
        events::print(&json!({"event": "error", "details": details}));
        run_loop.end(1);
    });
}
