//! The configuration of a server.

use wigwag_hub::{Policy, text};

use crate::admin::config::{AdminConfig, AdminSocket};
use crate::forwarded::ForwardedHeader;
use crate::frame_ancestor::FrameAncestor;
use crate::host::AllowedHost;
use crate::limits::Limits;
use crate::network::Network;
use crate::origin::AllowedOrigin;
use crate::signalling_host::SignallingHost;
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
    /// Serves the admin API on a port of its own.
    pub admin: Option<AdminConfig>,
    /// Serves the admin API at a Unix socket, for programs of this machine.
    pub admin_socket: Option<AdminSocket>,
    /// Limits of connections.
    pub limits: Limits,
    /// Limits and choices of the JSON protocol.
    pub policy: Policy,
    /// Limits of the text protocol.
    pub text_policy: text::Policy,
    /// Pages from which browsers may connect, besides those of the host that they ask for, at any port, and those of
    /// the machine that the browser runs on. What is no browser does not say where it comes from, and always may.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Names by which browsers may ask for the server, besides addresses, `localhost`, the names of this machine and
    /// those in the certificate.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Pages of other origins that may show the server's own page in a frame.
    pub frame_ancestors: Vec<FrameAncestor>,
    /// Hosts of signalling servers that the server's own page may use besides its own, when a link names them; for others it
    /// asks a person first.
    pub signalling_hosts: Vec<SignallingHost>,
    /// Proxies that say truly whose requests they bring. Logs and limits are then of the client's address.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say it.
    pub forwarded_header: ForwardedHeader,
    /// Clients that may read `/metrics`.
    pub metrics_from: Vec<Network>,
}

/// The reference's address and port, without TLS; for browsers on pages of the same host, with no proxy, and metrics for
/// this machine only.
impl Default for Config {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8443,
            text_port: None,
            tls: None,
            admin: None,
            admin_socket: None,
            limits: Limits::default(),
            policy: Policy::default(),
            text_policy: text::Policy::default(),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            frame_ancestors: Vec::new(),
            signalling_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            metrics_from: Network::loopback().into(),
        }
    }
}
