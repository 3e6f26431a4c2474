//! How many sessions a sink has, of all peers and of one, and which of those that are not connected yet make way for others.
//!
//! A session that nobody answers costs memory and some work until it times out, and anybody may begin one. So sessions
//! that are not connected are counted apart from viewers. Where there are too many of them a newcomer is admitted, and the one that
//! has come least far ends: a flood of calls that are never answered keeps nobody out.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use wigwag_client::PeerId;
use wigwag_media::ids::ViewerId;

/// Sessions of one peer at most.
pub(super) const MAX_SESSIONS_PER_PEER: usize = 4;

/// Sessions of one peer at most that are not connected yet.
pub(super) const MAX_CONNECTING_PER_PEER: usize = 2;

/// Sessions at most that are not connected yet. All viewers of a sink that was restarted call at once.
pub(super) const MAX_CONNECTING: usize = 256;

/// A session that began less than this ago makes way only where all others are as young: to get an offer to a viewer and
/// its answer back takes some hundred milliseconds.
pub(super) const TIME_TO_CONNECT: Duration = Duration::from_secs(2);

/// The sessions that there are. The owner calls [`handle_call`](Self::handle_call) before it adds one, reports what becomes
/// of it, and calls [`handle_end`](Self::handle_end) when it is over.
#[derive(Debug)]
pub(super) struct SessionLimits {
    /// None for no limit.
    max_viewers: Option<NonZeroUsize>,
    sessions: BTreeMap<ViewerId, Counted>,
    connected: usize,
}

#[derive(Debug)]
struct Counted {
    peer: PeerId,
    began: Instant,
    stage: Stage,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Called,
    Answered,
    Checked,
    Connected,
}

/// A session that makes way for a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Displaced {
    pub(super) viewer: ViewerId,
    pub(super) reason: DisplacedReason,
}

/// Why a session makes way; for its viewer to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DisplacedReason {
    #[error("the same peer called again before this session was connected")]
    CalledAgain,
    #[error("too many others connect at the same time; try again")]
    TooManyConnecting,
}

/// Why a session is not begun, or does not go on; for its viewer to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SessionRefused {
    #[error("there are as many viewers as may be; try again later")]
    TooManyViewers,
    #[error("this peer has {MAX_SESSIONS_PER_PEER} sessions with the sender, as many as it may")]
    TooManyOfPeer,
}

impl SessionLimits {
    pub(super) fn new(max_viewers: Option<NonZeroUsize>) -> Self {
        Self {
            max_viewers,
            sessions: BTreeMap::new(),
            connected: 0,
        }
    }

    /// A peer calls; returns which session makes way for it, which is not counted any more.
    pub(super) fn handle_call(
        &mut self,
        viewer: ViewerId,
        peer: &PeerId,
        now: Instant,
    ) -> Result<Option<Displaced>, SessionRefused> {
        if self.is_full() {
            return Err(SessionRefused::TooManyViewers);
        }
        let displaced = match self.of_peer(peer) {
            (all, connecting)
                if all >= MAX_SESSIONS_PER_PEER || connecting >= MAX_CONNECTING_PER_PEER =>
            {
                let viewer = self.least(now, |session| session.peer == *peer);
                let viewer = viewer.ok_or(SessionRefused::TooManyOfPeer)?;
                let reason = DisplacedReason::CalledAgain;
                Some(Displaced { viewer, reason })
            }
            _ if self.sessions.len() - self.connected >= MAX_CONNECTING => {
                let reason = DisplacedReason::TooManyConnecting;
                let least = self.least(now, |_| true);
                least.map(|viewer| Displaced { viewer, reason })
            }
            _ => None,
        };
        if let Some(displaced) = displaced {
            self.handle_end(displaced.viewer);
        }
        let counted = Counted {
            peer: peer.clone(),
            began: now,
            stage: Stage::Called,
        };
        self.sessions.insert(viewer, counted);
        Ok(displaced)
    }

    /// The viewer answered our offer, or made an offer itself.
    pub(super) fn handle_answer(&mut self, viewer: ViewerId) {
        self.advance(viewer, Stage::Answered);
    }

