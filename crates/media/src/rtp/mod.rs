//! RTP: what datagrams are, their headers, and what stands in payloads.
//!
//! * [`descriptor`]: payload descriptors and structures, one file a payload format;
//! * [`key_frame_detection`]: which payloads a key frame begins with;
//! * [`nal_units`] and [`h264_sps`]: the units of H.264 and H.265 in buffers, and what parameter sets say;
//! * [`payloader`] and [`depayloader`]: from frames to payloads and back, for peers without GStreamer;
//! * [`access_units`] and [`capture_clock`]: from packets that come to frames that can be published again.

pub mod access_units;
pub mod capture_clock;
mod datagram;
pub mod depayloader;
pub mod descriptor;
pub(crate) mod extension_values;
pub mod h264_sps;
mod header;
pub mod key_frame_detection;
pub mod nal_units;
pub mod payloader;
mod received_packet;

pub use datagram::DatagramKind;
pub use header::Header;
pub(crate) use header::extension;
pub use received_packet::{CaptureTime, ReceivedPacket, ReportedTime};

/// Bytes of a frame that is received, or divided into payloads, at most: more than
/// [`MAX_PACKETS_PER_FRAME`](crate::frame::MAX_PACKETS_PER_FRAME) packets of 1,000 bytes.
pub const MAX_ACCESS_UNIT_BYTES: usize = 4 << 20;
