//! One viewer on its shard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::super::budget::{Budget, Limit, VIEWER_CHECKS_RESERVED, cost};
use super::super::demultiplexer::Routes;
use super::super::events::{EstimateFilter, EventQueue, ViewerEvent};
use super::super::pli_throttle::PliThrottle;
use super::super::publication::Shared;
use super::super::stun::Mapping;
use super::ending::REFUSED;
use crate::frame::Frame;
use crate::ids::{RenditionId, ViewerId};
use crate::rtp::DatagramKind;
use crate::session::{Session, SessionEvent, SessionStatistics};

pub(in crate::engine) struct Viewer {
    pub(super) publication: Arc<Shared>,
    pub(super) id: ViewerId,
    /// None once it ended; then only events are left.
    pub(super) session: Option<Box<Session>>,
    pub(super) routes: Routes,
    pub(super) events: EventQueue,
    /// Where it stands in the order of its publication.
    pub(super) place: usize,
    /// Whether it ends because a command found no room.
    pub(super) refused: bool,
    /// What it may come from, other than where it is.
    pub(super) addresses: Budget,
    /// Datagrams that were thrown away because it sent more than it may.
    pub(super) over_limit: u64,
    work: Budget,
    /// Packets of media.
    media: Budget,
    /// Checks to where nothing came from yet: what is left, how many were sent, and how many were not.
    checks: Budget,
    checks_sent: u32,
    checks_withheld: u64,
    estimates: EstimateFilter,
    key_frames: PliThrottle,
    /// What it is entered under among the subscriptions of its publication, and what that was read from.
    pub(super) subscriptions: Vec<RenditionId>,
    subscriptions_revision: Option<u32>,
}

impl Viewer {
    pub(super) fn new(
        publication: &Arc<Shared>,
        id: ViewerId,
        session: Session,
        routes: Routes,
        place: usize,
    ) -> Self {
        Self {
            // A session is large: viewers that come and go must not have it moved, or leave its place empty.
            session: Some(Box::new(session)),
            routes,
            place,
            ..Self::without_session(publication, id)
        }
    }

    pub(super) fn without_session(publication: &Arc<Shared>, id: ViewerId) -> Self {
        Self {
            publication: Arc::clone(publication),
            id,
            session: None,
            routes: Routes::default(),
            events: EventQueue::default(),
            place: 0,
            refused: false,
            addresses: Budget::default(),
            over_limit: 0,
            work: Budget::default(),
            media: Budget::default(),
            checks: Budget::default(),
            checks_sent: 0,
            checks_withheld: 0,
            estimates: EstimateFilter::default(),
            key_frames: PliThrottle::default(),
            subscriptions: Vec::new(),
            subscriptions_revision: None,
        }
    }

    pub(super) fn emit(&mut self, event: ViewerEvent) {
        // Who hears of the end may add another at once.
        if matches!(event, ViewerEvent::Ended(_)) {
            self.publication.make_room(self.id);
        }
        self.events
            .emit(self.id, event, &*self.publication.listener);
    }

    /// Offers what waits again; true if nothing waits any more.
    pub(super) fn retry(&mut self) -> bool {
        self.events.retry(self.id, &*self.publication.listener)
    }

    /// Emits what happened in the session, packets that came first.
    pub(super) fn emit_events(&mut self, now: Instant) {
        if let (Some(session), Some(packets)) = (&mut self.session, &self.publication.packets) {
            std::iter::from_fn(|| session.poll_packet()).for_each(packets);
        }
        while let Some(event) = self.session.as_deref_mut().and_then(Session::poll_event) {
            let event = match event {
                SessionEvent::Negotiated(streams) => ViewerEvent::Negotiated(streams),
                SessionEvent::Refused(streams) => ViewerEvent::Refused(streams),
                SessionEvent::Offer(sdp) => ViewerEvent::LocalDescription {
                    sdp,
                    is_answer: false,
                },
                SessionEvent::Answer(sdp) => ViewerEvent::LocalDescription {
                    sdp,
                    is_answer: true,
                },
                SessionEvent::RemoteTracks(tracks) => ViewerEvent::RemoteTracks(tracks),
                SessionEvent::LocalCandidate(candidate) => self.local_candidate(candidate),
                SessionEvent::Checked => ViewerEvent::Checked,
                SessionEvent::Connected => ViewerEvent::Connected,
                SessionEvent::Switched(rendition) => ViewerEvent::Switched(rendition),
                SessionEvent::KeyFrameWanted(stream) => {
                    if !self.key_frames.take(stream, now) {
                        continue;
                    }
                    ViewerEvent::KeyFrameWanted(stream)
                }
                SessionEvent::Estimate(estimate) => match self.estimates.take(estimate, now) {
                    Some(estimate) => ViewerEvent::Estimate(estimate),
                    None => continue,
                },
                SessionEvent::Ended(_) if self.refused => ViewerEvent::Ended(REFUSED),
                SessionEvent::Ended(reason) => ViewerEvent::Ended(reason),
            };
            self.emit(event);
        }
    }

