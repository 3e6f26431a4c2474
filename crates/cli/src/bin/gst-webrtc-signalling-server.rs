//! `wigwag serve` under the name of the reference's server, with the same flags.

use std::process::ExitCode;

use clap::Parser;

/// Signalling server for webrtcsink, webrtcsrc and gstwebrtc-api (Wigwag).
#[derive(Parser)]
#[command(name = "gst-webrtc-signalling-server", version, about)]
struct Arguments {
    #[command(flatten)]
    serve: wigwag::ServeArguments,
}

fn main() -> ExitCode {
    match wigwag::parse::<Arguments>() {
        Ok(arguments) => wigwag::run_serve(arguments.serve),
        Err(code) => code,
    }
}
