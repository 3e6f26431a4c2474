//! RTP: what datagrams are, their headers, and what stands in payloads.
//!
//! * [`descriptor`]: payload descriptors and structures, one file a payload format;
//! * [`key_frame_detection`]: which payloads a key frame begins with.

mod datagram;
pub mod descriptor;
mod header;
pub mod key_frame_detection;

pub(crate) use datagram::DatagramKind;
pub(crate) use header::{Header, extension};
