//! The rules of the text protocol.

use std::collections::{BTreeMap, HashMap};

use wigwag_protocol::text::{
    Command, Hello, IdleCommand, InvalidHello, PeerId, Refusal, RoomCommand, RoomName,
    ServerMessage,
};

use super::connection_id::ConnectionId;
use super::limits::{Full, Policy, Violation};
use super::outbox::Outbox;
use super::rooms::{Member, Place, Rooms};
use crate::shares::{Exceeded, Payer, Room, Shares};

/// The connections that an address may have however full the hub is.
const PEERS_FLOOR: usize = 4;

/// Who is connected, who talks to whom, and who is in which room. The module's page has the contract.
#[derive(Debug, Default)]
pub struct Hub {
    policy: Policy,
    next_connection: u64,
    pub(super) connections: BTreeMap<ConnectionId, Status>,
    ids: HashMap<PeerId, ConnectionId>,
    pub(super) rooms: Rooms,
    sessions: usize,
    /// Who pays for each connection, and what they hold of them.
    payers: HashMap<ConnectionId, Payer>,
    shares: Shares,
}

/// A message of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message. Only the partner in a session knows what to make of it.
    Binary,
}

/// What a connection is doing.
#[derive(Clone, Debug)]
pub(super) enum Status {
    Unregistered,
    Idle {
        id: PeerId,
    },
    InSession {
        id: PeerId,
        partner: ConnectionId,
        /// Whether this one started it.
        called: bool,
    },
    InRoom {
        id: PeerId,
        room: RoomName,
        place: Place,
    },
}

impl Status {
    pub(super) fn id(&self) -> Option<&PeerId> {
        match self {
            Self::Unregistered => None,
            Self::Idle { id } | Self::InSession { id, .. } | Self::InRoom { id, .. } => Some(id),
        }
    }
}

impl Hub {
    /// An empty hub.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Changes what is allowed from now on. What there is stays, even if it is more than that.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Whether [`connect`](Self::connect) would fail for everybody.
    pub fn is_full(&self) -> bool {
        self.connections.len() >= self.policy.max_peers
    }

    /// Connections now, registered or not.
    pub fn peer_count(&self) -> usize {
        self.connections.len()
    }

    /// Rooms with members now.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Sessions running now.
    pub fn session_count(&self) -> usize {
        self.sessions
    }

    /// The id under which a connection is registered.
    pub fn peer_id(&self, connection: ConnectionId) -> Option<&PeerId> {
        self.connections.get(&connection)?.id()
    }

    /// Takes a new connection. `payer` is charged for it and for the rooms that it opens. It speaks first.
    ///
    /// # Errors
    ///
    /// The hub is full, or the share of the payer is.
    pub fn connect(&mut self, payer: Payer) -> Result<ConnectionId, Full> {
        let room = Room {
            limit: self.policy.max_peers,
            per_address: self.policy.max_peers_per_address,
            floor: PEERS_FLOOR,
        };
        match self.shares.exceeded(payer, 1, room) {
            None => self.shares.add(payer, 1),
            Some(Exceeded::Table) => return Err(Full::Peers { limit: room.limit }),
            Some(Exceeded::Share(limit)) => return Err(Full::PeersOfAddress { limit }),
        }
        let connection = ConnectionId::from(self.next_connection);
        self.next_connection += 1;
        self.payers.insert(connection, payer);
        self.connections.insert(connection, Status::Unregistered);
        Ok(connection)
    }

