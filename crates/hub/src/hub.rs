//! The rules of the JSON protocol.

use std::collections::HashMap;
use std::mem;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wigwag_protocol::json::{
    ClientMessage, Meta, PeerId, PeerMessage, PeerStatus, PeerStatusChange, ProtocolVersion, Role,
    Roles, ServerMessage, SessionId,
};

use crate::limits::{Full, Policy, Violation};
use crate::list::{List, Listed};
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::registry::Registry;
use crate::sessions::{Session, Sessions, Side};
use crate::shares::{Exceeded, Payer, Room, Shares};

/// What an address may hold however full the hub is: a household's peers, sessions and bytes of meta.
const PEERS_FLOOR: usize = 4;
const SESSIONS_FLOOR: usize = 8;
const META_FLOOR: usize = 1024;

/// Where a message between the members of a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay<'a> {
    /// The other member.
    pub to: &'a PeerId,
    /// The number of the session, see [`SessionView::number`](crate::SessionView::number).
    pub session: u64,
    /// Whether the other member started the session.
    pub is_answer: bool,
}

/// Who is connected, and who talks to whom. The crate's page has the contract.
#[derive(Debug)]
pub struct Hub {
    policy: Policy,
    random: StdRng,
    pub(crate) peers: HashMap<PeerId, Peer>,
    /// Every peer, in the order of connecting.
    pub(crate) connected: Registry,
    producers: Listed,
    consumers: Listed,
    listeners: Registry,
    pub(crate) sessions: Sessions,
    /// What the payers hold of the table of peers, and of the bytes of all metas.
    connections: Shares,
    metas: Shares,
}

impl Hub {
    /// An empty hub. Ids are drawn from a cryptographic generator that starts at `seed`: a server
    /// takes it from the operating system, a test repeats one.
    pub fn new(policy: Policy, seed: [u8; 32]) -> Self {
        Self {
            policy,
            random: StdRng::from_seed(seed),
            peers: HashMap::new(),
            connected: Registry::default(),
            producers: Listed::default(),
            consumers: Listed::default(),
            listeners: Registry::default(),
            sessions: Sessions::default(),
            connections: Shares::default(),
            metas: Shares::default(),
        }
    }

    /// Changes what is allowed from now on. What there is stays, even if it is more than that.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Whether [`connect`](Self::connect) would fail for everybody.
    pub fn is_full(&self) -> bool {
        self.peers.len() >= self.policy.max_peers
    }

    /// Peers connected now.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Producers connected now.
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// Passive consumers connected now.
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// Listeners connected now.
    pub fn listener_count(&self) -> usize {
        self.listeners.len()
    }

    /// Bytes of all metas together.
    pub fn meta_bytes(&self) -> usize {
        self.metas.in_all()
    }

    /// Sessions running now.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Takes a new connection, and returns its id. `payer` is charged for what it holds. The owner sends [`ServerMessage::Welcome`] with it
    /// before anything else, once it has a queue under that id.
    ///
    /// # Errors
    ///
    /// The hub is full, or the share of the payer is.
    pub fn connect(&mut self, payer: Payer) -> Result<PeerId, Full> {
        let room = Room {
            limit: self.policy.max_peers,
            per_address: self.policy.max_peers_per_address,
            floor: PEERS_FLOOR,
        };
        match self.connections.exceeded(payer, 1, room) {
            None => {}
            Some(Exceeded::Table) => return Err(Full::Peers { limit: room.limit }),
            Some(Exceeded::Share(limit)) => return Err(Full::PeersOfAddress { limit }),
        }
        let id = PeerId::from(self.random_uuid());
        let mut peer = Peer::new(payer);
        self.connections.add(payer, 1);
        self.connected.update(&id, &mut peer.as_connected, true);
        self.peers.insert(id.clone(), peer);
        Ok(id)
    }

    /// Takes a message from a peer. One for which the hub is too full is answered with an error.
    ///
    /// # Errors
    ///
    /// The peer exceeded a limit of its own and is to be disconnected.
    pub fn handle<O: Outbox>(
        &mut self,
        from: &PeerId,
        message: ClientMessage,
        out: &mut O,
    ) -> Result<(), Violation> {
        match self.follow(from, message, out) {
            Ok(()) => Ok(()),
            Err(Objection::Full(full)) => {
                let details = full.to_string();
                out.send(from, ServerMessage::Error { details });
                Ok(())
            }
            Err(Objection::Violation(violation)) => Err(violation),
        }
    }

