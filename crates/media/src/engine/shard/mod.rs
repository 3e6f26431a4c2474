//! The sessions of one thread, and all that is decided about them. No sockets and no clock.
//!
//! After anything that was done to a session its viewer is flushed: its datagrams are sent, its events emitted, its
//! deadline set. Nothing here looks at all sessions but what is about all of a publication.

mod ending;
mod receiving;
mod subscriptions;
mod viewer;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use super::budget::{Budget, Limit, UnknownSourceLimiter};
use super::candidates::HostAddresses;
use super::deadlines::Deadlines;
use super::demultiplexer::Demultiplexer;
use super::events::ViewerEvent;
use super::inbox::{Command, Inbox, ViewerRequest};
use super::port::Network;
use super::publication::{PublicationKey, Shared};
use super::statistics::count;
use super::stun::Mapping;
use super::stun_servers::{Gatherings, StunServer};
use super::{Negotiation, StatisticsReply};
use crate::frame::Frame;
use crate::ids::{StreamId, ViewerId};
use crate::session::{LimitError, Session, SessionConfig};
use subscriptions::Subscriptions;
use viewer::Viewer;

/// Viewers that are sent a frame before datagrams are read again: their reports fill the socket meanwhile.
const FAN_OUT_AT_ONCE: usize = 64;

pub(super) struct Shard {
    number: usize,
    inbox: Arc<Inbox>,
    hosts: HostAddresses,
    publications: BTreeMap<PublicationKey, Publication>,
    viewers: Slab<Viewer>,
    demultiplexer: Demultiplexer,
    deadlines: Deadlines,
    unknown_sources: UnknownSourceLimiter,
    /// Checks to where nothing came from yet.
    checks: (Budget, Limit),
    gatherings: Gatherings,
    fan_out: Option<FanOut>,
    /// The list of the last frame, empty and kept for its memory; so is that of the sessions that were due.
    frame_viewers: Vec<usize>,
    due: Vec<usize>,
    /// When events that wait are offered again.
    next_retry: Option<Instant>,
}

/// A publication that has viewers here.
struct Publication {
    shared: Arc<Shared>,
    by_id: BTreeMap<ViewerId, usize>,
    /// All viewers that have a session.
    order: Vec<usize>,
    /// Those that a frame is for.
    subscriptions: Subscriptions,
    /// Viewers whose events found no room.
    pending_events: BTreeSet<usize>,
}

/// A frame on its way to the viewers.
struct FanOut {
    publication: PublicationKey,
    frame: Arc<Frame>,
    viewers: Vec<usize>,
}

impl Shard {
    pub(super) fn new(
        number: usize,
        inbox: Arc<Inbox>,
        hosts: HostAddresses,
        checks: Limit,
        now: Instant,
    ) -> Self {
        Self {
            number,
            inbox,
            hosts,
            publications: BTreeMap::new(),
            viewers: Slab::new(),
            demultiplexer: Demultiplexer::default(),
            deadlines: Deadlines::new(now),
            unknown_sources: UnknownSourceLimiter::default(),
            checks: (Budget::default(), checks),
            gatherings: Gatherings::default(),
            fan_out: None,
            frame_viewers: Vec::new(),
            due: Vec::new(),
            next_retry: None,
        }
    }

    /// Does what was asked.
    pub(super) fn command(&mut self, command: Command, now: Instant, network: &mut impl Network) {
        match command {
            Command::Viewer {
                publication,
                viewer,
                request: ViewerRequest::Add(config, negotiation),
            } => self.add(&publication, viewer, &config, &negotiation, now, network),
            Command::Viewer {
                publication,
                viewer,
                request: ViewerRequest::Refuse,
            } => self.never_began(&publication, viewer, LimitError::TooManyViewers, now),
            Command::Viewer {
                publication,
                viewer,
                request,
            } => {
                if let Some(key) = self.key(publication.key, viewer) {
                    self.request(key, request, now);
                    self.flush_viewer(key, now, network);
                }
            }
            Command::Statistics(publication, reply) => {
                // Who asked may have stopped waiting.
                let _ = reply.send(self.statistics(publication));
            }
            Command::Close(publication, reply) => {
                self.close(publication, now, network);
                let _ = reply.send(());
            }
            Command::StunResolved(server) => self.gatherings.resolved(&server, now),
        }
    }

