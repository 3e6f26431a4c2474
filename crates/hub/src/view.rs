//! What whoever looks after a server sees of its peers and sessions, and may do to them.

use wigwag_protocol::json::{Meta, PeerId, ProtocolVersion, Roles, SessionId};

use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::sessions::Session;

/// A peer as it is at this moment. Texts are shared with the hub, not copied.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Its place in the order of connecting; never used twice.
    pub number: u64,
    /// Its id.
    pub id: PeerId,
    /// The roles that it took.
    pub roles: Roles,
    /// What it says of itself.
    pub meta: Option<Meta>,
    /// The version of the protocol that it chose.
    pub version: ProtocolVersion,
    /// How many sessions it takes part in.
    pub sessions: usize,
}

/// A session as it is at this moment.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its place in the order of starting; never used twice.
    pub number: u64,
    /// Its id.
    pub id: SessionId,
    /// Who sends media.
    pub producer: PeerId,
    /// Who receives it.
    pub consumer: PeerId,
    /// Which of the two started it.
    pub caller: PeerId,
}

impl Hub {
    /// The peers that connected after the one of a number, the eldest first; all of them if there is none.
    ///
    /// As any walk over a part of the hub it is only as long as its reader makes it.
    pub fn peers_after(&self, number: Option<u64>) -> impl Iterator<Item = PeerView> {
        let behind = self.connected.after(number);
        behind.filter_map(|(_, id)| self.peer(id.as_str()))
    }

    /// The peer of an id.
    pub fn peer(&self, id: &str) -> Option<PeerView> {
        let (id, peer) = self.peers.get_key_value(id)?;
        Some(PeerView {
            number: peer.as_connected?,
            id: id.clone(),
            roles: peer.roles,
            meta: peer.meta.clone(),
            version: peer.version,
            sessions: peer.sessions.produced.len() + peer.sessions.consumed.len(),
        })
    }

    /// The sessions that started after the one of a number, the eldest first; all of them if there is none.
    pub fn sessions_after(&self, number: Option<u64>) -> impl Iterator<Item = SessionView> {
        let behind = self.sessions.after(number);
        behind.map(|(id, session)| view(id, session))
    }

    /// The session of an id.
    pub fn session(&self, id: &str) -> Option<SessionView> {
        let (id, session) = self.sessions.find(id)?;
        Some(view(id, session))
    }

    /// The id of a session that is running, by its number.
    pub fn session_id(&self, number: u64) -> Option<&SessionId> {
        self.sessions.id_of(number)
    }

    /// Ends a session in nobody's name: both members are told as if the other had ended it. Returns whether there
    /// was one.
    pub fn terminate_session<O: Outbox>(
        &mut self,
        id: &SessionId,
        reason: Option<String>,
        out: &mut O,
    ) -> bool {
        let Some(session) = self.forget_session(id) else {
            return false;
        };
        self.tell_end(&session.consumer, id, reason.clone(), out);
        // Whoever called itself is told once.
        if session.producer != session.consumer {
            self.tell_end(&session.producer, id, reason, out);
        }
        true
    }
}

fn view(id: &SessionId, session: &Session) -> SessionView {
    SessionView {
        number: session.number,
        id: id.clone(),
        producer: session.producer.clone(),
        consumer: session.consumer.clone(),
        caller: session.caller().clone(),
    }
}
