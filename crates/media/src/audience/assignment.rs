//! Which rendition each viewer is assigned, and which renditions run for that.
//!
//! Each change marks its viewer; [`Audience::assign`] looks at those that are marked and at the renditions that they had or
//! are to have, and at no others.

use std::collections::BTreeSet;
use std::time::Instant;

use super::viewer::rendition;
use super::{Action, Audience, Rendition, StreamRate};
use crate::demand::Handover;
use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::key_frames::KeyFrames;

/// What changed since assignments were made.
#[derive(Debug, Default)]
pub(super) struct Changes {
    viewers: BTreeSet<ViewerId>,
    /// Renditions of which somebody was assigned or awaits one more, or one less.
    renditions: BTreeSet<RenditionId>,
}

impl Audience {
    /// Has a viewer looked at when assignments are made next.
    pub(super) fn mark(&mut self, viewer: ViewerId) {
        self.changes.viewers.insert(viewer);
    }

    /// Has a rendition looked at when assignments are made next.
    pub(super) fn mark_rendition(&mut self, rendition: RenditionId) {
        self.changes.renditions.insert(rendition);
    }

    /// Removes a viewer. Returns whether it was there.
    pub(super) fn forget(&mut self, viewer: ViewerId) -> bool {
        let Some(mut watching) = self.viewers.remove(&viewer) else {
            return false;
        };
        let entered = &watching.entered;
        let renditions = entered.assigned.iter().chain(&entered.awaited).copied();
        self.changes.renditions.extend(renditions);
        self.changes.viewers.remove(&viewer);
        self.decisions
            .mark(entered.assigned.iter().map(|rendition| rendition.stream));
        self.subscribers.remove(viewer, &mut watching);
        true
    }

    /// Enters a viewer among the subscribers as it is now.
    pub(super) fn enter(&mut self, viewer: ViewerId) {
        let Some(watching) = self.viewers.get_mut(&viewer) else {
            return;
        };
        let before = watching.entered.clone();
        if self.subscribers.update(viewer, watching) {
            let after = &watching.entered;
            for entry in [&before, after] {
                let renditions = entry.assigned.iter().chain(&entry.awaited);
                self.changes.renditions.extend(renditions.copied());
            }
        }
        self.decisions.mark(watching.streams.keys().copied());
    }

    /// Assigns renditions to the viewers that are marked, starts those that are missing, and lets those linger that nobody
    /// is assigned any more.
    pub(super) fn assign(&mut self, newcomer: Option<ViewerId>, now: Instant) {
        let viewers = std::mem::take(&mut self.changes.viewers);
        for viewer in &viewers {
            self.enter(*viewer);
        }
        let mut reported = viewers.clone();
        let renditions = std::mem::take(&mut self.changes.renditions);
        // Those that nobody is assigned any more make room for those that start.
        for rendition in &renditions {
            if let Some(running) = self.renditions.get_mut(rendition) {
                match self.subscribers.of(*rendition) {
                    Some(_) => running.unwanted_since = None,
                    None => {
                        running.unwanted_since.get_or_insert(now);
                    }
                }
            }
        }
        for rendition in renditions {
            if self.renditions.contains_key(&rendition) {
                continue;
            }
            let Some(subscribers) = self.subscribers.of(rendition) else {
                continue;
            };
            let newcomer = newcomer.filter(|viewer| subscribers.contains(*viewer));
            if let Some(viewer) = newcomer.or_else(|| subscribers.first()) {
                self.start(rendition, viewer);
                reported.extend(self.subscribers.assigned(rendition));
            }
        }
        for viewer in &viewers {
            self.assign_to(*viewer);
        }
        self.report_rates(&reported);
        if self.viewers.is_empty() {
            return self.decisions.forget_changes();
        }
        self.decide_rates_if_due(now);
    }

    fn start(&mut self, rendition: RenditionId, viewer: ViewerId) {
        self.make_room_for(rendition);
        let rate = self.initial_rate(rendition);
        let running = Rendition {
            rate,
            key_frames: KeyFrames::new(),
            unwanted_since: None,
        };
        self.renditions.insert(rendition, running);
        self.actions.push_back(Action::Start {
            rendition,
            rate,
            viewer,
        });
    }

    fn initial_rate(&mut self, rendition: RenditionId) -> Bitrate {
        if let Some(rate) = self.fixed_rate_of(rendition) {
            return rate;
        }
        match self.subscribers.of(rendition) {
            Some(subscribers) if subscribers.count() > 0 => {
                let takers = self.takers_of(rendition);
                self.common_rate(&takers)
            }
            // It is only awaited.
            _ => self.policy.max_bitrate,
        }
    }

    /// Has the session of a viewer switch to what it is to get.
    fn assign_to(&mut self, viewer: ViewerId) {
        let Some(watching) = self.viewers.get_mut(&viewer) else {
            return;
        };
        for (stream, watched) in &mut watching.streams {
            let rendition = rendition(*stream, watched.codec);
            if watched.assigned.replace(rendition) != Some(rendition) {
                self.actions.push_back(Action::Assign {
                    viewer,
                    rendition,
                    handover: Handover::AskForKeyFrame,
                });
            }
        }
    }

    /// Has the session of a viewer switch to this again.
    pub(super) fn assign_again(&mut self, viewer: ViewerId, rendition: RenditionId) {
        self.actions.push_back(Action::Assign {
            viewer,
            rendition,
            handover: Handover::AskForKeyFrame,
        });
    }

    /// None if its rate follows what viewers can take.
    pub(super) fn fixed_rate_of(&self, rendition: RenditionId) -> Option<Bitrate> {
        match self.streams.get(&rendition.stream)? {
            StreamRate::Fixed(rate) => Some(*rate),
            StreamRate::Passed { codec, rate } if *codec == rendition.codec => Some(*rate),
            StreamRate::Passed { .. } | StreamRate::Adaptive => None,
        }
    }

    /// The viewers that watch a stream.
    pub(super) fn viewers_of_stream(&self, stream: StreamId) -> BTreeSet<ViewerId> {
        let renditions = self.subscribers.renditions(stream);
        renditions
            .flat_map(|(rendition, _)| self.subscribers.assigned(rendition))
            .collect()
    }
}