    fn follow<O: Outbox>(
        &mut self,
        from: &PeerId,
        message: ClientMessage,
        out: &mut O,
    ) -> Result<(), Objection> {
        let Some(sender) = self.peers.get_mut(from) else {
            return Ok(());
        };
        let first = !mem::replace(&mut sender.spoke, true);
        match message {
            ClientMessage::SetProtocolVersion { version } => {
                if first {
                    sender.version = version;
                } else {
                    let details = format!(
                        "Protocol version selection for peer '{from}' must be first message"
                    );
                    out.send(from, ServerMessage::Error { details });
                }
            }
            ClientMessage::SetPeerStatus(status) => self.set_status(from, status, out)?,
            ClientMessage::StartSession { peer_id, offer } => {
                self.start_session(from, &peer_id, offer, out)?;
            }
            ClientMessage::EndSession { session_id } => {
                self.end_session(from, &session_id, None, out);
            }
            ClientMessage::EndSessionV1_1 { session_id, error } => {
                self.end_session(from, &session_id, error, out);
            }
            ClientMessage::Peer(message) => self.forward(from, message, out),
            ClientMessage::List => {
                let mut list = List::new(Role::Producer, &mut self.producers, &self.peers);
                out.send_list(from, &mut list);
            }
            ClientMessage::ListConsumers => {
                let mut list = List::new(Role::Consumer, &mut self.consumers, &self.peers);
                out.send_list(from, &mut list);
            }
        }
        Ok(())
    }