    /// A connectivity check of the viewer came.
    pub(super) fn handle_check(&mut self, viewer: ViewerId) {
        self.advance(viewer, Stage::Checked);
    }

    /// Media may flow to the viewer: it takes a place, if there is one.
    pub(super) fn handle_connection(&mut self, viewer: ViewerId) -> Result<(), SessionRefused> {
        let Some(session) = self.sessions.get(&viewer) else {
            return Ok(());
        };
        if session.stage < Stage::Connected {
            if self.is_full() {
                return Err(SessionRefused::TooManyViewers);
            }
            self.advance(viewer, Stage::Connected);
            self.connected += 1;
        }
        Ok(())
    }

    /// A session is over.
    pub(super) fn handle_end(&mut self, viewer: ViewerId) {
        let over = self.sessions.remove(&viewer);
        if over.is_some_and(|session| session.stage == Stage::Connected) {
            self.connected -= 1;
        }
    }

    fn is_full(&self) -> bool {
        let limit = self.max_viewers;
        limit.is_some_and(|limit| self.connected >= limit.get())
    }

    /// How many sessions a peer has, and how many of them are not connected.
    fn of_peer(&self, peer: &PeerId) -> (usize, usize) {
        let of_peer = self.sessions.values().filter(|it| it.peer == *peer);
        of_peer.fold((0, 0), |(all, connecting), session| {
            let is_connecting = session.stage < Stage::Connected;
            (all + 1, connecting + usize::from(is_connecting))
        })
    }

    /// Of these that are not connected, the one that has come least far; of several, the oldest.
    fn least(&self, now: Instant, counts: impl Fn(&Counted) -> bool) -> Option<ViewerId> {
        let connecting = self.sessions.iter();
        let connecting =
            connecting.filter(|(_, session)| session.stage < Stage::Connected && counts(session));
        let least = connecting.min_by_key(|(viewer, session)| {
            let age = now.saturating_duration_since(session.began);
            let is_young = age < TIME_TO_CONNECT;
            // Who answers at once must not drive out who is about to answer.
            let stage = (!is_young).then_some(session.stage);
            (is_young, stage, Reverse(age), **viewer)
        });
        least.map(|(viewer, _)| *viewer)
    }

