//! The text protocol: HELLO, SESSION and ROOM, one command a WebSocket text message, its words apart by
//! white space.
//!
//! It is what the server and the clients among GStreamer's own WebRTC examples speak. Unlike in the JSON
//! protocol a client names itself, speaks first, and how a text is read depends on what its sender is
//! doing:
//!
//! * before anything else, [`Hello`] registers an id;
//! * an idle peer sends an [`IdleCommand`]: it calls another peer or enters a room;
//! * in a room, a [`RoomCommand`];
//! * in a session nothing is read: every message, binary ones too, goes to the partner as it is.
//!
//! The server answers with [`ServerMessage`]s. All the clients there are stop at an `ERROR`.
//!
//! White space is what Python's `str.split` takes for it, and commands are told apart by how a text
//! begins (`SESSIONS bob` calls bob), both as in the original server.

mod command;
mod hello;
mod id;
mod literal;
mod refusal;
mod server_message;
mod white_space;

pub use command::{IdleCommand, RoomCommand};
pub use hello::{Hello, InvalidHello};
pub use id::{PeerId, RoomName};
pub use refusal::{Command, Refusal};
pub use server_message::ServerMessage;
