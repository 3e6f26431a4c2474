//! The settings of the admin API.

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
}

/// The port beside the server's usual one, on the loopback interface.
impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8445,
            token: None,
        }
    }
}
