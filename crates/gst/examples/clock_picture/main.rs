//! Our `webrtcsink` behind a picture with a clock, for `cargo xtask bench latency`.
//!
//! `clock_picture URL NAME [sound] [latency=MS] [PROPERTY=VALUE …]`; ends when its standard input does.

// By the name that the program around the published sink has for it.
extern crate gstreamer as gst;

mod source;

use std::io::Read;
use std::process::ExitCode;

use gst::glib;
use gst::prelude::*;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    gstwigwag::plugin_register_static()?;
    let url = arguments.next().ok_or("no URL of a signalling server")?;
    let name = arguments.next().ok_or("no name")?;
    let sink = gst::ElementFactory::make("webrtcsink")
        .property("stun-server", "")
        .property("video-caps", gst::Caps::builder("video/x-vp8").build())
        .property(
            "meta",
            gst::Structure::builder("meta").field("name", name).build(),
        )
        .build()?;
    sink.property::<glib::Object>("signaller")
        .set_property("uri", url);
    let mut options = source::Options {
        width: WIDTH,
        height: HEIGHT,
        sound: false,
        latency: None,
    };
    for argument in arguments {
        match argument.split_once('=') {
            None if argument == "sound" => options.sound = true,
            Some(("latency", ms)) => {
                options.latency = Some(gst::ClockTime::from_mseconds(ms.parse()?));
            }
            Some((property, value)) => sink.set_property_from_str(property, value),
            None => return Err(format!("\"{argument}\" is no PROPERTY=VALUE").into()),
        }
    }
    let pipeline = gst::Pipeline::new();
    pipeline.add(&sink)?;
    source::add(&pipeline, options, &sink)?;
    pipeline.set_state(gst::State::Playing)?;
    // The parent ends it by closing the other end, also by dying.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}
