//! Lines in the log about proxies that the settings do not fit, each once: every request would cause one.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was said already.
#[derive(Debug, Default)]
pub(crate) struct ProxyWarnings {
    undeclared: AtomicBool,
    unnamed: AtomicBool,
}

impl ProxyWarnings {
    /// A program on this machine brings requests of others, and is not among the trusted proxies.
    pub(crate) fn undeclared(&self, proxy: IpAddr) {
        if !self.undeclared.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %proxy,
                "a proxy on this machine that is not in trusted_proxies brings requests: all its clients share the limits \
                 of one address; name it there (trusted_proxies, --trusted-proxy)"
            );
        }
    }

    /// A trusted proxy does not say whose request it brings, or not so that it can be read.
    pub(crate) fn unnamed(&self, proxy: IpAddr) {
        if !self.unnamed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %proxy,
                "a trusted proxy does not name the client of a request: such clients share the limits of its address; have \
                 it write the header that forwarded_header names"
            );
        }
    }
}
