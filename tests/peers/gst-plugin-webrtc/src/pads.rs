//! `pads`: webrtcsrc, and what becomes of each of its pads.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use gst::prelude::*;
use serde_json::json;

use crate::run_loop::{OnError, RunLoop};
use crate::signaller::Server;
use crate::{consume, events};

const PROGRESS_EVERY: u64 = 15;

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
    source.connect_pad_added(|source, pad| {
        report("pad-added", pad);
        if let Err(error) = consume::fakesink(source).and_then(|sink| watch(pad, &sink)) {
            events::print(&json!({"event": "error", "details": format!("{error:#}")}));
        }
    });
    source.connect_pad_removed(|_, pad| report("pad-removed", pad));
    run_loop.play(&pipeline, OnError::GoOn)
}

/// Links a pad, and reports its buffers and its end.
fn watch(pad: &gst::Pad, sink: &gst::Pad) -> anyhow::Result<()> {
    let count = AtomicU64::new(0);
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    let name = pad.name();
    sink.add_probe(mask, move |_, info| {
        if info.buffer().is_some() {
            let now = count.fetch_add(1, Ordering::SeqCst) + 1;
            if now == 1 || now % PROGRESS_EVERY == 0 {
                events::print(
                    &json!({"event": "pad-progress", "pad": name.as_str(), "count": now}),
                );
            }
        }
        if info
            .event()
            .is_some_and(|event| event.type_() == gst::EventType::Eos)
        {
            events::print(&json!({"event": "pad-eos", "pad": name.as_str()}));
        }
        gst::PadProbeReturn::Ok
    });
    pad.link(sink)?;
    Ok(())
}

fn report(event: &str, pad: &gst::Pad) {
    events::print(&json!({"event": event, "pad": pad.name().as_str()}));
}
