//! The text protocol (HELLO, SESSION, ROOM) as a pure state machine: who is connected, who talks to whom,
//! and who is in which room.
//!
//! It has nothing to do with the JSON protocol's [`Hub`](crate::Hub): peers of the one do not meet those of
//! the other.
//!
//! # Contract
//!
//! * [`Hub::connect`] when a connection is up, [`Hub::handle`] for each of its messages in the order of
//!   arrival, [`Hub::disconnect`] once when it is gone, for whatever reason.
//! * What the hub puts into the [`Outbox`] during one call must reach the queue of each connection in that
//!   order, and before what it puts there during the next call. An owner with several threads keeps its lock
//!   until the outbox has taken everything.
//! * The outbox must not block and must not call the hub.
//! * When `handle` returns a [`Violation`], the connection is to be closed with the violation's text as the
//!   reason, and then to be disconnected; the state of the hub is as if the message had not come.
//! * A connection that the hub hands to [`Outbox::close`] is gone for the hub already.
//! * Calls for a connection that is gone do nothing.
//! * The hub knows no time. That a connection says HELLO at all is for its owner to watch over.
//!
//! # Rules
//!
//! A session has two members until one of them disconnects; then the other is closed as well, and has to
//! connect and register again. Being called is not announced: the called peer's first sign is what the
//! caller sends. A room exists while it has members. Whoever enters is told who is there, and everyone there
//! that somebody entered, so that by the convention of newcomers offering no two members offer to each other.

mod connection_id;
mod hub;
mod limits;
mod outbox;
mod rooms;
mod view;

pub use connection_id::ConnectionId;
pub use hub::{Hub, Incoming};
pub use limits::{Full, Policy, Violation};
pub use outbox::Outbox;
pub use view::{Activity, ConnectionView, RoomView};
pub use wigwag_protocol::text::{PeerId, Refusal, RoomName, ServerMessage};
