//! Peers that share a role, in the order in which they took it.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use wigwag_protocol::json::PeerId;

/// A place in a [`Registry`]. Never used twice.
pub(crate) type Place = u64;

/// Peers in the order of registration, so that lists come out in that order and the first producer
/// of a list is always the eldest.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    next_place: Place,
    peers: BTreeMap<Place, PeerId>,
}

impl Registry {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.values()
    }

    /// Those behind a place, with their own; all of them behind none.
    pub(crate) fn after(&self, place: Option<Place>) -> impl Iterator<Item = (Place, &PeerId)> {
        let start = place.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.peers.range((start, Bound::Unbounded));
        behind.map(|(place, peer)| (*place, peer))
    }

    /// Those whose places are in a range.
    pub(crate) fn between(&self, places: Range<Place>) -> impl Iterator<Item = &PeerId> {
        self.peers.range(places).map(|(_, peer)| peer)
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Makes `registered` match `wanted`: a peer that keeps its role keeps its place.
    pub(crate) fn update(&mut self, peer: &PeerId, registered: &mut Option<Place>, wanted: bool) {
        match (*registered, wanted) {
            (None, true) => {
                *registered = Some(self.next_place);
                self.peers.insert(self.next_place, peer.clone());
                self.next_place += 1;
            }
            (Some(place), false) => {
                self.peers.remove(&place);
                *registered = None;
            }
            _ => {}
        }
    }
}
