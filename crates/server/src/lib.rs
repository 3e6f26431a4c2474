//! A signalling server: sockets, TLS and limits around [`wigwag_hub`]. It speaks the JSON protocol, and the text
//! protocol at `/text` and at a port of its own.
//!
//! # Message flow
//!
//! Each connection is one task. It reads a message, parses it, and takes the lock of the registry
//! for as long as the hub needs to decide; the messages of the hub go, still under the lock and
//! without waiting, into the bounded outbound queue of each peer. The peer's own task writes its
//! queue to its socket. So no task ever waits for another peer: one that stops reading fills its own
//! queue, is disconnected with a reason, and no other peer notices.
//!
//! # Operation
//!
//! With [`Config::admin`] an operator sees which peers are connected, and removes peers and ends sessions, by JSON over
//! HTTP on a port of its own. Other services share the main port by [`Server::with_routes`].
//!
//! # Features
//!
//! All are on by default. A configuration that asks for one that is not built is refused.
//!
//! * `acme`: certificates that the server orders itself ([`AcmeConfig`]).
//! * `admin`: the admin API ([`AdminConfig`]).
//! * `metrics`: `/metrics` for Prometheus. What it shows is counted in any case.
//! * `text`: the text protocol, at `/text` and on a port of its own.
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

// Some of what only one feature uses stands without it, too; it is checked where all are built.
#![cfg_attr(
    not(all(
        feature = "acme",
        feature = "admin",
        feature = "metrics",
        feature = "text"
    )),
    allow(dead_code)
)]

mod accept;
mod accept_check;
mod address_limiter;
mod admin;
mod admission;
mod back_off;
mod backlog;
mod browser_access;
mod callee_budgets;
mod caller_budget;
mod client_address;
mod close_reason;
mod config;
mod connection;
mod error;
mod forwarded;
mod frame_ancestor;
mod frame_stream;
mod handle;
mod health_paths;
mod held_bytes;
mod host;
mod http;
#[cfg(any(test, fuzzing))]
pub mod in_memory;
mod json_hub;
mod limits;
mod listen;
mod liveness;
mod log_limiter;
mod message_limiter;
mod metrics;
mod network;
mod origin;
mod outbound;
mod outgoing;
pub mod page;
mod page_policy;
mod permits;
mod proxy_warnings;
mod rate;
mod refusal;
mod registry;
mod reloadable;
mod server;
mod settings;
mod signalling_host;
#[cfg(all(test, feature = "text"))]
mod simulation;
mod sockets;
mod stall;
mod state;
#[cfg(feature = "text")]
mod text_hub;
mod tls;
mod web;
mod websocket_request;
mod websocket_upgrade;
mod work_budget;

/// The library of the routes of [`Server::with_routes`].
pub use axum;
/// The library of the WebSockets of such routes.
pub use tokio_tungstenite;

pub use admin::config::{AdminConfig, AdminSocket};
pub use admin::secret::{InvalidSecret, Secret};
#[cfg(any(test, fuzzing))]
pub use backlog::Waiting;
pub use browser_access::{BrowserAccess, InvalidBrowserAccess};
pub use client_address::ClientAddress;
pub use config::Config;
pub use error::{StartError, TlsError};
pub use forwarded::{ForwardedHeader, InvalidForwardedHeader};
pub use frame_ancestor::{FrameAncestor, InvalidFrameAncestor};
pub use handle::{Handle, Reloaded};
pub use host::{AllowedHost, HostName, InvalidHost};
pub use limits::Limits;
pub use network::{InvalidNetwork, Network};
pub use origin::{AllowedOrigin, InvalidOrigin, Origin};
pub use server::Server;
pub use signalling_host::{InvalidSignallingHost, SignallingHost};
pub use sockets::Sockets;
pub use tls::{
    AcmeConfig, ClientCertificates, LETS_ENCRYPT, LiveTls, TlsConfig, TlsFiles, TlsSource,
    TlsVersion, WATCH_INTERVAL,
};
pub use web::{WebConfig, WebContent, WebLimits, WebServer};
pub use websocket_upgrade::{WebSocket, WebSocketUpgrade};
pub use wigwag_hub::Policy;
pub use wigwag_hub::text::Policy as TextPolicy;
