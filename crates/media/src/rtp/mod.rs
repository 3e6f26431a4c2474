//! RTP: what datagrams are, their headers, and what stands in payloads.
//!
//! * [`descriptor`]: payload descriptors and structures, one file a payload format;
//! * [`key_frame_detection`]: which payloads a key frame begins with;
//! * [`nal_units`] and [`h264_sps`]: the units of H.264 and H.265 in buffers, and what parameter sets say.

mod datagram;
pub mod descriptor;
pub mod h264_sps;
mod header;
pub mod key_frame_detection;
pub mod nal_units;

pub(crate) use datagram::DatagramKind;
pub(crate) use header::{Header, extension};
