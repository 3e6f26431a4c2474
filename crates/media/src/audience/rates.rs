//! At what rates renditions run, by what viewers can take, and what is reported to their sessions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::viewer::{Watched, Watching, rendition};
use super::{Action, Audience};
use crate::demand::{self, Policy, Viewer};
use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::vote;

/// Rates are decided this often at most, however often viewers report. A fall waits for no longer.
pub const RATE_INTERVAL: Duration = Duration::from_millis(100);

/// An encoder is assigned a new rate if it differs by more than this, in percent: each change costs it some
/// of its rate control's memory.
const WORTHWHILE_PERCENT: u64 = 3;

/// A viewer's path is probed for this much more than is sent, in percent, so that the rate can rise.
const PROBE_PERCENT: u64 = 150;

/// When rates were decided, and what changed since.
#[derive(Debug, Default)]
pub(super) struct RateDecisions {
    last: Option<Instant>,
    changed: BTreeSet<StreamId>,
    /// When a viewer leaves the vote or returns, if nothing else changes.
    vote_changes_at: Option<Instant>,
    /// How many there were.
    #[cfg(test)]
    pub(super) count: u32,
}

impl RateDecisions {
    /// What viewers of these streams can take changed.
    pub(super) fn mark(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        self.changed.extend(streams);
    }

    /// Nobody watches any more.
    pub(super) fn forget_changes(&mut self) {
        self.changed.clear();
        self.vote_changes_at = None;
    }

    /// When rates are to be decided next; none while nothing changes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let allowed_at = self.last.map(|last| last + RATE_INTERVAL);
        match self.changed.is_empty() {
            true => self
                .vote_changes_at
                .map(|at| allowed_at.map_or(at, |allowed| allowed.max(at))),
            // The first change is decided upon at once.
            false => allowed_at,
        }
    }
}

impl Audience {
    pub(super) fn decide_rates_if_due(&mut self, now: Instant) {
        let decisions = &mut self.decisions;
        let is_allowed = decisions
            .last
            .is_none_or(|last| last + RATE_INTERVAL <= now);
        let vote_changes = decisions.vote_changes_at.is_some_and(|at| at <= now);
        if !is_allowed || !vote_changes && decisions.changed.is_empty() {
            return;
        }
        decisions.last = Some(now);
        #[cfg(test)]
        {
            decisions.count += 1;
        }
        let mut changed = std::mem::take(&mut decisions.changed);
        if vote_changes {
            changed.extend(self.streams.keys());
        }
        self.decide_rates(&changed, vote_changes, now);
    }

    /// Decides the rates of the renditions of these streams that run.
    fn decide_rates(&mut self, streams: &BTreeSet<StreamId>, are_all: bool, now: Instant) {
        let of_stream = |stream: &StreamId| self.subscribers.renditions(*stream);
        let renditions = streams.iter().flat_map(of_stream);
        let renditions: Vec<_> = renditions.map(|(rendition, _)| rendition).collect();
        // What is not looked at now stays as it was.
        let mut vote_changes_at = self.decisions.vote_changes_at.filter(|_| !are_all);
        let mut reported = BTreeSet::new();
        for rendition in renditions {
            let mut takers = self.takers_of(rendition);
            let at = self.update_votes(&mut takers, now);
            vote_changes_at = [vote_changes_at, at].into_iter().flatten().min();
            let rate = match self.fixed_rate_of(rendition) {
                Some(rate) => rate,
                None if takers.is_empty() => continue,
                None => self.common_rate(&takers),
            };
            if let Some(running) = self.renditions.get_mut(&rendition)
                && is_worthwhile(running.rate, rate)
            {
                running.rate = rate;
                self.actions.push_back(Action::SetRate { rendition, rate });
                reported.extend(takers.iter().map(|taker| taker.id));
            }
        }
        self.decisions.vote_changes_at = vote_changes_at;
        self.report_rates(&reported);
    }

    /// Lets viewers of a rendition leave the vote, and return. Returns when the next does, if nothing else changes. The viewers
    /// are in their order.
    fn update_votes(&mut self, takers: &mut [Viewer], now: Instant) -> Option<Instant> {
        let policy = self.policy;
        let votes = takers.iter().filter_map(|taker| taker.vote(&policy));
        let median = vote::median(&mut votes.collect::<Vec<_>>());
        let mut next: Option<Instant> = None;
        let mut update = |taker: &mut Viewer, watching: &mut Watching| {
            if let Some(watched) = watching.streams.get_mut(&taker.stream) {
                let at = update_vote(taker, watched, &policy, median, now);
                next = [next, at].into_iter().flatten().min();
            }
        };
        if is_most(takers.len(), self.viewers.len()) {
            let mut takers = takers.iter_mut().peekable();
            for (viewer, watching) in &mut self.viewers {
                if let Some(taker) = takers.next_if(|taker| taker.id == *viewer) {
                    update(taker, watching);
                }
            }
        } else {
            for taker in takers {
                if let Some(watching) = self.viewers.get_mut(&taker.id) {
                    update(taker, watching);
                }
            }
        }
        next
    }

