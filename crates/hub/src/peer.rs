//! What the hub knows of one peer.

use wigwag_protocol::json::{Meta, PeerId, PeerStatus, ProtocolVersion, Roles};

use crate::registry::Place;
use crate::sessions::SessionsOfPeer;

#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) roles: Roles,
    pub(crate) meta: Option<Meta>,
    /// Whether a status was ever accepted; see [`Peer::has_status`].
    pub(crate) declared: bool,
    /// Whether it sent a message yet: the version can only be chosen by the first.
    pub(crate) spoke: bool,
    pub(crate) version: ProtocolVersion,
    pub(crate) sessions: SessionsOfPeer,
    pub(crate) as_connected: Option<Place>,
    pub(crate) as_producer: Option<Place>,
    pub(crate) as_consumer: Option<Place>,
    pub(crate) as_listener: Option<Place>,
}

impl Peer {
    /// Whether it is in the list of producers or in that of consumers.
    pub(crate) fn is_listed(&self) -> bool {
        self.as_producer.is_some() || self.as_consumer.is_some()
    }

    /// Whether `status` is exactly what is stored, so that nothing is to be done.
    ///
    /// The reference stores the peer's id along with its first status and compares it too, and
    /// clients can see that: an equal status without the id is announced again, and one that says
    /// nothing at all is only swallowed as long as nothing was declared.
    pub(crate) fn has_status(&self, id: &PeerId, status: &PeerStatus) -> bool {
        let stored_id = self.declared.then_some(id);
        self.roles == status.roles
            && self.meta == status.meta
            && stored_id == status.peer_id.as_ref()
    }
}