    /// Tells the viewers of a stream that frames were dropped before they came here.
    pub(super) fn missed(&mut self, publication: PublicationKey, stream: StreamId) {
        let publication = self.publications.get(&publication);
        let viewers = publication
            .into_iter()
            .flat_map(|publication| publication.subscriptions.of_stream(stream));
        for key in viewers {
            if let Some(viewer) = self.viewers.get_mut(key) {
                viewer.emit(ViewerEvent::KeyFrameWanted(stream));
            }
        }
    }

    /// Begins to send a frame to the viewers of its rendition.
    pub(super) fn begin_frame(&mut self, publication: PublicationKey, frame: Arc<Frame>) {
        let Some(of) = self.publications.get_mut(&publication) else {
            return;
        };
        let mut viewers = std::mem::take(&mut self.frame_viewers);
        // Taken from the end.
        of.subscriptions.next_order(frame.rendition, &mut viewers);
        self.fan_out = Some(FanOut {
            publication,
            frame,
            viewers,
        });
    }

    /// Sends the frame to some more viewers.
    pub(super) fn fan_out(&mut self, now: Instant, network: &mut impl Network) {
        for _ in 0..FAN_OUT_AT_ONCE {
            let Some(fan_out) = &mut self.fan_out else {
                return;
            };
            let Some(key) = fan_out.viewers.pop() else {
                self.frame_viewers = std::mem::take(&mut fan_out.viewers);
                self.fan_out = None;
                return;
            };
            // Its place may have been taken by somebody else meanwhile.
            if let Some(viewer) = self.viewers.get_mut(key)
                && viewer.publication.key == fan_out.publication
                && viewer.send_frame(&fan_out.frame, now)
            {
                self.flush_viewer(key, now, network);
            }
        }
    }

    /// Whether there are viewers that a frame is still to be sent to.
    pub(super) fn is_fanning_out(&self) -> bool {
        self.fan_out.is_some()
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Instant, network: &mut impl Network) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.extend(std::iter::from_fn(|| self.deadlines.pop_due(now)));
        for key in due.drain(..) {
            if let Some(viewer) = self.viewers.get_mut(key) {
                viewer.wake(now);
                self.flush_viewer(key, now, network);
            }
        }
        self.due = due;
        while let Some((server, request)) = self.gatherings.poll_transmit(now) {
            let any: IpAddr = match server {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            network.send(SocketAddr::new(any, 0), server, &request);
        }
        if self.next_retry.is_some_and(|at| at <= now) {
            self.retry(now);
        }
    }

