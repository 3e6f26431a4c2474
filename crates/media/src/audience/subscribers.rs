//! Who is assigned each rendition, and who awaits it: an index over the viewers, so that nothing looks at all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::viewer::Watching;
use crate::ids::{PeerKey, RenditionId, StreamId, ViewerId};

/// The subscribers of all renditions.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    by_rendition: BTreeMap<RenditionId, RenditionSubscribers>,
}

/// A rendition, who is assigned it, how many of those are connected, of how many peers they are, and who awaits it.
#[cfg(test)]
pub(super) type Summary = (RenditionId, Vec<ViewerId>, usize, usize, Vec<ViewerId>);

/// The subscribers of one rendition.
#[derive(Debug, Default)]
pub(super) struct RenditionSubscribers {
    assigned: BTreeSet<ViewerId>,
    /// Those of them that are connected.
    connected: usize,
    /// How many of them each peer has.
    peers: BTreeMap<PeerKey, usize>,
    /// Viewers that go to it with its next key frame.
    awaiting: BTreeSet<ViewerId>,
}

/// What a viewer is entered under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) connected: bool,
    pub(super) assigned: Vec<RenditionId>,
    pub(super) awaited: Vec<RenditionId>,
}

impl Subscribers {
    /// The subscribers of a rendition; none if nobody is assigned or awaits it.
    pub(super) fn of(&self, rendition: RenditionId) -> Option<&RenditionSubscribers> {
        self.by_rendition.get(&rendition)
    }

    /// The viewers that are assigned a rendition, in their order.
    pub(super) fn assigned(&self, rendition: RenditionId) -> impl Iterator<Item = ViewerId> {
        let subscribers = self.of(rendition).into_iter();
        subscribers.flat_map(|subscribers| subscribers.assigned.iter().copied())
    }

    /// The renditions of a stream that somebody is assigned or awaits.
    pub(super) fn renditions(
        &self,
        stream: StreamId,
    ) -> impl Iterator<Item = (RenditionId, &RenditionSubscribers)> {
        let all = self.by_rendition.range(RenditionId::all_of(stream));
        all.map(|(rendition, subscribers)| (*rendition, subscribers))
    }

    /// Enters a viewer as it is now in the place of what it was entered under. Returns whether that differs.
    pub(super) fn update(&mut self, viewer: ViewerId, watching: &mut Watching) -> bool {
        let entry = watching.entry();
        if entry == watching.entered {
            return false;
        }
        self.remove(viewer, watching);
        for rendition in &entry.assigned {
            let subscribers = self.by_rendition.entry(*rendition).or_default();
            subscribers.assigned.insert(viewer);
            subscribers.connected += usize::from(entry.connected);
            *subscribers.peers.entry(watching.peer).or_default() += 1;
        }
        for rendition in &entry.awaited {
            let subscribers = self.by_rendition.entry(*rendition).or_default();
            subscribers.awaiting.insert(viewer);
        }
        watching.entered = entry;
        true
    }

    /// Removes a viewer.
    pub(super) fn remove(&mut self, viewer: ViewerId, watching: &mut Watching) {
        let entry = std::mem::take(&mut watching.entered);
        for rendition in &entry.assigned {
            self.change(*rendition, |subscribers| {
                subscribers.assigned.remove(&viewer);
                subscribers.connected -= usize::from(entry.connected);
                if let Some(count) = subscribers.peers.get_mut(&watching.peer) {
                    *count -= 1;
                    if *count == 0 {
                        subscribers.peers.remove(&watching.peer);
                    }
                }
            });
        }
        for rendition in &entry.awaited {
            self.change(*rendition, |subscribers| {
                subscribers.awaiting.remove(&viewer);
            });
        }
    }

    fn change(&mut self, rendition: RenditionId, change: impl FnOnce(&mut RenditionSubscribers)) {
        if let Some(subscribers) = self.by_rendition.get_mut(&rendition) {
            change(subscribers);
            if subscribers.assigned.is_empty() && subscribers.awaiting.is_empty() {
                self.by_rendition.remove(&rendition);
            }
        }
    }

    /// All of it, to be compared.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Summary> {
        let all = self.by_rendition.iter().map(|(rendition, subscribers)| {
            (
                *rendition,
                subscribers.assigned.iter().copied().collect(),
                subscribers.connected,
                subscribers.peers.len(),
                subscribers.awaiting.iter().copied().collect(),
            )
        });
        all.collect()
    }
}

impl RenditionSubscribers {
    /// One of them: the first that is assigned it, or else that awaits it.
    pub(super) fn first(&self) -> Option<ViewerId> {
        let assigned = self.assigned.first();
        assigned.or_else(|| self.awaiting.first()).copied()
    }

    /// Those that go to it with its next key frame.
    pub(super) fn awaiting(&self) -> impl Iterator<Item = ViewerId> {
        self.awaiting.iter().copied()
    }

    /// How many are assigned it.
    pub(super) fn count(&self) -> usize {
        self.assigned.len()
    }

    /// Whether one of those that are assigned it is connected.
    pub(super) fn has_connected(&self) -> bool {
        self.connected > 0
    }

    /// Whether no viewer of another peer is assigned it.
    pub(super) fn are_all_of(&self, peer: PeerKey) -> bool {
        self.peers.keys().all(|other| *other == peer)
    }

    pub(super) fn contains(&self, viewer: ViewerId) -> bool {
        self.assigned.contains(&viewer) || self.awaiting.contains(&viewer)
    }
}
