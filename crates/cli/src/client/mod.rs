//! How the commands that speak to a server reach it.

mod connect;
#[cfg(any(feature = "list", feature = "load"))]
mod signalling;
mod target;

pub(crate) use connect::Way;
#[cfg(any(feature = "list", feature = "load"))]
pub(crate) use signalling::Connection;
pub(crate) use target::{Protocol, Target};
