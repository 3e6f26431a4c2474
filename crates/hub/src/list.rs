//! The answers to `list` and `listConsumers`, as slices that are written once.
//!
//! A list may be long, is the same for all who ask, and changes a little at a time: of the peers, so many together have
//! a slice of text, which is kept until one of them comes, changes or goes.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use wigwag_protocol::json::{ListedPeer, PeerId, Role, ServerMessage};

use crate::peer::Peer;
use crate::registry::{Place, Registry};

/// The places that share a slice.
const PLACES: u64 = 64;

/// Peers of a role, and the text of their list.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    registry: Registry,
    /// By place, divided by [`PLACES`]; none of them is empty.
    slices: BTreeMap<u64, Slice>,
}

#[derive(Debug, Default)]
struct Slice {
    peers: usize,
    text: Option<Bytes>,
}

/// A list at this moment.
#[derive(Debug)]
pub struct List<'a> {
    role: Role,
    listed: &'a mut Listed,
    peers: &'a HashMap<PeerId, Peer>,
}

impl Listed {
    pub(crate) fn len(&self) -> usize {
        self.registry.len()
    }

    /// Makes `registered` match `wanted`; what the list says of the peer is out of date.
    pub(crate) fn update(&mut self, peer: &PeerId, registered: &mut Option<Place>, wanted: bool) {
        let before = *registered;
        self.registry.update(peer, registered, wanted);
        if let (Some(place), None) = (before, *registered)
            && let Some(slice) = self.slices.get_mut(&(place / PLACES))
        {
            slice.peers -= 1;
            if slice.peers == 0 {
                self.slices.remove(&(place / PLACES));
            }
        }
        if let (None, Some(place)) = (before, *registered) {
            self.slices.entry(place / PLACES).or_default().peers += 1;
        }
        if let Some(place) = before.or(*registered)
            && let Some(slice) = self.slices.get_mut(&(place / PLACES))
        {
            slice.text = None;
        }
    }
}

impl<'a> List<'a> {
    pub(crate) fn new(
        role: Role,
        listed: &'a mut Listed,
        peers: &'a HashMap<PeerId, Peer>,
    ) -> Self {
        Self {
            role,
            listed,
            peers,
        }
    }

    /// The list as a message.
    pub fn message(&self) -> ServerMessage {
        let peers = self.listed.registry.iter();
        let peers = peers.filter_map(|id| listed(self.peers, id)).collect();
        match self.role {
            Role::Consumer => ServerMessage::ListConsumers { consumers: peers },
            Role::Producer | Role::Listener => ServerMessage::List { producers: peers },
        }
    }

    /// The same as JSON, in slices: those of lists that are equal in a part share that part.
    pub fn slices(&mut self) -> Vec<Bytes> {
        let head: &[u8] = match self.role {
            Role::Consumer => br#"{"type":"listConsumers","consumers":["#,
            Role::Producer | Role::Listener => br#"{"type":"list","producers":["#,
        };
        let Listed { registry, slices } = &mut *self.listed;
        let mut list = Vec::with_capacity(2 * slices.len() + 2);
        list.push(Bytes::from_static(head));
        for (number, slice) in slices {
            if list.len() > 1 {
                list.push(Bytes::from_static(b","));
            }
            let text = slice.text.get_or_insert_with(|| {
                let places = number * PLACES..(number + 1) * PLACES;
                write(self.peers, registry.between(places)).into()
            });
            list.push(text.clone());
        }
        list.push(Bytes::from_static(b"]}"));
        list
    }
}

fn listed(peers: &HashMap<PeerId, Peer>, id: &PeerId) -> Option<ListedPeer> {
    Some(ListedPeer {
        id: id.clone(),
        meta: peers.get(id)?.meta.clone(),
    })
}

fn write<'a>(peers: &HashMap<PeerId, Peer>, ids: impl Iterator<Item = &'a PeerId>) -> String {
    let mut text = String::new();
    for peer in ids.filter_map(|id| listed(peers, id)) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&peer.to_json());
    }
    text
}