    /// Takes a message from a connection.
    ///
    /// # Errors
    ///
    /// The connection is to be closed for this reason.
    pub fn handle<O: Outbox>(
        &mut self,
        from: ConnectionId,
        incoming: Incoming<'_>,
        out: &mut O,
    ) -> Result<(), Violation> {
        // The copies are of counted texts.
        let done = match (self.connections.get(&from), incoming) {
            (None, _) => Ok(()),
            (Some(Status::InSession { partner, .. }), _) => {
                out.relay(*partner);
                Ok(())
            }
            (Some(Status::Unregistered), Incoming::Binary) => {
                return Err(Violation::InvalidProtocol);
            }
            (Some(_), Incoming::Binary) => Err(Refusal::Binary.into()),
            (Some(Status::Unregistered), Incoming::Text(text)) => self.register(from, text, out),
            (Some(Status::Idle { id }), Incoming::Text(text)) => {
                let id = id.clone();
                self.handle_idle(from, &id, text, out)
            }
            (Some(Status::InRoom { id, room, .. }), Incoming::Text(text)) => {
                self.handle_in_room(from, id, room, text, out)
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(Objection::Refusal(refusal)) => {
                out.send(from, ServerMessage::Error(refusal));
                Ok(())
            }
            Err(Objection::Violation(violation)) => Err(violation),
        }
    }

    /// Forgets a connection: its partner is closed, the members of its room are told.
    pub fn disconnect<O: Outbox>(&mut self, connection: ConnectionId, out: &mut O) {
        match self.forget(connection) {
            None | Some(Status::Unregistered | Status::Idle { .. }) => {}
            Some(Status::InSession { partner, .. }) => {
                self.sessions -= 1;
                // Whoever called itself is gone already.
                if self.forget(partner).is_some() {
                    out.close(partner);
                }
            }
            Some(Status::InRoom { id, room, place }) => {
                self.rooms.leave(&room, place);
                let others = self.rooms.members(&room).map(|member| member.connection);
                out.broadcast(others, ServerMessage::RoomPeerLeft(id));
            }
        }
    }

    fn forget(&mut self, connection: ConnectionId) -> Option<Status> {
        let status = self.connections.remove(&connection)?;
        if let Some(payer) = self.payers.remove(&connection) {
            self.shares.remove(payer, 1);
        }
        if let Some(id) = status.id() {
            self.ids.remove(id);
        }
        Some(status)
    }

    fn register<O: Outbox>(
        &mut self,
        from: ConnectionId,
        text: &str,
        out: &mut O,
    ) -> Result<(), Objection> {
        let hello = match Hello::read(text) {
            Ok(hello) => hello,
            Err(InvalidHello::NoId) => return Err(Refusal::MissingArgument(Command::Hello).into()),
            Err(_) => return Err(Violation::InvalidProtocol.into()),
        };
        self.check_length(hello.id)?;
        let id = PeerId::new(hello.id).ok_or(Violation::InvalidPeerId)?;
        if self.ids.contains_key(&id) {
            return Err(Violation::InvalidPeerId.into());
        }
        self.ids.insert(id.clone(), from);
        self.connections.insert(from, Status::Idle { id });
        out.send(from, ServerMessage::Hello);
        Ok(())
    }

    fn handle_idle<O: Outbox>(
        &mut self,
        from: ConnectionId,
        id: &PeerId,
        text: &str,
        out: &mut O,
    ) -> Result<(), Objection> {
        match IdleCommand::read(text)? {
            IdleCommand::Session { callee } => self.start_session(from, id, callee, out),
            IdleCommand::Room { name } => self.enter_room(from, id, name, out),
            _ => Ok(()),
        }
    }

    fn start_session<O: Outbox>(
        &mut self,
        from: ConnectionId,
        id: &PeerId,
        callee: &str,
        out: &mut O,
    ) -> Result<(), Objection> {
        let called = self.find(callee)?;
        let Some(Status::Idle { id: callee }) = self.connections.get(&called).cloned() else {
            return Err(Refusal::PeerBusy(callee.to_owned()).into());
        };
        for (connection, id, partner) in [(called, callee, from), (from, id.clone(), called)] {
            let status = Status::InSession {
                id,
                partner,
                called: connection == from,
            };
            self.connections.insert(connection, status);
        }
        self.sessions += 1;
        out.send(from, ServerMessage::SessionOk);
        Ok(())
    }

    fn enter_room<O: Outbox>(
        &mut self,
        from: ConnectionId,
        id: &PeerId,
        name: &str,
        out: &mut O,
    ) -> Result<(), Objection> {
        self.check_length(name)?;
        let room = RoomName::new(name).ok_or_else(|| Refusal::InvalidRoom(name.to_owned()))?;
        let member = Member {
            connection: from,
            id: id.clone(),
        };
        let payer = self.payers.get(&from).copied().unwrap_or(Payer::NOBODY);
        let place = self
            .rooms
            .enter(&room, member, payer, &self.policy)
            .map_err(|full| Refusal::Full(full.to_string()))?;
        out.send(
            from,
            ServerMessage::RoomOk {
                others: self.others(&room, from),
            },
        );
        let others = self.rooms.others(&room, from);
        out.broadcast(
            others.map(|member| member.connection),
            ServerMessage::RoomPeerJoined(id.clone()),
        );
        let id = id.clone();
        self.connections
            .insert(from, Status::InRoom { id, room, place });
        Ok(())
    }

    fn handle_in_room<O: Outbox>(
        &self,
        from: ConnectionId,
        id: &PeerId,
        room: &RoomName,
        text: &str,
        out: &mut O,
    ) -> Result<(), Objection> {
        match RoomCommand::read(text)? {
            RoomCommand::PeerMessage { to, text } => {
                let told = self.find(to)?;
                match self.connections.get(&told) {
                    Some(Status::InRoom { room: theirs, .. }) if theirs == room => {
                        out.send(told, ServerMessage::RoomPeerMessage { from: id, text });
                        Ok(())
                    }
                    _ => Err(Refusal::PeerNotInRoom(to.to_owned()).into()),
                }
            }
            RoomCommand::PeerList => {
                let others = self.others(room, from);
                out.send(from, ServerMessage::RoomPeerList { others });
                Ok(())
            }
            _ => Err(Refusal::AlreadyInRoom.into()),
        }
    }

    fn find(&self, id: &str) -> Result<ConnectionId, Objection> {
        if let Some(connection) = self.ids.get(id) {
            return Ok(*connection);
        }
        self.check_length(id)?;
        Err(Refusal::PeerNotFound(id.to_owned()).into())
    }

    fn others(&self, room: &RoomName, but: ConnectionId) -> Vec<PeerId> {
        let others = self.rooms.others(room, but);
        others.map(|member| member.id.clone()).collect()
    }

    /// An error repeats the name that it is about, so that none may be long.
    fn check_length(&self, name: &str) -> Result<(), Violation> {
        if name.len() > self.policy.max_id_bytes {
            return Err(Violation::NameTooLong {
                bytes: name.len(),
                limit: self.policy.max_id_bytes,
            });
        }
        Ok(())
    }
}

/// Why a message is not followed.
#[derive(Debug)]
enum Objection {
    /// It is answered.
    Refusal(Refusal),
    /// Its connection is closed.
    Violation(Violation),
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Violation> for Objection {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}
