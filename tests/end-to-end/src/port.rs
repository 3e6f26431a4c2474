//! Free TCP ports on the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

// Below the range from which the kernel serves outgoing connections: none of those can take the
// port between our check and the server's start, nor can our own probe connect to itself.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on, different with each call.
pub(crate) fn free() -> Result<u16> {
    // Test programs that run side by side begin far apart.
    let offset = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .map(|_| offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port on 127.0.0.1")
}
