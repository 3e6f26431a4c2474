//! `consume`: webrtcsrc, decoding or not, and a count of what came out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use gst::glib;
use gst::prelude::*;
use serde_json::json;

use crate::run_loop::{OnError, RunLoop};
use crate::signaller::Server;
use crate::wanted::{Media, picture_size};
use crate::{addresses, events};

const PROGRESS_EVERY: u64 = 15;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The id of the producer to receive from
    #[arg(long)]
    producer: String,
    /// What to count
    #[arg(long, value_enum, default_value = "video")]
    media: Media,
    /// The only video codec to take; any that the plugin knows if there is none
    #[arg(long)]
    video_codec: Option<String>,
    /// The address of this machine to receive at
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Report errors, the loss of the signalling server for one, and go on
    #[arg(long)]
    go_on: bool,
    /// How many frames are enough
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
    let counted = counting_sink(options.media, options.frames, &run_loop)?;
    pipeline.add_many([source.upcast_ref(), counted.upcast_ref::<gst::Element>()])?;
    connect_first_pad(&source, options.media, &counted);
    give_up_after(options.timeout, &run_loop);
    let on_error = if options.go_on {
        OnError::GoOn
    } else {
        OnError::End
    };
    run_loop.play(&pipeline, on_error)
}

fn webrtcsrc(options: &Options, run_loop: &RunLoop) -> anyhow::Result<gst::Element> {
    let source = source(
        &options.server,
        &options.producer,
        options.address,
        run_loop,
    )?;
    if let Some(codec) = &options.video_codec {
        source.set_property("video-codecs", gst::Array::new([codec]));
    }
    Ok(source)
}

/// A webrtcsrc for a producer, which receives at an address of this machine.
pub(crate) fn source(
    server: &Server,
    producer: &str,
    address: IpAddr,
    run_loop: &RunLoop,
) -> anyhow::Result<gst::Element> {
    let source = gst::ElementFactory::make("webrtcsrc")
        .property("stun-server", None::<String>)
        .build()?;
    let signaller = source.property::<glib::Object>("signaller");
    server.configure(&signaller);
    signaller.set_property("producer-peer-id", producer);
    signaller.connect("webrtcbin-ready", false, move |values| {
        if let Some(webrtcbin) = values.get(2).and_then(|value| value.get().ok()) {
            addresses::restrict(&webrtcbin, address);
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

/// A bin that takes the wanted media only.
fn counting_sink(media: Media, wanted: u64, run_loop: &RunLoop) -> anyhow::Result<gst::Bin> {
    let filter = media.description();
    let bin = gst::parse::bin_from_description(
        &format!("queue ! {filter} ! fakesink name=frames sync=false async=false"),
        true,
    )?;
    let sink = bin
        .by_name("frames")
        .and_then(|sink| sink.static_pad("sink"))
        .ok_or_else(|| anyhow::anyhow!("fakesink has no pad"))?;
    let count = Arc::new(AtomicU64::new(0));
    let run_loop = run_loop.clone();
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) else {
            return gst::PadProbeReturn::Ok;
        };
        if media.counts(buffer, &caps) {
            let now = count.fetch_add(1, Ordering::SeqCst) + 1;
            if now == wanted {
                events::print(&frames("frames", now, &caps));
                run_loop.end(0);
            } else if now < wanted && (now == 1 || now % PROGRESS_EVERY == 0) {
                events::print(&frames("progress", now, &caps));
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(bin)
}

fn frames(event: &str, count: u64, caps: &gst::Caps) -> serde_json::Value {
    let media = caps.structure(0).map(|structure| structure.name().as_str());
    let size = picture_size(caps);
    json!({
        "event": event,
        "count": count,
        "media": media,
        "width": size.map(|(width, _)| width),
        "height": size.map(|(_, height)| height),
    })
}

/// Takes the first pad of the wanted kind; whatever else comes is thrown away.
fn connect_first_pad(source: &gst::Element, media: Media, counted: &gst::Bin) {
    let counted = counted.downgrade();
    source.connect_pad_added(move |source, pad| {
        let Some(counted) = counted.upgrade() else {
            return;
        };
        let sink = counted.static_pad("sink");
        let is_wanted = pad.name().starts_with(media.pad_prefix());
        let free = sink.filter(|sink| !sink.is_linked() && is_wanted);
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
    let sink = fakesink(source)?;
    pad.link(&sink)?;
    Ok(())
}

/// The pad of a new fakesink beside an element.
pub(crate) fn fakesink(beside: &gst::Element) -> anyhow::Result<gst::Pad> {
    let bin = beside
        .parent()
        .and_then(|parent| parent.downcast::<gst::Bin>().ok())
        .ok_or_else(|| anyhow::anyhow!("the element is in no bin"))?;
    let fakesink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()?;
    bin.add(&fakesink)?;
    fakesink.sync_state_with_parent()?;
    let pad = fakesink.static_pad("sink");
    pad.ok_or_else(|| anyhow::anyhow!("fakesink has no pad"))
}

fn give_up_after(seconds: u64, run_loop: &RunLoop) {
    let run_loop = run_loop.clone();
    glib::timeout_add_once(Duration::from_secs(seconds), move || {
        let details = format!("not enough frames after {seconds} seconds");
        events::print(&json!({"event": "error", "details": details}));
        run_loop.end(1);
    });
}