    fn advance(&mut self, viewer: ViewerId, stage: Stage) {
        if let Some(session) = self.sessions.get_mut(&viewer) {
            session.stage = session.stage.max(stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limits(max_viewers: usize) -> SessionLimits {
        SessionLimits::new(NonZeroUsize::new(max_viewers))
    }

    fn peer(number: u64) -> PeerId {
        PeerId::from(number.to_string().as_str())
    }

    /// Calls as a peer of its own.
    fn call(limits: &mut SessionLimits, number: u64, now: Instant) -> Option<Displaced> {
        let called = limits.handle_call(ViewerId(number), &peer(number), now);
        called.expect("there is a place")
    }

    fn connect(limits: &mut SessionLimits, number: u64, now: Instant) {
        call(limits, number, now);
        let connected = limits.handle_connection(ViewerId(number));
        connected.expect("there is a place");
    }

    fn displaced(number: u64) -> Option<Displaced> {
        Some(Displaced {
            viewer: ViewerId(number),
            reason: DisplacedReason::TooManyConnecting,
        })
    }

    #[test]
    fn viewers_beyond_the_limit_are_refused_until_one_leaves() {
        let (mut limits, now) = (limits(2), Instant::now());
        connect(&mut limits, 0, now);
        connect(&mut limits, 1, now);
        let full = Err(SessionRefused::TooManyViewers);
        assert_eq!(limits.handle_call(ViewerId(2), &peer(2), now), full);
        limits.handle_end(ViewerId(2));
        limits.handle_end(ViewerId(0));
        connect(&mut limits, 3, now);
        assert_eq!(limits.handle_call(ViewerId(4), &peer(4), now), full);
    }

    #[test]
    fn last_place_goes_to_who_connects_first() {
        let (mut limits, now) = (limits(1), Instant::now());
        call(&mut limits, 0, now);
        call(&mut limits, 1, now);
        assert_eq!(limits.handle_connection(ViewerId(1)), Ok(()));
        assert_eq!(limits.handle_connection(ViewerId(1)), Ok(()), "said again");
        let full = Err(SessionRefused::TooManyViewers);
        assert_eq!(limits.handle_connection(ViewerId(0)), full);
    }

    #[test]
    fn viewers_without_a_limit_are_any_number() {
        let (mut limits, now) = (limits(0), Instant::now());
        (0..10_000).for_each(|number| connect(&mut limits, number, now));
    }

    #[test]
    fn peer_with_as_many_sessions_as_it_may_have_is_refused() {
        let (mut limits, now) = (limits(0), Instant::now());
        let mut called = |viewer| {
            let called = limits.handle_call(ViewerId(viewer), &peer(1), now);
            called.and_then(|_| limits.handle_connection(ViewerId(viewer)))
        };
        assert!((0..MAX_SESSIONS_PER_PEER as u64).all(|viewer| called(viewer).is_ok()));
        assert_eq!(called(9), Err(SessionRefused::TooManyOfPeer));
        assert_eq!(call(&mut limits, 10, now), None);
    }

    #[test]
    fn peer_that_calls_again_and_again_displaces_its_own_sessions() {
        let (mut limits, now) = (limits(0), Instant::now());
        call(&mut limits, 1_000, now);
        for number in 0..100u64 {
            let called = limits.handle_call(ViewerId(number), &peer(7), now + MS * number as u32);
            let before = number.checked_sub(MAX_CONNECTING_PER_PEER as u64);
            let displaced = before.map(|before| Displaced {
                viewer: ViewerId(before),
                reason: DisplacedReason::CalledAgain,
            });
            assert_eq!(called, Ok(displaced));
        }
        assert_eq!(limits.sessions.len(), 1 + MAX_CONNECTING_PER_PEER);
    }

    #[test]
    fn session_that_has_come_least_far_makes_way() {
        let (mut limits, mut now) = (limits(0), Instant::now());
        for number in 0..MAX_CONNECTING as u64 {
            call(&mut limits, number, now);
            now += MS;
        }
        for number in 0..MAX_CONNECTING as u64 {
            match number {
                0..9 => limits.handle_check(ViewerId(number)),
                9..20 => limits.handle_answer(ViewerId(number)),
                _ => {}
            }
        }
        now += TIME_TO_CONNECT;
        // Those who were called and said nothing, the oldest first; then who answered.
        for (place, number) in (20..MAX_CONNECTING as u64).chain([9, 10]).enumerate() {
            let newcomer = 1_000 + place as u64;
            assert_eq!(call(&mut limits, newcomer, now), displaced(number));
            limits.handle_check(ViewerId(newcomer));
        }
    }

    #[test]
    fn honest_viewer_connects_whatever_others_call() {
        // As fast as an address may call, and ten times that; they answer at once, or never.
        for (per_second, answers) in [(100, false), (100, true), (1_000, false), (1_000, true)] {
            let (mut limits, begin) = (limits(200), Instant::now());
            let mut honest = Vec::new();
            for number in 0..10 * per_second {
                let now = begin + Duration::from_secs(1) * number / per_second;
                let id = u64::from(number);
                call(&mut limits, id, now);
                if answers {
                    limits.handle_answer(ViewerId(id));
                }
                // An honest one calls each second, answers after 100 ms, and is connected after 200.
                if number % per_second == per_second / 2 {
                    let id = 1_000_000 + id;
                    call(&mut limits, id, now);
                    honest.push((id, now));
                }
                for (id, called) in &honest {
                    if now >= *called + 100 * MS {
                        limits.handle_answer(ViewerId(*id));
                    }
                    if now >= *called + 200 * MS {
                        assert!(limits.sessions.contains_key(&ViewerId(*id)));
                        assert_eq!(limits.handle_connection(ViewerId(*id)), Ok(()));
                    }
                }
                assert!(limits.sessions.len() - limits.connected <= MAX_CONNECTING);
            }
            assert_eq!(limits.connected, 10);
        }
    }
}