    /// Takes a `peer` message whose text can be passed on as it is, and returns where to. The same as
    /// [`handle`](Self::handle) of it, but that the owner passes it on. None if it is for no peer; then the sender has
    /// been sent an error, unless it could not know.
    pub fn relay<O: Outbox>(
        &mut self,
        from: &PeerId,
        session_id: &str,
        is_offer: bool,
        out: &mut O,
    ) -> Option<Relay<'_>> {
        self.peers.get_mut(from)?.spoke = true;
        self.partner(from, session_id, is_offer, out)
    }

    /// Whether a message of a peer belongs to a session that another one has started with it.
    pub fn is_answer(&self, from: &PeerId, message: &ClientMessage) -> bool {
        let session_id = match message {
            ClientMessage::Peer(PeerMessage { session_id, .. })
            | ClientMessage::EndSession { session_id }
            | ClientMessage::EndSessionV1_1 { session_id, .. } => session_id,
            _ => return false,
        };
        self.sessions
            .get(session_id)
            .is_some_and(|session| session.partner_of(from).is_some() && session.caller() != from)
    }

    /// Forgets a peer: its sessions end and every listener is told.
    pub fn disconnect<O: Outbox>(&mut self, id: &PeerId, out: &mut O) {
        let Some(mut peer) = self.peers.remove(id) else {
            return;
        };
        self.connected.update(id, &mut peer.as_connected, false);
        self.producers.update(id, &mut peer.as_producer, false);
        self.consumers.update(id, &mut peer.as_consumer, false);
        self.listeners.update(id, &mut peer.as_listener, false);
        self.connections.remove(peer.payer, 1);
        self.metas.remove(peer.payer, size(peer.meta.as_ref()));

        let produced = peer.sessions.produced.into_values();
        for session_id in produced.chain(peer.sessions.consumed.into_values()) {
            self.close_session(id, &session_id, None, out);
        }

        // Also for a peer that never declared anything: real listeners count on hearing of it.
        let gone = PeerStatusChange {
            roles: Roles::NONE,
            meta: peer.meta,
            peer_id: id.clone(),
        };
        out.broadcast(
            self.listeners.iter(),
            ServerMessage::PeerStatusChanged(gone),
        );
    }

    fn set_status<O: Outbox>(
        &mut self,
        from: &PeerId,
        status: PeerStatus,
        out: &mut O,
    ) -> Result<(), Objection> {
        let Some(peer) = self.peers.get_mut(from) else {
            return Ok(());
        };
        if peer.has_status(&status) {
            return Ok(());
        }
        let PeerStatus { roles, meta, .. } = status;
        let produces = roles.contains(Role::Producer);
        let consumes = roles.contains(Role::Consumer);
        if produces && consumes {
            let details =
                format!("Cannot register peer {from} as both producer and passive consumer");
            out.send(from, ServerMessage::Error { details });
            return Ok(());
        }

        let (before, after) = (size(peer.meta.as_ref()), size(meta.as_ref()));
        check_room_for_meta(&self.policy, &self.metas, peer.payer, before, after)?;

        let lost = if peer.as_producer.is_some() && !produces {
            mem::take(&mut peer.sessions.produced)
        } else if peer.as_consumer.is_some() && !consumes {
            mem::take(&mut peer.sessions.consumed)
        } else {
            Default::default()
        };
        self.producers.update(from, &mut peer.as_producer, produces);
        self.consumers.update(from, &mut peer.as_consumer, consumes);
        let listens = roles.contains(Role::Listener);
        self.listeners.update(from, &mut peer.as_listener, listens);
        peer.roles = roles;
        peer.meta.clone_from(&meta);
        self.metas.remove(peer.payer, before);
        self.metas.add(peer.payer, after);

        for session_id in lost.into_values() {
            self.close_session(from, &session_id, None, out);
        }
        let change = PeerStatusChange {
            roles,
            meta,
            peer_id: from.clone(),
        };
        out.broadcast(
            self.listeners.iter(),
            ServerMessage::PeerStatusChanged(change),
        );
        Ok(())
    }

    fn start_session<O: Outbox>(
        &mut self,
        from: &PeerId,
        to: &PeerId,
        offer: Option<String>,
        out: &mut O,
    ) -> Result<(), Objection> {
        let Some(caller) = self.peers.get(from) else {
            return Ok(());
        };
        let Some(called) = self.peers.get(to) else {
            let details = format!("Peer with ID '{to}' not found");
            out.send(from, ServerMessage::Error { details });
            return Ok(());
        };
        let may_call_consumers =
            caller.as_producer.is_some() || !self.policy.only_producers_call_consumers;
        let (producer, consumer, side) = if called.as_producer.is_some() {
            (to, from, Side::Consumer)
        } else if called.as_consumer.is_some() && may_call_consumers {
            (from, to, Side::Producer)
        } else {
            let details = format!(
                "Missing a producer or a consumer: id {from} roles {:?}, id {to} roles {:?}",
                caller.roles, called.roles
            );
            out.send(from, ServerMessage::Error { details });
            return Ok(());
        };
        let payer = caller.payer;
        self.check_room_for_session(caller)?;

        let session_id = SessionId::from(self.random_uuid());
        let number = self.sessions.start(
            session_id.clone(),
            producer.clone(),
            consumer.clone(),
            side,
            payer,
        );
        if let Some(peer) = self.peers.get_mut(producer) {
            peer.sessions.produced.insert(number, session_id.clone());
        }
        if let Some(peer) = self.peers.get_mut(consumer) {
            peer.sessions.consumed.insert(number, session_id.clone());
        }
        if let Some(peer) = self.peers.get_mut(from) {
            peer.sessions.started += 1;
        }

        // The consumer first: it must know the session before the producer's offer can arrive.
        out.send_in_session(
            consumer,
            number,
            ServerMessage::SessionStarted {
                peer_id: producer.clone(),
                session_id: session_id.clone(),
            },
        );
        // The offer goes to the producer even if the producer made it; clients know that.
        out.send_in_session(
            producer,
            number,
            ServerMessage::StartSession {
                peer_id: consumer.clone(),
                session_id,
                offer,
            },
        );
        Ok(())
    }

    fn check_room_for_session(&self, caller: &Peer) -> Result<(), Objection> {
        if caller.sessions.started >= self.policy.max_sessions_per_caller {
            return Err(Objection::Violation(Violation::TooManySessions {
                limit: self.policy.max_sessions_per_caller,
            }));
        }
        let room = Room {
            limit: self.policy.max_sessions,
            per_address: self.policy.max_sessions_per_address,
            floor: SESSIONS_FLOOR,
        };
        match self.sessions.shares().exceeded(caller.payer, 1, room) {
            None => Ok(()),
            Some(Exceeded::Table) => Err(Objection::Full(Full::Sessions { limit: room.limit })),
            Some(Exceeded::Share(limit)) => Err(Objection::Full(Full::SessionsOfAddress { limit })),
        }
    }

    fn forward<O: Outbox>(&self, from: &PeerId, message: PeerMessage, out: &mut O) {
        let session_id = message.session_id.as_str();
        if let Some(relay) = self.partner(from, session_id, message.body.is_offer(), out) {
            out.send_in_session(relay.to, relay.session, ServerMessage::Peer(message));
        }
    }

    /// Where a message of a member of a session goes. If that is nowhere, the sender gets an error, unless it could not
    /// know.
    fn partner<O: Outbox>(
        &self,
        from: &PeerId,
        session_id: &str,
        is_offer: bool,
        out: &mut O,
    ) -> Option<Relay<'_>> {
        // A session that just ended is a race, not a fault: an error would stop GStreamer clients.
        let (_, session) = self.sessions.find(session_id)?;
        let Some(partner) = session.partner_of(from) else {
            let details = format!("Peer {from} is not part of {session_id}");
            out.send(from, ServerMessage::Error { details });
            return None;
        };
        if is_offer && *from == session.consumer {
            let details = format!(
                "cannot forward offer from {from:?} to {partner:?} as {from:?} is not the producer"
            );
            out.send(from, ServerMessage::Error { details });
            return None;
        }
        Some(Relay {
            to: partner,
            session: session.number,
            is_answer: session.caller() != from,
        })
    }

    fn end_session<O: Outbox>(
        &mut self,
        from: &PeerId,
        session_id: &SessionId,
        error: Option<String>,
        out: &mut O,
    ) {
        let Some(session) = self.sessions.get(session_id) else {
            return;
        };
        if session.partner_of(from).is_none() {
            let details = format!("Peer {from} is not part of {session_id}");
            out.send(from, ServerMessage::Error { details });
            return;
        }
        self.close_session(from, session_id, error, out);
    }

    /// Ends a session that `by` is or was a member of, and tells the other member.
    fn close_session<O: Outbox>(
        &mut self,
        by: &PeerId,
        session_id: &SessionId,
        error: Option<String>,
        out: &mut O,
    ) {
        let Some(session) = self.forget_session(session_id) else {
            return;
        };
        if let Some(partner) = session.partner_of(by) {
            self.tell_end(partner, session_id, error, out);
        }
    }

    /// Takes a session out of all books, and tells nobody.
    pub(crate) fn forget_session(&mut self, session_id: &SessionId) -> Option<Session> {
        let session = self.sessions.end(session_id)?;
        if let Some(peer) = self.peers.get_mut(&session.producer) {
            peer.sessions.produced.remove(&session.number);
        }
        if let Some(peer) = self.peers.get_mut(&session.consumer) {
            peer.sessions.consumed.remove(&session.number);
        }
        if let Some(peer) = self.peers.get_mut(session.caller()) {
            peer.sessions.started -= 1;
        }
        Some(session)
    }

    /// Tells a peer, if it is there, that a session of its own is over.
    pub(crate) fn tell_end<O: Outbox>(
        &self,
        to: &PeerId,
        session_id: &SessionId,
        error: Option<String>,
        out: &mut O,
    ) {
        let Some(told) = self.peers.get(to) else {
            return;
        };
        let session_id = session_id.clone();
        let message = if told.version >= ProtocolVersion::V1_1 {
            ServerMessage::EndSessionV1_1 { session_id, error }
        } else {
            ServerMessage::EndSession { session_id }
        };
        out.send(to, message);
    }

    fn random_uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.random.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}

