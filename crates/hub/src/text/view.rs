//! What whoever looks after a server sees of its connections and rooms.

use std::ops::Bound;

use wigwag_protocol::text::{PeerId, RoomName};

use super::connection_id::ConnectionId;
use super::hub::{Hub, Status};

/// A connection as it is at this moment. Texts are shared with the hub, not copied.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// The connection.
    pub connection: ConnectionId,
    /// The id under which it is registered, if it is.
    pub id: Option<PeerId>,
    /// What it is doing.
    pub activity: Activity,
}

/// What a connection is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing: it is in no session and in no room.
    None,
    /// It talks to another.
    Session {
        /// The other.
        partner: ConnectionId,
        /// Whether this one started it. Whoever called itself did.
        called: bool,
    },
    /// It is in a room.
    Room(RoomName),
}

/// A room as it is at this moment.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// Its name.
    pub name: RoomName,
    /// How many members it has.
    pub member_count: usize,
    /// Those of them that were asked for, in the order of entering.
    pub members: Vec<ConnectionId>,
}

impl Hub {
    /// The connections made after another, the eldest first; all of them after none.
    ///
    /// As any walk over a part of the hub it is only as long as its reader makes it.
    pub fn connections_after(
        &self,
        connection: Option<ConnectionId>,
    ) -> impl Iterator<Item = ConnectionView> {
        let start = connection.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.connections.range((start, Bound::Unbounded));
        behind.map(|(connection, status)| view(*connection, status))
    }

    /// One connection.
    pub fn connection(&self, connection: ConnectionId) -> Option<ConnectionView> {
        let status = self.connections.get(&connection)?;
        Some(view(connection, status))
    }

    /// The rooms whose names come after a text in the order of their bytes, all of them after none; of each at most
    /// so many members.
    pub fn rooms_after(
        &self,
        name: Option<&str>,
        members: usize,
    ) -> impl Iterator<Item = RoomView> {
        let behind = self.rooms.after(name);
        behind.map(move |(name, inside)| RoomView {
            name: name.clone(),
            member_count: inside.len(),
            members: inside
                .values()
                .take(members)
                .map(|member| member.connection)
                .collect(),
        })
    }

    /// The room of a name, with all its members.
    pub fn room(&self, name: &str) -> Option<RoomView> {
        let (name, inside) = self.rooms.find(name)?;
        Some(RoomView {
            name: name.clone(),
            member_count: inside.len(),
            members: inside.values().map(|member| member.connection).collect(),
        })
    }
}

fn view(connection: ConnectionId, status: &Status) -> ConnectionView {
    ConnectionView {
        connection,
        id: status.id().cloned(),
        activity: match status {
            Status::Unregistered | Status::Idle { .. } => Activity::None,
            Status::InSession {
                partner, called, ..
            } => Activity::Session {
                partner: *partner,
                called: *called,
            },
            Status::InRoom { room, .. } => Activity::Room(room.clone()),
        },
    }
}
