//! `whep`: a test picture behind whepserversink.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use gst::glib;
use gst::prelude::*;
use serde_json::json;

use crate::run_loop::{OnError, RunLoop};
use crate::{addresses, events};

#[derive(Args)]
pub(crate) struct Options {
    /// The codecs that whepserversink may answer with
    #[arg(long, default_value = "video/x-vp8")]
    video_caps: String,
    /// The rate of the encoders in bit/s, instead of the element's own
    #[arg(long)]
    bitrate: Option<u32>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let run_loop = RunLoop::new();
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("videotestsrc")
        .property("is-live", true)
        .build()?;
    let format = gst::ElementFactory::make("capsfilter")
        .property(
            "caps",
            gst::Caps::builder("video/x-raw")
                .field("width", 320)
                .field("height", 240)
                .field("framerate", gst::Fraction::new(30, 1))
                .build(),
        )
        .build()?;
    let sink = whepserversink(options)?;
    pipeline.add_many([&source, &format, &sink])?;
    gst::Element::link_many([&source, &format, &sink])?;
    run_loop.play(&pipeline, OnError::End)
}

fn whepserversink(options: &Options) -> anyhow::Result<gst::Element> {
    let caps = gst::Caps::from_str(&options.video_caps)
        .with_context(|| format!("not caps: {}", options.video_caps))?;
    // The element does not say which port it got if it is told 0.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let host = format!("http://127.0.0.1:{port}");
    let sink = gst::ElementFactory::make("whepserversink")
        .property("video-caps", caps)
        .property("stun-server", None::<String>)
        .property_from_str("congestion-control", "disabled")
        .build()?;
    if let Some(bitrate) = options.bitrate {
        for name in ["min-bitrate", "start-bitrate", "max-bitrate"] {
            sink.set_property(name, bitrate);
        }
    }
    let signaller = sink.property::<glib::Object>("signaller");
    signaller.set_property("host-addr", &host);
    signaller.set_property("stun-server", None::<String>);
    sink.connect("consumer-added", false, |values| {
        let webrtcbin = values
            .get(2)
            .and_then(|value| value.get::<gst::Element>().ok());
        // Emitted before negotiation, so the candidates are still to be gathered.
        if let Some(webrtcbin) = webrtcbin {
            addresses::restrict(&webrtcbin, Ipv4Addr::LOCALHOST.into());
        }
        report("consumer-added", values);
        None
    });
    sink.connect("consumer-removed", false, |values| {
        report("consumer-removed", values);
        None
    });
    thread::spawn(move || announce(port));
    Ok(sink)
}

/// The element does not say either when it listens, which is some time after it plays.
fn announce(port: u16) {
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    let url = format!("http://127.0.0.1:{port}/whep/endpoint");
    events::print(&json!({"event": "endpoint", "url": url}));
}

fn report(event: &str, values: &[glib::Value]) {
    if let Some(peer) = values.get(1).and_then(|value| value.get::<String>().ok()) {
        events::print_peer(event, &peer);
    }
}
