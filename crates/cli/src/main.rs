//! `wigwag`: WebRTC for GStreamer people.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// Measured with `cargo xtask bench signalling`: a tenth off the cost of a message.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// WebRTC for GStreamer people.
#[derive(Parser)]
#[command(name = "wigwag", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the signalling server.
    Serve(wigwag::ServeArguments),
    /// Publishes a test picture, a file, a camera or a network stream.
    #[cfg(feature = "gst")]
    Publish(wigwag::PublishArguments),
    /// Lists who sends at a signalling server.
    #[cfg(feature = "list")]
    List(wigwag::ListArguments),
    /// Shows a signalling server at work, by its admin API.
    #[cfg(feature = "monitor")]
    Monitor(wigwag::MonitorArguments),
    /// Watches a sender as many viewers would, and tells what they got.
    #[cfg(feature = "load")]
    Load(wigwag::LoadArguments),
}

fn main() -> ExitCode {
    match wigwag::parse::<Arguments>() {
        Ok(Arguments {
            command: Command::Serve(arguments),
        }) => wigwag::run_serve(arguments),
        #[cfg(feature = "gst")]
        Ok(Arguments {
            command: Command::Publish(arguments),
        }) => wigwag::run_publish(&arguments),
        #[cfg(feature = "list")]
        Ok(Arguments {
            command: Command::List(arguments),
        }) => wigwag::run_list(&arguments),
        #[cfg(feature = "monitor")]
        Ok(Arguments {
            command: Command::Monitor(arguments),
        }) => wigwag::run_monitor(&arguments),
        #[cfg(feature = "load")]
        Ok(Arguments {
            command: Command::Load(arguments),
        }) => wigwag::run_load(&arguments),
        Err(code) => code,
    }
}
