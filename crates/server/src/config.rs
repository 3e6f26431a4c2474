//! What a server is told at its start.

use wigwag_hub::{Policy, text};

use crate::limits::Limits;
use crate::tls::TlsConfig;

/// How to run a [`Server`](crate::Server).
#[derive(Clone, Debug)]
pub struct Config {
    /// Address or name to listen on; an IPv6 address with or without brackets.
    pub host: String,
    /// TCP port; 0 lets the system choose one.
    pub port: u16,
    /// A TCP port for the text protocol alone, at any path, besides `/text` on the port above; 0 lets the
    /// system choose one.
    pub text_port: Option<u16>,
    /// Serves `wss` and `https` instead of `ws` and `http`.
    pub tls: Option<TlsConfig>,
    /// Limits of connections.
    pub limits: Limits,
    /// Limits and choices of the JSON protocol.
    pub policy: Policy,
    /// Limits of the text protocol.
    pub text_policy: text::Policy,
}

/// The reference's address and port, without TLS.
impl Default for Config {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8443,
            text_port: None,
            tls: None,
            limits: Limits::default(),
            policy: Policy::default(),
            text_policy: text::Policy::default(),
        }
    }
}
