//! The signalling server as a pure state machine: who is connected, and who talks to whom.
//!
//! This page is about the JSON protocol; the text protocol has a state machine of its own in [`text`].
//!
//! No sockets, no clock, no threads. Whoever owns a [`Hub`] tells it of connections, messages and
//! disconnections; the hub answers, at once and in order, through an [`Outbox`].
//!
//! # Contract
//!
//! * [`Hub::connect`] when a connection is up, with who pays for what it holds, [`Hub::handle`] or [`Hub::relay`] for each of its messages in the
//!   order of arrival, [`Hub::disconnect`] once when it is gone, for whatever reason.
//! * What the hub puts into the outbox during one call must reach the queue of each peer in that
//!   order, and before what it puts there during the next call. An owner with several threads keeps
//!   its lock until the outbox has taken everything.
//! * The outbox must not block and must not call the hub.
//! * When `handle` returns a [`Violation`], the peer is to be disconnected, with the violation's text
//!   as the reason; the state of the hub is as if the message had not come.
//! * Calls for a peer that is gone do nothing: a message may be on its way when the owner gives up
//!   on the peer.

mod hub;
mod limits;
mod list;
mod outbox;
mod peer;
mod registry;
mod sessions;
mod shares;
pub mod text;
mod view;

pub use hub::{Hub, Relay};
pub use limits::{Full, Policy, Violation};
pub use list::List;
pub use outbox::Outbox;
pub use shares::{Exceeded, Network, Payer, Room, Shares};
pub use view::{PeerView, SessionView};
pub use wigwag_protocol::json;
