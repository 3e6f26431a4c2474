//! Values of header extensions (RFC 8285), as they stand in packets.

pub(crate) mod colour_space;
pub(crate) mod dependency_descriptor;
pub(crate) mod mid_header;
pub(crate) mod timing;
