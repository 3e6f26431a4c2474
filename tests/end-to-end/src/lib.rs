//! Runs the signalling server between peers that others have published.
//!
//! The server comes from `WIGWAG_SERVE` and the peer programs from `WIGWAG_PEER_…`; `cargo xtask
//! test` builds them and sets these variables. Every process started here ends with the value that
//! stands for it.

mod certificate;
mod environment;
pub mod gst_plugin_webrtc;
mod output;
mod peer;
mod port;
pub mod publish;
pub mod rtp_producer;
mod server;

pub use certificate::{Authority, ServerCertificate};
pub use peer::Peer;
pub use server::SignallingServer;

use std::time::Duration;

/// How long to wait for anything: long enough for a busy machine, since success never waits it out.
pub const DEADLINE: Duration = Duration::from_secs(60);