/// Why a message is not followed.
enum Objection {
    /// It is answered with an error.
    Full(Full),
    /// Its sender is disconnected.
    Violation(Violation),
}

/// Whether a peer may have a meta of `after` bytes in the place of one of `before`.
fn check_room_for_meta(
    policy: &Policy,
    metas: &Shares,
    payer: Payer,
    before: usize,
    after: usize,
) -> Result<(), Objection> {
    // What was let in under another policy stays, and so may become less.
    let Some(more) = after.checked_sub(before).filter(|more| *more > 0) else {
        return Ok(());
    };
    if after > policy.max_meta_bytes {
        return Err(Objection::Violation(Violation::MetaTooLarge {
            bytes: after,
            limit: policy.max_meta_bytes,
        }));
    }
    let room = Room {
        limit: policy.max_meta_bytes_in_all,
        per_address: policy.max_meta_bytes_per_address,
        floor: META_FLOOR,
    };
    match metas.exceeded(payer, more, room) {
        None => Ok(()),
        Some(Exceeded::Table) => Err(Objection::Full(Full::Meta { limit: room.limit })),
        Some(Exceeded::Share(limit)) => Err(Objection::Full(Full::MetaOfAddress { limit })),
    }
}

fn size(meta: Option<&Meta>) -> usize {
    meta.map_or(0, |meta| meta.as_json().len())
}
