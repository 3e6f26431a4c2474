//! Which viewers of a publication a frame is for.
//!
//! A viewer is entered under the rendition that it is sent and under the one that it switches to: a frame of any other
//! does not visit it.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{RenditionId, StreamId};

/// The viewers of a publication by rendition. They are named by their keys in the shard.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    by_rendition: BTreeMap<RenditionId, Subscribers>,
}

#[derive(Debug, Default)]
struct Subscribers {
    viewers: Vec<usize>,
    /// The place of each.
    places: HashMap<usize, usize>,
    /// Where the last frame began.
    first: usize,
}

impl Subscriptions {
    /// Enters a viewer under these renditions in the place of those before.
    pub(super) fn replace(&mut self, viewer: usize, before: &[RenditionId], now: &[RenditionId]) {
        for rendition in before.iter().filter(|it| !now.contains(it)) {
            if let Some(subscribers) = self.by_rendition.get_mut(rendition) {
                subscribers.remove(viewer);
                if subscribers.viewers.is_empty() {
                    self.by_rendition.remove(rendition);
                }
            }
        }
        for rendition in now {
            self.by_rendition
                .entry(*rendition)
                .or_default()
                .insert(viewer);
        }
    }

    /// Fills a list with the viewers of a rendition in the reverse of the order in which a frame is sent. Each frame begins
    /// with another viewer, so that the last are not always the same.
    pub(super) fn next_order(&mut self, rendition: RenditionId, viewers: &mut Vec<usize>) {
        viewers.clear();
        let Some(subscribers) = self.by_rendition.get_mut(&rendition) else {
            return;
        };
        subscribers.first = (subscribers.first + 1) % subscribers.viewers.len().max(1);
        let (later, sooner) = subscribers.viewers.split_at(subscribers.first);
        viewers.extend(later.iter().rev().chain(sooner.iter().rev()));
    }

    /// The viewers of all renditions of a stream. One that switches is there twice.
    pub(super) fn of_stream(&self, stream: StreamId) -> impl Iterator<Item = usize> {
        let all = self.by_rendition.range(RenditionId::all_of(stream));
        all.flat_map(|(_, subscribers)| subscribers.viewers.iter().copied())
    }
}

impl Subscribers {
    fn insert(&mut self, viewer: usize) {
        let place = self.viewers.len();
        if *self.places.entry(viewer).or_insert(place) == place {
            self.viewers.push(viewer);
        }
    }

    fn remove(&mut self, viewer: usize) {
        let Some(place) = self.places.remove(&viewer) else {
            return;
        };
        self.viewers.swap_remove(place);
        if let Some(moved) = self.viewers.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendition(stream: u32, codec: u32) -> RenditionId {
        RenditionId {
            stream: StreamId(stream),
            codec,
            level: 0,
        }
    }

    fn order(subscriptions: &mut Subscriptions, rendition: RenditionId) -> Vec<usize> {
        let mut viewers = vec![99];
        subscriptions.next_order(rendition, &mut viewers);
        viewers.reverse();
        viewers
    }

    #[test]
    fn frame_order_rotates_and_names_subscribers_only() {
        let mut subscriptions = Subscriptions::default();
        for viewer in 0..3 {
            subscriptions.replace(viewer, &[], &[rendition(0, 0)]);
        }
        subscriptions.replace(7, &[], &[rendition(0, 1)]);
        assert_eq!(order(&mut subscriptions, rendition(0, 0)), [1, 2, 0]);
        assert_eq!(order(&mut subscriptions, rendition(0, 0)), [2, 0, 1]);
        assert_eq!(order(&mut subscriptions, rendition(0, 1)), [7]);
        assert_eq!(order(&mut subscriptions, rendition(1, 0)), []);
        let mut all: Vec<_> = subscriptions.of_stream(StreamId(0)).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 7]);
    }

    #[test]
    fn viewer_that_switches_gets_both_and_one_that_left_none() {
        let mut subscriptions = Subscriptions::default();
        let (old, new) = (rendition(0, 0), rendition(0, 1));
        for viewer in 0..3 {
            subscriptions.replace(viewer, &[], &[old]);
        }
        subscriptions.replace(0, &[old], &[old, new]);
        subscriptions.replace(0, &[old, new], &[old, new]);
        assert_eq!(order(&mut subscriptions, new), [0]);
        assert_eq!(order(&mut subscriptions, old).len(), 3);
        subscriptions.replace(0, &[old, new], &[new]);
        subscriptions.replace(2, &[old], &[]);
        assert_eq!(order(&mut subscriptions, old), [1]);
        subscriptions.replace(1, &[old], &[]);
        subscriptions.replace(0, &[new], &[]);
        assert!(subscriptions.by_rendition.is_empty());
    }
}
