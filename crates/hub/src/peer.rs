//! What the hub knows of one peer.

use wigwag_protocol::json::{Meta, PeerStatus, ProtocolVersion, Roles};

use crate::registry::Place;
use crate::sessions::SessionsOfPeer;
use crate::shares::Payer;

#[derive(Debug)]
pub(crate) struct Peer {
    /// Who pays for it, its meta and the sessions that it starts.
    pub(crate) payer: Payer,
    pub(crate) roles: Roles,
    pub(crate) meta: Option<Meta>,
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
    pub(crate) fn new(payer: Payer) -> Self {
        Self {
            payer,
            roles: Roles::default(),
            meta: None,
            spoke: false,
            version: ProtocolVersion::default(),
            sessions: SessionsOfPeer::default(),
            as_connected: None,
            as_producer: None,
            as_consumer: None,
            as_listener: None,
        }
    }

    /// Whether `status` says what is known already, so that nothing is to be done. (The reference announces it again
    /// where the peer's id is missing in it.)
    pub(crate) fn has_status(&self, status: &PeerStatus) -> bool {
        self.roles == status.roles && self.meta == status.meta
    }
}
