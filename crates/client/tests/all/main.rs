//! All tests of this crate that can share a process: one program, so that it is linked once.

mod failures;
mod running;
mod sessions;
mod slow_owner;
mod stopping;
mod tls;
