//! How viewers leave, and which of their events are still to be emitted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::events::ViewerEvent;
use super::super::inbox::ViewerRequest;
use super::super::port::Network;
use super::super::publication::{PublicationKey, Shared};
use super::viewer::Viewer;
use super::{Publication, Shard};
use crate::ids::ViewerId;
use crate::session::{EndReason, InternalError, LimitError, SessionError};

/// When events that found no room are offered again.
const RETRY: Duration = Duration::from_millis(10);

/// Why a viewer is ended whose commands found no room: its connection cannot be kept.
pub(super) const REFUSED: EndReason =
    EndReason::Failed(SessionError::Limit(LimitError::Overloaded));

impl Shard {
    /// Ends a viewer of which a command found no room.
    pub(in crate::engine) fn refuse(
        &mut self,
        publication: &Arc<Shared>,
        viewer: ViewerId,
        now: Instant,
        network: &mut impl Network,
    ) {
        match self.key(publication.key, viewer) {
            Some(key) => {
                if let Some(viewer) = self.viewers.get_mut(key) {
                    viewer.refused = true;
                }
                self.request(key, ViewerRequest::Remove, now);
                self.flush_viewer(key, now, network);
            }
            None => self.never_began(publication, viewer, REFUSED, now),
        }
    }

    /// The viewers of a shard that panicked. Nothing else of it is trusted.
    pub(in crate::engine) fn into_viewers(mut self) -> Vec<Viewer> {
        self.viewers.drain().collect()
    }

    /// Ends a viewer of a shard that panicked, in whose place this is.
    pub(in crate::engine) fn end_viewer_of_failed(
        &mut self,
        mut viewer: Viewer,
        now: Instant,
        network: &mut impl Network,
    ) {
        if let Some(session) = &mut viewer.session {
            // So that it need not wait for its silence.
            session.close(now);
            while let Some(transmit) = session.poll_transmit() {
                network.send(transmit.source, transmit.destination, &transmit.contents);
            }
            self.end_failed(&viewer.publication, viewer.id, now);
        } else if !viewer.events.is_empty() {
            let key = self.viewers.insert(viewer);
            self.tell_later(key, now);
        }
    }

    /// Ends a viewer because the shard panicked that was to serve it.
    pub(in crate::engine) fn end_failed(
        &mut self,
        publication: &Arc<Shared>,
        viewer: ViewerId,
        now: Instant,
    ) {
        self.never_began(publication, viewer, InternalError::ShardFailed, now);
    }

    /// Closes everything.
    pub(in crate::engine) fn stop(&mut self, now: Instant, network: &mut impl Network) {
        while let Some((publication, _)) = self.publications.first_key_value() {
            self.close(*publication, now, network);
        }
    }

    /// Tells the end of a viewer that has no session.
    pub(super) fn never_began(
        &mut self,
        shared: &Arc<Shared>,
        id: ViewerId,
        reason: impl Into<EndReason>,
        now: Instant,
    ) {
        let reason = reason.into();
        // It may have ended while the command was on its way, and that is said once.
        if !shared.remove_route(id, self.number, &self.inbox) {
            return;
        }
        let mut viewer = Viewer::without_session(shared, id);
        viewer.emit(ViewerEvent::Ended(reason));
        if !viewer.events.is_empty() {
            let key = self.viewers.insert(viewer);
            self.tell_later(key, now);
        }
    }

    /// Forgets the session of a viewer, but not its events that are still to be emitted.
    pub(super) fn end(&mut self, key: usize) {
        let Some(viewer) = self.viewers.get_mut(key) else {
            return;
        };
        if viewer.session.take().is_none() {
            return;
        }
        let (shared, id, place) = (Arc::clone(&viewer.publication), viewer.id, viewer.place);
        let subscriptions = std::mem::take(&mut viewer.subscriptions);
        self.demultiplexer.remove(key, &viewer.routes);
        self.deadlines.remove(key);
        if let Some(server) = &shared.stun_server {
            self.gatherings.remove_session(server);
        }
        if let Some(publication) = self.publications.get_mut(&shared.key) {
            publication.by_id.remove(&id);
            publication.subscriptions.replace(key, &subscriptions, &[]);
            if place < publication.order.len() {
                publication.order.swap_remove(place);
            }
            let moved = publication.order.get(place);
            if let Some(moved) = moved.and_then(|moved| self.viewers.get_mut(*moved)) {
                moved.place = place;
            }
        }
        shared.remove_route(id, self.number, &self.inbox);
    }

    pub(super) fn tell_later(&mut self, key: usize, now: Instant) {
        let Some(viewer) = self.viewers.get(key) else {
            return;
        };
        // Nobody listens any more; what was offered once is enough.
        if viewer.publication.is_closed() {
            return self.forget_if_over(key);
        }
        let publication = self.publications.entry(viewer.publication.key);
        let publication = publication.or_insert_with(|| Publication::new(&viewer.publication));
        publication.pending_events.insert(key);
        self.next_retry.get_or_insert(now + RETRY);
    }

    /// Offers the events that wait again.
    pub(super) fn retry(&mut self, now: Instant) {
        self.next_retry = None;
        let mut done = Vec::new();
        for publication in self.publications.values_mut() {
            // If there is no room for one, there is none for the next.
            while let Some(key) = publication.pending_events.first().copied() {
                let viewer = self.viewers.get_mut(key);
                if viewer.is_some_and(|viewer| !viewer.retry()) {
                    self.next_retry = Some(now + RETRY);
                    break;
                }
                publication.pending_events.remove(&key);
                done.push(key);
            }
        }
        for key in done {
            self.forget_if_over(key);
        }
    }

    /// Forgets a viewer whose events are all emitted, and its publication if it was the last here.
    pub(super) fn forget_if_over(&mut self, key: usize) {
        let over = self.viewers.get(key).filter(|it| it.session.is_none());
        let Some(publication) = over.map(|viewer| viewer.publication.key) else {
            return;
        };
        self.viewers.remove(key);
        if let Some(of) = self.publications.get_mut(&publication) {
            of.pending_events.remove(&key);
            if of.order.is_empty() && of.pending_events.is_empty() {
                self.publications.remove(&publication);
            }
        }
    }

    pub(super) fn close(&mut self, key: PublicationKey, now: Instant, network: &mut impl Network) {
        self.inbox.forget(key);
        let order = self.publications.get(&key).map(|it| it.order.clone());
        for viewer in order.into_iter().flatten() {
            self.request(viewer, ViewerRequest::Remove, now);
            self.flush_viewer(viewer, now, network);
        }
        if let Some(publication) = self.publications.remove(&key) {
            for viewer in publication.pending_events {
                self.viewers.try_remove(viewer);
            }
        }
        // Who waits for the end of this may end the process.
        network.flush();
    }
}
