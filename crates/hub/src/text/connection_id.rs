//! How the hub of the text protocol names connections.

use std::fmt;

/// A connection, registered or not. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Its place in the order of connecting.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The connection of a number, which may be none or gone.
impl From<u64> for ConnectionId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
