//! The settings of the admin API.

use std::path::PathBuf;

use super::secret::Secret;

/// The address of the admin API, and what its requests need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Address or name to listen on; an IPv6 address with or without brackets. Without a token it must be on the
    /// loopback interface. Elsewhere it is `https` with the server's certificate, if that has one.
    pub host: String,
    /// TCP port; 0 lets the system choose one.
    pub port: u16,
    /// The token that each request has to show (`Authorization: Bearer …`, RFC 6750).
    pub token: Option<Secret>,
    /// Whether the token may cross the network without TLS; else a server without a certificate listens on the loopback
    /// interface only.
    pub allow_plaintext: bool,
}

/// A Unix socket for the admin API. What may use the file needs no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSocket {
    /// Its file, in a folder that is there. A socket that nobody listens on any more is replaced.
    pub path: PathBuf,
    /// Who may use it: `0o600` for its owner alone, `0o660` for its group as well.
    pub mode: u32,
}

impl AdminSocket {
    /// A socket for the user of the server alone.
    pub fn new(path: PathBuf) -> Self {
        Self { path, mode: 0o600 }
    }
}

/// The port beside the server's usual one, on the loopback interface.
impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8445,
            token: None,
            allow_plaintext: false,
        }
    }
}
