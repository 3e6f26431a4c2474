//! RTP: what datagrams are, their headers, and what payloads begin with.

mod datagram;
mod header;
pub mod key_frame_detection;

pub(crate) use datagram::DatagramKind;
pub(crate) use header::{Header, extension};
