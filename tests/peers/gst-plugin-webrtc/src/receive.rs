//! `receive`: webrtcsrc that passes RTP on as it comes, and how many packets came of all streams.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use gst::glib;
use gst::prelude::*;
use serde_json::json;

use crate::run_loop::{OnError, RunLoop};
use crate::signaller::Server;
use crate::{consume, events};

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The id of the producer to receive from
    #[arg(long)]
    producer: String,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let run_loop = RunLoop::new();
    let pipeline = gst::Pipeline::new();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let source = consume::source(&options.server, &options.producer, address, &run_loop)?;
    pipeline.add(&source)?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    source.connect_pad_added(move |source, pad| {
        if let Err(error) = take(source, pad, &counted) {
            events::print(&json!({"event": "error", "details": format!("{error:#}")}));
        }
    });
    glib::timeout_add(REPORT_INTERVAL, move || {
        let count = count.load(Ordering::Relaxed);
        events::print(&json!({"event": "packets", "count": count}));
        glib::ControlFlow::Continue
    });
    run_loop.play(&pipeline, OnError::End)
}

/// Takes RTP from a pad, so that webrtcsrc neither depayloads nor decodes, and counts it.
fn take(source: &gst::Element, pad: &gst::Pad, count: &Arc<AtomicU64>) -> anyhow::Result<()> {
    let bin = source
        .parent()
        .and_then(|parent| parent.downcast::<gst::Bin>().ok())
        .ok_or_else(|| anyhow::anyhow!("webrtcsrc is in no bin"))?;
    let filter = gst::ElementFactory::make("capsfilter")
        .property("caps", gst::Caps::new_empty_simple("application/x-rtp"))
        .build()?;
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()?;
    bin.add_many([&filter, &sink])?;
    filter.link(&sink)?;
    filter.sync_state_with_parent()?;
    sink.sync_state_with_parent()?;
    let counted = sink.static_pad("sink");
    let counted = counted.ok_or_else(|| anyhow::anyhow!("fakesink has no pad"))?;
    let count = Arc::clone(count);
    let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    counted.add_probe(data, move |_, info| {
        let list = info.buffer_list().map(|list| list.len() as u64);
        count.fetch_add(list.unwrap_or(1), Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    let first = filter.static_pad("sink");
    pad.link(&first.ok_or_else(|| anyhow::anyhow!("capsfilter has no pad"))?)?;
    Ok(())
}
