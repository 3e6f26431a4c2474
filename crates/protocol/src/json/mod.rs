//! The JSON protocol: one object a WebSocket text message, told apart by its member `type`.
//!
//! A client sends [`ClientMessage`]s and receives [`ServerMessage`]s; the server speaks first, with
//! [`ServerMessage::Welcome`].
//!
//! Reading is as strict as the reference implementation (names are case-sensitive, numbers are not
//! strings, unknown members are ignored), because real clients were tested against that. Writing is
//! exact too: optional members of server messages are written as `null`, never left out, because
//! clients index them without asking.
//!
//! # Versions
//!
//! Version 1.1 adds [`ClientMessage::SetProtocolVersion`] and the two `endSessionV1_1` messages, which
//! carry the reason of an end. A peer that never chooses speaks 1.0, and must not be sent a 1.1
//! message: GStreamer clients stop at a type they do not know.

mod client_message;
mod id;
mod malformed;
mod meta;
mod peer_message;
mod relayed_message;
mod roles;
mod server_message;

pub use client_message::{ClientMessage, PeerStatus, ProtocolVersion};
pub use id::{PeerId, SessionId};
pub use malformed::{MalformedKind, MalformedMessage};
pub use meta::{InvalidMeta, MAX_META_DEPTH, Meta};
pub use peer_message::{PeerMessage, PeerMessageBody, SessionDescription};
pub use relayed_message::RelayedMessage;
pub use roles::{Role, Roles};
pub use server_message::{ListedPeer, PeerStatusChange, ServerMessage};
