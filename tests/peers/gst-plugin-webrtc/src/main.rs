//! The published `webrtcsink`, `webrtcsrc` and `whepserversink` in one small program.
//!
//! Every subcommand writes one JSON object per line to standard output, so that a test can wait for
//! what happened, and ends on SIGTERM or when its standard input closes, so that no peer outlives a
//! test that was itself killed.

mod addresses;
#[path = "../../../../crates/gst/examples/clock_picture/source.rs"]
mod clock_picture;
mod consume;
mod events;
mod listen;
mod pads;
mod produce;
mod receive;
mod run_loop;
mod signaller;
mod wanted;
mod whep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

#[derive(Parser)]
#[command(about = "webrtcsink and webrtcsrc of gst-plugin-webrtc, for interoperability tests")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Offer a test picture with webrtcsink until told to stop
    Produce(produce::Options),
    /// Receive with webrtcsrc and count what comes out
    Consume(consume::Options),
    /// Receive with webrtcsrc and report what becomes of each of its pads
    Pads(pads::Options),
    /// Receive RTP with webrtcsrc, and report once a second how many packets came
    Receive(receive::Options),
    /// Report the producers that come and go
    Listen(listen::Options),
    /// Offer a test picture with whepserversink until told to stop
    Whep(whep::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = start_gstreamer().and_then(|()| match arguments.command {
        Command::Produce(options) => produce::run(&options),
        Command::Consume(options) => consume::run(&options),
        Command::Pads(options) => pads::run(&options),
        Command::Receive(options) => receive::run(&options),
        Command::Listen(options) => listen::run(&options),
        Command::Whep(options) => whep::run(&options),
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            events::print(&json!({"event": "error", "details": format!("{error:#}")}));
            ExitCode::FAILURE
        }
    }
}

fn start_gstreamer() -> anyhow::Result<()> {
    gst::init()?;
    gstrswebrtc::plugin_register_static()?;
    gstrsrtp::plugin_register_static()?;
    Ok(())
}
