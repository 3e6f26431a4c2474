//! Our `webrtcsink` with pads that come and go while viewers watch.
//!
//! `changing_pads URL NAME [KIND …]` begins with a pad of each kind, `video` or `audio`. Lines of standard input add and remove
//! pads: `add video`, `remove video_0`. Each is reported by a line of JSON. Ends when standard input does.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::process::ExitCode;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

const VIDEO: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! queue";
const AUDIO: &str = "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! queue";

struct Sender {
    pipeline: gst::Pipeline,
    sink: gst::Element,
    /// By the names of the pads that they are in front of.
    sources: BTreeMap<String, gst::Bin>,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstwigwag::plugin_register_static()?;
    let url = arguments.next().ok_or("no URL of a signalling server")?;
    let name = arguments.next().ok_or("no name")?;
    let mut sender = Sender::new(&url, &name)?;
    for kind in arguments {
        sender.add(&kind)?;
    }
    sender.pipeline.set_state(gst::State::Playing)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("add", kind)) => sender.add(kind)?,
            Some(("remove", pad)) => sender.remove(pad)?,
            _ => return Err(format!("neither add nor remove: {line}").into()),
        }
    }
    sender.pipeline.set_state(gst::State::Null)?;
    Ok(())
}

impl Sender {
    fn new(url: &str, name: &str) -> Result<Self, Box<dyn Error>> {
        let meta = gst::Structure::builder("meta").field("name", name).build();
        let sink = gst::ElementFactory::make("webrtcsink")
            .property("stun-server", "")
            .property("video-caps", gst::Caps::builder("video/x-vp8").build())
            .property("meta", meta)
            .build()?;
        sink.property::<glib::Object>("signaller")
            .set_property("uri", url);
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink)?;
        Ok(Self {
            pipeline,
            sink,
            sources: BTreeMap::new(),
        })
    }

    /// Puts a source in front of a new pad.
    fn add(&mut self, kind: &str) -> Result<(), Box<dyn Error>> {
        let description = match kind {
            "video" => VIDEO,
            "audio" => AUDIO,
            _ => return Err(format!("neither video nor audio: {kind}").into()),
        };
        let source = gst::parse::bin_from_description(description, true)?;
        self.pipeline.add(&source)?;
        let pad = self.sink.request_pad_simple(&format!("{kind}_%u"));
        let pad = pad.ok_or("the sink has no such pad")?;
        let from = source.static_pad("src").ok_or("the source has no pad")?;
        from.link(&pad)?;
        source.sync_state_with_parent()?;
        report("pad-added", &pad.name());
        self.sources.insert(pad.name().to_string(), source);
        Ok(())
    }

    /// Takes a source away, and then its pad.
    fn remove(&mut self, name: &str) -> Result<(), Box<dyn Error>> {
        let source = self.sources.remove(name).ok_or("there is no such pad")?;
        let pad = self.sink.static_pad(name).ok_or("there is no such pad")?;
        source.set_state(gst::State::Null)?;
        self.pipeline.remove(&source)?;
        self.sink.release_request_pad(&pad);
        report("pad-removed", name);
        Ok(())
    }
}

/// Names of pads need no escapes.
fn report(event: &str, pad: &str) {
    println!("{{\"event\":\"{event}\",\"pad\":\"{pad}\"}}");
}
