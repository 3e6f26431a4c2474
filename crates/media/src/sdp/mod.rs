//! Session descriptions (RFC 8866) as WebRTC has them (RFC 9429): their lines, and what sections say of formats, of simulcast and
//! of the peer's end of the transport. What follows from two of them is negotiated elsewhere.

pub(crate) mod description;
pub(crate) mod format;
mod h264_profile;
pub(crate) mod payload_types;
pub(crate) mod remote_description;
pub(crate) mod simulcast;

pub use description::{
    Description, MAX_DESCRIPTION_BYTES, MAX_DESCRIPTION_SECTIONS, Malformed, Section,
};
