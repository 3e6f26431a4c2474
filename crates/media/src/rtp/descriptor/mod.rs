//! What stands in front of the bytes of a codec in an RTP payload, and how those are divided over packets.
//!
//! Each file is one payload format. All of them read untrusted bytes: a payload that is cut short is none, never a panic, and
//! nothing is copied.

pub mod av1;
pub mod h264;
pub mod h265;
pub mod vp8;
pub mod vp9;

mod length_prefixed;
mod picture_id;

pub use length_prefixed::{LengthPrefixedUnits, MalformedUnit};
pub use picture_id::PictureId;

/// Takes a byte from the beginning of what is left.
fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, behind) = rest.split_first()?;
    *rest = behind;
    Some(*byte)
}
