//! Runs the signalling server and the elements with peers that others have published.
//!
//! The server comes from `WIGWAG_SERVE`, the plugin from the folder `WIGWAG_PLUGIN` and the peer programs
//! from `WIGWAG_PEER_…`; `cargo xtask test` builds them and sets these variables. Every process started here ends with the value that
//! stands for it.

mod certificate;
mod client;
pub mod container;
pub mod environment;
pub mod gst_plugin_webrtc;
mod lines;
pub mod lossy_network;
mod output;
mod pebble;
mod peer;
mod port;
pub mod publish;
mod server;
pub mod sources;
mod viewing;
mod wigwag_sink;

pub use certificate::{Authority, ServerCertificate};
pub use client::Client;
pub use lines::Lines;
pub use pebble::Pebble;
pub use peer::Peer;
pub use server::SignallingServer;
pub use viewing::PictureViewer;
pub use wigwag_link::Namespace;
pub use wigwag_sink::{Network, WigwagSink};

use std::time::Duration;

/// How long to wait for anything: long enough for a busy machine, since success never waits it out.
pub const DEADLINE: Duration = Duration::from_secs(60);
