//! Viewers that count what they get and show nothing: for tests, and for load. No part of what sends or receives media for
//! users.
//!
//! [`Receiver`] is one viewer without sockets or clock; [`Receivers`] runs many of them on one thread, each
//! with sockets of its own, as real ones have.
//!
//! Connectivity checks and DTLS are always real. With [`Counting::Decrypted`], so is all else: str0m
//! decrypts packets, and asks for those that are missing. With [`Counting::Headers`] it never sees them: they are
//! counted by what stands in clear, and reported on as browsers do, at a fraction of the cost.

mod agreed;
mod arrivals;
mod counter;
mod drops;
mod header_receiver;
mod headers;
mod keys;
mod receiver;
mod reception;
mod report;
pub mod rtcp;
mod session_receiver;
mod settings;
mod socket;
mod srtcp;
mod thread;

pub use counter::StreamReport;
pub use receiver::Receiver;
pub use report::{ReceiverError, ReceiverReport};
pub use settings::{Counting, ReceiverSettings, VideoCodec};
pub use thread::{MAX_ADDRESSES, ReceiverId, Receivers};
pub use wigwag_media::ids::StreamKind;
