//! A signalling server: sockets, TLS and limits around [`wigwag_hub`]. It speaks the JSON protocol, and the text
//! protocol at `/text` and at a port of its own.
//!
//! # The way of a message
//!
//! Each connection is one task. It reads a message, parses it, and takes the lock of the switchboard
//! for as long as the hub needs to decide; what the hub wants to say goes, still under the lock and
//! without waiting, into the bounded outbound queue of each peer. The peer's own task writes its
//! queue to its socket. So no task ever waits for another peer: one that stops reading fills its own
//! queue, is disconnected with a reason, and nobody else notices.
//!
//! # Operation
//!
//! With [`Config::admin`] an operator sees who is connected, and removes peers and ends sessions, by JSON over HTTP on a
//! port of its own.
//!
//! # Example
//!
//! ```no_run
//! # async fn run() -> Result<(), wigwag_server::StartError> {
//! let server = wigwag_server::Server::bind(wigwag_server::Config::default()).await?;
//! println!("signalling at {}", server.url());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod admin;
mod backlog;
mod clients;
mod close_reason;
mod config;
mod connection;
mod error;
mod forwarded;
mod frame_ancestor;
mod gate;
mod http;
mod limits;
mod listen;
mod live;
mod liveness;
mod meter;
mod metrics;
mod network;
mod origin;
mod outbound;
pub mod page;
mod participant;
mod places;
mod rate;
mod readiness;
mod refusal;
mod server;
#[cfg(test)]
mod simulation;
mod sockets;
#[cfg(any(test, fuzzing))]
pub mod stage;
mod stall;
mod switchboard;
mod text_switchboard;
mod tls;
mod web;

/// The library in which routes for [`Server::with_routes`] are written.
pub use axum;

pub use admin::{AdminConfig, InvalidSecret, Secret};
#[cfg(any(test, fuzzing))]
pub use backlog::Waiting;
pub use config::Config;
pub use error::{StartError, TlsError};
pub use forwarded::{ForwardedHeader, InvalidForwardedHeader};
pub use frame_ancestor::{FrameAncestor, InvalidFrameAncestor};
pub use limits::Limits;
pub use live::{Handle, Reloaded};
pub use network::{InvalidNetwork, Network};
pub use origin::{AllowedOrigin, InvalidOrigin, Origin};
pub use server::Server;
pub use sockets::Sockets;
pub use tls::{
    AcmeConfig, ClientCertificates, LETS_ENCRYPT, LiveTls, TlsConfig, TlsFiles, TlsSource,
    TlsVersion, WATCH_INTERVAL,
};
pub use web::{WebConfig, WebContent, WebLimits, WebServer};
pub use wigwag_hub::Policy;
pub use wigwag_hub::text::Policy as TextPolicy;