    /// When to call [`wake`](Self::wake).
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sessions = self.deadlines.next();
        let all = [sessions, self.gatherings.deadline(), self.next_retry];
        all.into_iter().flatten().min()
    }

    fn key(&self, publication: PublicationKey, viewer: ViewerId) -> Option<usize> {
        let publication = self.publications.get(&publication)?;
        publication.by_id.get(&viewer).copied()
    }

    fn add(
        &mut self,
        shared: &Arc<Shared>,
        id: ViewerId,
        config: &SessionConfig,
        negotiation: &Negotiation,
        now: Instant,
        network: &mut impl Network,
    ) {
        let addresses = self.hosts.get(now).iter();
        let addresses: Vec<_> = addresses.filter_map(|it| network.at(*it)).collect();
        let made = match negotiation {
            Negotiation::Offer => Session::offer(config, &addresses, now),
            Negotiation::Answer { offer, preferred } => {
                Session::answer(config, offer, preferred, &addresses, now)
            }
        };
        let (session, sdp) = match made {
            Ok(made) => made,
            Err(reason) => return self.never_began(shared, id, reason, now),
        };
        let publication = self.publications.entry(shared.key);
        let publication = publication.or_insert_with(|| Publication::new(shared));
        let entry = self.viewers.vacant_entry();
        let key = entry.key();
        let routes = self.demultiplexer.add(key, session.local_ufrag());
        let viewer = Viewer::new(shared, id, session, routes, publication.order.len());
        let viewer = entry.insert(viewer);
        publication.order.push(key);
        publication.by_id.insert(id, key);
        let is_answer = matches!(negotiation, Negotiation::Answer { .. });
        viewer.emit(ViewerEvent::LocalDescription { sdp, is_answer });
        if let Some(server) = &shared.stun_server {
            self.gatherings.add_session(server, now);
            for mapping in self.gatherings.mappings(server) {
                viewer.add_reflexive_candidate(mapping, now);
            }
        }
        self.flush_viewer(key, now, network);
    }

    fn request(&mut self, key: usize, request: ViewerRequest, now: Instant) {
        let Some(viewer) = self.viewers.get_mut(key) else {
            return;
        };
        let Some(session) = &mut viewer.session else {
            return;
        };
        match request {
            // Done by `command`.
            ViewerRequest::Add(..) | ViewerRequest::Refuse => {}
            ViewerRequest::AcceptAnswer(sdp, preferred) => {
                session.handle_answer(&sdp, &preferred, now);
            }
            ViewerRequest::HandleOffer(sdp, preferred) => {
                session.handle_offer(&sdp, &preferred, now);
                // ICE may have begun again.
                let (routes, ufrag) = (&mut viewer.routes, session.local_ufrag());
                self.demultiplexer.set_ufrag(key, routes, ufrag);
            }
            ViewerRequest::SetStreams(streams) => session.set_streams(&streams, now),
            ViewerRequest::RequestKeyFrame(mid) => session.request_key_frame_of(&mid, now),
            ViewerRequest::AddCandidate(text) => session.handle_candidate(&text, now),
            ViewerRequest::Give(rendition, handover) => session.assign(rendition, handover, now),
            ViewerRequest::SetRates { current, desired } => {
                session.set_rates(current, desired, now);
            }
            ViewerRequest::Remove => session.close(now),
        }
    }

    /// Sends a session's datagrams, emits its events, and sets its deadline; removes it if
    /// it is over.
    fn flush_viewer(&mut self, key: usize, now: Instant, network: &mut impl Network) {
        let Some(viewer) = self.viewers.get_mut(key) else {
            return;
        };
        while let Some(transmit) = viewer
            .session
            .as_deref_mut()
            .and_then(Session::poll_transmit)
        {
            let destination = transmit.destination;
            let is_check = transmit.contents.starts_with(&[0, 1]);
            if is_check && !viewer.may_check(destination, &mut self.checks, now) {
                count(&self.inbox.counters.checks_withheld, 1);
                continue;
            }
            self.demultiplexer
                .add_provisional(key, &mut viewer.routes, destination, now);
            network.send(transmit.source, destination, &transmit.contents);
        }
        viewer.emit_events(now);
        let publication = viewer.publication.key;
        if let Some((before, after)) = viewer.changed_subscriptions()
            && let Some(publication) = self.publications.get_mut(&publication)
        {
            publication.subscriptions.replace(key, &before, after);
        }
        match viewer.deadline() {
            Some(deadline) => self.deadlines.set(key, deadline),
            None => self.end(key),
        }
        let waits = self.viewers.get(key).map(|viewer| viewer.events.is_empty());
        match waits {
            Some(false) => self.tell_later(key, now),
            Some(true) => self.forget_if_over(key),
            None => {}
        }
    }

    fn on_mapping(
        &mut self,
        server: &Arc<StunServer>,
        mapping: Mapping,
        now: Instant,
        network: &mut impl Network,
    ) {
        let uses = |publication: &&Publication| {
            let named = publication.shared.stun_server.as_ref();
            named.is_some_and(|named| Arc::ptr_eq(named, server))
        };
        let publications = self.publications.values().filter(uses);
        let keys: Vec<_> = publications
            .flat_map(|publication| publication.order.iter().copied())
            .collect();
        for key in keys {
            if let Some(viewer) = self.viewers.get_mut(key) {
                viewer.add_reflexive_candidate(mapping, now);
                self.flush_viewer(key, now, network);
            }
        }
    }

    fn statistics(&self, publication: PublicationKey) -> StatisticsReply {
        let publication = self.publications.get(&publication);
        let keys = publication
            .iter()
            .flat_map(|publication| &publication.order);
        keys.filter_map(|key| {
            let viewer = self.viewers.get(*key)?;
            Some((viewer.id, viewer.statistics()?))
        })
        .collect()
    }
}

impl Publication {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            by_id: BTreeMap::new(),
            order: Vec::new(),
            subscriptions: Subscriptions::default(),
            pending_events: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests;