    /// Does what is due, if anything is: a deadline may have moved away since it was set.
    pub(super) fn wake(&mut self, now: Instant) {
        if let Some(estimate) = self.estimates.due(now) {
            self.emit(ViewerEvent::Estimate(estimate));
        }
        while let Some(stream) = self.key_frames.due(now) {
            self.emit(ViewerEvent::KeyFrameWanted(stream));
        }
        if let Some(session) = &mut self.session
            && session.poll_timeout().is_some_and(|at| at <= now)
        {
            session.handle_timeout(now);
        }
    }

    /// Sends a frame, if the viewer gets its rendition; false if nothing was done.
    pub(super) fn send_frame(&mut self, frame: &Arc<Frame>, now: Instant) -> bool {
        let session = self.session.as_mut();
        session.is_some_and(|session| session.send_frame(frame, now))
    }

    /// What it is entered under among the subscriptions, and what it is to be entered under, if that changed.
    pub(super) fn changed_subscriptions(&mut self) -> Option<(Vec<RenditionId>, &[RenditionId])> {
        let session = self.session.as_ref()?;
        let revision = session.subscriptions_revision();
        if self.subscriptions_revision == Some(revision) {
            return None;
        }
        self.subscriptions_revision = Some(revision);
        let now = session.subscriptions().collect();
        let before = std::mem::replace(&mut self.subscriptions, now);
        Some((before, &self.subscriptions))
    }

    /// When to call [`wake`](Self::wake); none if the session is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let session = self.session.as_ref().filter(|it| !it.is_over())?;
        let own = session.poll_timeout()?;
        let others = [self.estimates.deadline(), self.key_frames.deadline()];
        Some(others.into_iter().flatten().fold(own, Instant::min))
    }

    /// Whether there is time for a datagram that it sent.
    pub(super) fn charge(&mut self, datagram: &[u8], now: Instant) -> bool {
        let is_media = DatagramKind::of(datagram) == DatagramKind::Rtp;
        let pays = match is_media && self.publication.packets.is_some() {
            true => self.media.take(1, Limit::MEDIA, now),
            false => self.work.take(cost(datagram), Limit::VIEWER, now),
        };
        self.over_limit += u64::from(!pays);
        pays
    }

    /// Whether a connectivity check may be sent there. `all` is what is left for the viewers of a shard.
    pub(super) fn may_check(
        &mut self,
        destination: SocketAddr,
        all: &mut (Budget, Limit),
        now: Instant,
    ) -> bool {
        let session = self.session.as_deref_mut();
        if session.is_some_and(|session| session.takes_check_at(destination)) {
            return true;
        }
        let (all, limit) = all;
        let may = self.checks.take(1, Limit::VIEWER_CHECKS, now)
            && (self.checks_sent < VIEWER_CHECKS_RESERVED || all.take(1, *limit, now));
        if may {
            self.checks_sent = self.checks_sent.saturating_add(1);
        } else {
            self.checks_withheld += 1;
        }
        may
    }

    /// What was counted, as long as it has a session.
    pub(super) fn statistics(&self) -> Option<SessionStatistics> {
        let session = self.session.as_ref()?.statistics();
        Some(SessionStatistics {
            datagrams_over_limit: self.over_limit,
            checks_withheld: self.checks_withheld,
            ..session
        })
    }

    /// Tells the viewer where it may find us, if that is new.
    pub(super) fn add_reflexive_candidate(&mut self, mapping: Mapping, now: Instant) {
        let Mapping { base, mapped } = mapping;
        // Without a NAT the host candidate says it all.
        if base == mapped {
            return;
        }
        let candidate = self
            .session
            .as_mut()
            .and_then(|session| session.add_reflexive_candidate(base, mapped, now));
        if let Some(candidate) = candidate {
            let event = self.local_candidate(candidate);
            self.emit(event);
        }
    }

    fn local_candidate(&self, candidate: String) -> ViewerEvent {
        let m_line = self
            .session
            .as_ref()
            .map(|session| session.bundle_section());
        let m_line = m_line.and_then(|section| u32::try_from(section).ok());
        ViewerEvent::LocalCandidate {
            candidate,
            m_line: m_line.unwrap_or_default(),
        }
    }
}
