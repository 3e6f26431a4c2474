//! At what rates renditions run, by what viewers can take, and what is reported to their sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Action, Audience, StreamRate, Watched, Watching, rendition};
use crate::demand::{self, Bitrate, RenditionId, StreamId, Viewer};
use crate::vote;

/// Rates are decided this often at most, however often viewers report. A fall waits for no longer.
pub const RATE_INTERVAL: Duration = Duration::from_millis(100);

/// An encoder is given a new rate if it differs by more than this, in percent: each change costs it some
/// of its rate control's memory.
const WORTHWHILE_PERCENT: u64 = 3;

/// A viewer's path is tried for this much more than is sent, in percent, so that the rate can rise.
const WISH_PERCENT: u64 = 150;

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
    /// What viewers of these streams can take changed.
    pub(super) fn handle_rates_changed(
        &mut self,
        streams: impl IntoIterator<Item = StreamId>,
        now: Instant,
    ) {
        self.decisions.changed.extend(streams);
        self.decide_rates_if_due(now);
    }

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
        let changed = std::mem::take(&mut decisions.changed);
        self.decide_rates(vote_changes, &changed, now);
    }

    /// Decides the rates of renditions that run, of these streams or of all.
    fn decide_rates(&mut self, all: bool, streams: &BTreeSet<StreamId>, now: Instant) {
        let mut takers = self.takers();
        takers.retain(|taker| all || streams.contains(&taker.stream));
        let vote_changes_at = self.update_votes(&mut takers, now);
        // What is not looked at now stays as it was.
        let before = self.decisions.vote_changes_at.filter(|_| !all);
        self.decisions.vote_changes_at = [before, vote_changes_at].into_iter().flatten().min();
        let demand = demand::demand(&self.policy, takers);
        for (rendition, wanted) in demand.renditions {
            let rate = self.rate_of(rendition, wanted);
            if let Some(running) = self.renditions.get_mut(&rendition)
                && is_worthwhile(running.rate, rate)
            {
                running.rate = rate;
                self.actions.push_back(Action::SetRate { rendition, rate });
            }
        }
        self.tell_rates();
    }

    /// Lets viewers leave the vote, and return. Returns when the next does, if nothing else changes.
    fn update_votes(&mut self, takers: &mut [Viewer], now: Instant) -> Option<Instant> {
        let mut votes: BTreeMap<RenditionId, Vec<Bitrate>> = BTreeMap::new();
        for taker in &*takers {
            let votes = votes.entry(taker.rendition()).or_default();
            votes.extend(taker.vote(&self.policy));
        }
        let medians = votes.iter_mut();
        let medians = medians.map(|(rendition, votes)| (*rendition, vote::median(votes)));
        let medians: BTreeMap<_, _> = medians.collect();
        let policy = self.policy;
        let mut next: Option<Instant> = None;
        for taker in takers {
            let median = medians.get(&taker.rendition()).copied().flatten();
            let Some(watched) = self.watched(taker.id, taker.stream) else {
                continue;
            };
            let rate = policy.limited(taker.usable.unwrap_or(policy.max_bitrate));
            match median {
                // It is not connected yet.
                Some(_) if !taker.votes && watched.voter.votes() => continue,
                Some(median) => watched.voter.handle_vote(rate, median, now),
                // Who voted has left.
                None => watched.voter = vote::Voter::default(),
            }
            taker.votes = watched.voter.votes();
            let timeouts = [next, watched.voter.poll_timeout()];
            next = timeouts.into_iter().flatten().min();
        }
        next
    }

    /// What each viewer can take of each stream it watches. One that is not connected votes only where nobody is: to answer
    /// an offer costs nothing.
    pub(super) fn takers(&self) -> Vec<Viewer> {
        let mut takers = Vec::new();
        let connected = self.viewers.values().filter(|watching| watching.connected);
        let served: BTreeSet<_> = connected.flat_map(Watching::renditions).collect();
        for (id, watching) in &self.viewers {
            let is_adaptive = |(stream, watched): &(&StreamId, &Watched)| {
                self.fixed_rate_of(rendition(**stream, watched.codec))
                    .is_none()
            };
            let adaptive = watching.streams.iter().filter(is_adaptive).count() as u64;
            let fixed = self.fixed_rate(watching);
            let estimate = watching.estimate.or(self.start_bitrate);
            let usable = estimate.map(|estimate| demand::usable(estimate, fixed, 0));
            for (stream, watched) in &watching.streams {
                takers.push(Viewer {
                    id: *id,
                    stream: *stream,
                    codec: watched.codec,
                    // Streams of one viewer share its path alike.
                    usable: usable.map(|usable| usable / adaptive.max(1)),
                    votes: watched.voter.votes()
                        && (watching.connected
                            || !served.contains(&rendition(*stream, watched.codec))),
                });
            }
        }
        takers
    }

    pub(super) fn rate_of(&self, rendition: RenditionId, wanted: Bitrate) -> Bitrate {
        self.fixed_rate_of(rendition).unwrap_or(wanted)
    }

    /// None if it follows what viewers can take.
    fn fixed_rate_of(&self, rendition: RenditionId) -> Option<Bitrate> {
        match self.streams.get(&rendition.stream)? {
            StreamRate::Fixed(rate) => Some(*rate),
            StreamRate::Passed { codec, rate } if *codec == rendition.codec => Some(*rate),
            StreamRate::Passed { .. } | StreamRate::Adaptive => None,
        }
    }

    fn fixed_rate(&self, watching: &Watching) -> Bitrate {
        let rates = watching
            .streams
            .iter()
            .filter_map(|(stream, watched)| self.fixed_rate_of(rendition(*stream, watched.codec)));
        rates.sum()
    }

    /// Lets each session know what it is sent, and how far to try its path.
    pub(super) fn tell_rates(&mut self) {
        let mut reported = Vec::new();
        for (viewer, watching) in &self.viewers {
            let (mut current, mut desired) = (0, 0);
            for rendition in watching
                .streams
                .values()
                .filter_map(|watched| watched.given)
            {
                let running = self.renditions.get(&rendition);
                let rate = running.map_or(0, |running| running.rate);
                current += rate;
                desired += match self.fixed_rate_of(rendition) {
                    None => {
                        // An estimate must exceed the rate by what is left unused.
                        let wish = rate * WISH_PERCENT / 100;
                        wish.min(self.policy.max_bitrate * 10 / 9).max(rate)
                    }
                    Some(_) => rate,
                };
            }
            if watching.reported != Some((current, desired)) {
                reported.push((*viewer, current, desired));
            }
        }
        for (viewer, current, desired) in reported {
            if let Some(watching) = self.viewers.get_mut(&viewer) {
                watching.reported = Some((current, desired));
            }
            self.actions.push_back(Action::SetRates {
                viewer,
                current,
                desired,
            });
        }
    }
}

fn is_worthwhile(before: Bitrate, after: Bitrate) -> bool {
    before.abs_diff(after) * 100 > before * WORTHWHILE_PERCENT
}