    /// The rate that the viewers of a rendition agree on.
    pub(super) fn common_rate(&self, takers: &[Viewer]) -> Bitrate {
        let votes = takers.iter().filter_map(|taker| taker.vote(&self.policy));
        demand::rate(&self.policy, &mut votes.collect::<Vec<_>>())
    }

    /// What each viewer of a rendition can take of it. One that is not connected votes only where nobody is: to answer an
    /// offer costs nothing.
    pub(super) fn takers_of(&self, of: RenditionId) -> Vec<Viewer> {
        let Some(subscribers) = self.subscribers.of(of) else {
            return Vec::new();
        };
        let count = subscribers.count();
        let mut takers = Vec::with_capacity(count);
        let mut add = |id: ViewerId, watching: &Watching| {
            let Some(watched) = watching.streams.get(&of.stream) else {
                return;
            };
            takers.push(Viewer {
                id,
                stream: of.stream,
                codec: of.codec,
                usable: self.available(watching),
                votes: watched.voter.votes()
                    && (watching.connected || !subscribers.has_connected()),
            });
        };
        if is_most(count, self.viewers.len()) {
            let is_assigned = |watching: &Watching| watching.entered.assigned.contains(&of);
            let viewers = self.viewers.iter();
            let viewers = viewers.filter(|(_, watching)| is_assigned(watching));
            viewers.for_each(|(id, watching)| add(*id, watching));
        } else {
            for id in self.subscribers.assigned(of) {
                if let Some(watching) = self.viewers.get(&id) {
                    add(id, watching);
                }
            }
        }
        takers
    }

    /// What a viewer can take of each of its streams whose rate is not fixed: they share its path in equal parts.
    fn available(&self, watching: &Watching) -> Option<Bitrate> {
        let estimate = watching.estimate.or(self.start_bitrate)?;
        let (mut fixed, mut adaptive) = (0, 0);
        for (stream, watched) in &watching.streams {
            match self.fixed_rate_of(rendition(*stream, watched.codec)) {
                Some(rate) => fixed += rate,
                None => adaptive += 1,
            }
        }
        Some(demand::usable(estimate, fixed, 0) / adaptive.max(1))
    }

    /// Lets each of these sessions know what it is sent, and how far to probe its path.
    pub(super) fn report_rates(&mut self, viewers: &BTreeSet<ViewerId>) {
        for viewer in viewers {
            let Some(watching) = self.viewers.get(viewer) else {
                continue;
            };
            let rates = self.rates_for(watching);
            let Some(watching) = self.viewers.get_mut(viewer) else {
                continue;
            };
            if watching.reported.replace(rates) != Some(rates) {
                let (current, desired) = rates;
                self.actions.push_back(Action::SetRates {
                    viewer: *viewer,
                    current,
                    desired,
                });
            }
        }
    }

    /// What a viewer is sent, and how far its path is to be probed.
    pub(super) fn rates_for(&self, watching: &Watching) -> (Bitrate, Bitrate) {
        let (mut current, mut desired) = (0, 0);
        let assigned = |watched: &Watched| watched.assigned;
        for rendition in watching.streams.values().filter_map(assigned) {
            let running = self.renditions.get(&rendition);
            let rate = running.map_or(0, |running| running.rate);
            current += rate;
            desired += match self.fixed_rate_of(rendition) {
                None => {
                    // An estimate must exceed the rate by what is left unused.
                    let target = rate * PROBE_PERCENT / 100;
                    target.min(self.policy.max_bitrate * 10 / 9).max(rate)
                }
                Some(_) => rate,
            };
        }
        (current, desired)
    }
}

/// Lets a viewer leave the vote, or return. Returns when to ask again if nothing changes.
fn update_vote(
    taker: &mut Viewer,
    watched: &mut Watched,
    policy: &Policy,
    median: Option<Bitrate>,
    now: Instant,
) -> Option<Instant> {
    let rate = policy.limited(taker.usable.unwrap_or(policy.max_bitrate));
    match median {
        // It is not connected yet.
        Some(_) if !taker.votes && watched.voter.votes() => return None,
        Some(median) => watched.voter.handle_vote(rate, median, now),
        // Who voted has left.
        None => watched.voter = vote::Voter::default(),
    }
    taker.votes = watched.voter.votes();
    watched.voter.poll_timeout()
}

/// Whether a look at all is quicker than one at each of some.
fn is_most(some: usize, all: usize) -> bool {
    some > all / 4
}

fn is_worthwhile(before: Bitrate, after: Bitrate) -> bool {
    before.abs_diff(after) * 100 > before * WORTHWHILE_PERCENT
}
