//! Who watches, and what encoders and sessions are to do for them. No clock; time comes in.
//!
//! # Contract
//!
//! * The owner reports events of viewers ([`handle_joined`](Audience::handle_joined),
//!   [`handle_renegotiated`](Audience::handle_renegotiated),
//!   [`handle_connected`](Audience::handle_connected), [`handle_estimate`](Audience::handle_estimate),
//!   [`handle_key_frame_request`](Audience::handle_key_frame_request), [`handle_switched`](Audience::handle_switched),
//!   [`handle_left`](Audience::handle_left)), of renditions ([`handle_key_frame`](Audience::handle_key_frame),
//!   [`handle_rendition_failed`](Audience::handle_rendition_failed)), and of streams that come encoded
//!   ([`handle_source_key_frame`](Audience::handle_source_key_frame)).
//! * After any call it takes all that [`poll_action`](Audience::poll_action) has and does it, and calls
//!   [`handle_timeout`](Audience::handle_timeout) at [`poll_timeout`](Audience::poll_timeout).
//! * Time never goes backwards.
//!
//! Rates are decided every [`RATE_INTERVAL`] at most, by the votes of viewers ([`vote`](crate::vote)); joins, ends and key frames are
//! acted upon at once.
//!
//! A viewer of a stream that comes encoded waits for the source's next key frame. Where that is far away, a viewer that
//! takes another codec of the stream is assigned that, transcoded, until the source's next key frame is there.
//!
//! # Cost
//!
//! What concerns one viewer looks at that viewer and its renditions only, through an index (`subscribers`). Viewers of a stream
//! are looked at together when its rates are decided, at most ten times a second, and when the stream itself changes.

mod assignment;
mod codecs;
mod key_frame_waits;
mod rates;
mod source;
mod subscribers;
mod viewer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::demand::{Handover, Policy};
use crate::ids::{Bitrate, PeerKey, RenditionId, StreamId, ViewerId};
use crate::key_frames::{KeyFrames, Requested};
use assignment::Changes;
pub use codecs::{MAX_ENCODED_CODECS, NoCodecLeft};
use key_frame_waits::KeyFrameWaits;
pub use rates::RATE_INTERVAL;
use rates::RateDecisions;
use source::Source;
pub use source::{ANSWER_TIME, PATIENCE};
use subscribers::Subscribers;
use viewer::{Watched, Watching, rendition};

/// A rendition that nobody watches any more is kept for this long: whoever comes back, or reloads a page,
/// finds it running.
pub const LINGER: Duration = Duration::from_secs(5);

/// What a stream carries, as far as rates go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRate {
    /// Follows what viewers can take.
    Adaptive,
    /// Is what it is, in every codec: audio.
    Fixed(Bitrate),
    /// Comes encoded: is what it is in this codec, and follows what viewers can take in others.
    Passed {
        /// The sender's number of it.
        codec: u32,
        /// At most.
        rate: Bitrate,
    },
}

/// What the owner is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a rendition.
    Start {
        /// The rendition to start.
        rendition: RenditionId,
        /// Its target bitrate.
        rate: Bitrate,
        /// The viewer that caused it.
        viewer: ViewerId,
    },
    /// Change the target bitrate of a rendition that was started.
    SetRate {
        /// The rendition to change.
        rendition: RenditionId,
        /// Its new target bitrate.
        rate: Bitrate,
    },
    /// Stop a rendition.
    Stop(RenditionId),
    /// Ask a rendition for a key frame.
    MakeKeyFrame(RenditionId),
    /// Send a viewer this rendition of its stream from now on.
    Assign {
        /// The viewer.
        viewer: ViewerId,
        /// The rendition that it gets.
        rendition: RenditionId,
        /// The key frame at which it switches.
        handover: Handover,
    },
    /// Let a viewer's session know its rates.
    SetRates {
        /// The viewer.
        viewer: ViewerId,
        /// The rate of all that it is sent.
        current: Bitrate,
        /// The rate that its path is probed for.
        desired: Bitrate,
    },
}

/// The viewers of one sender and the renditions that run for them.
#[derive(Debug)]
pub struct Audience {
    policy: Policy,
    /// What a viewer without an estimate can take; none if nothing is estimated at all.
    start_bitrate: Option<Bitrate>,
    streams: BTreeMap<StreamId, StreamRate>,
    sources: BTreeMap<StreamId, Source>,
    /// Codecs of streams that every viewer has one of.
    common: BTreeMap<StreamId, BTreeSet<u32>>,
    viewers: BTreeMap<ViewerId, Watching>,
    subscribers: Subscribers,
    renditions: BTreeMap<RenditionId, Rendition>,
    changes: Changes,
    decisions: RateDecisions,
    waits: KeyFrameWaits,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Rendition {
    rate: Bitrate,
    key_frames: KeyFrames,
    unwanted_since: Option<Instant>,
}

impl Audience {
    /// An audience without viewers.
    pub fn new(policy: Policy, start_bitrate: Option<Bitrate>) -> Self {
        Self {
            policy,
            start_bitrate,
            streams: BTreeMap::new(),
            sources: BTreeMap::new(),
            common: BTreeMap::new(),
            viewers: BTreeMap::new(),
            subscribers: Subscribers::default(),
            renditions: BTreeMap::new(),
            changes: Changes::default(),
            decisions: RateDecisions::default(),
            waits: KeyFrameWaits::default(),
            actions: VecDeque::new(),
        }
    }

    /// Says what a stream carries; before the first viewer of it joins.
    pub fn set_stream(&mut self, stream: StreamId, rate: StreamRate) {
        if self.streams.insert(stream, rate).is_some() {
            for viewer in self.viewers_of_stream(stream) {
                self.mark(viewer);
            }
        }
        self.sources.entry(stream).or_default();
    }

    /// Says which codecs of a stream every viewer has one of: others give way to these.
    pub fn set_common_codecs(&mut self, stream: StreamId, codecs: impl IntoIterator<Item = u32>) {
        self.common.insert(stream, codecs.into_iter().collect());
    }

    /// A viewer of a peer takes these codecs of these streams; the first of each was agreed on. Where that may not be begun, since
    /// the stream is encoded in [`MAX_ENCODED_CODECS`] already, it gets one of those.
    ///
    /// Returns whose codec had to give way and who takes no other: they have left, and the owner ends their sessions.
    ///
    /// # Errors
    ///
    /// It takes none of those; then it has not joined.
    pub fn handle_joined(
        &mut self,
        viewer: ViewerId,
        peer: PeerKey,
        taken: &[(StreamId, Vec<u32>)],
        now: Instant,
    ) -> Result<Vec<ViewerId>, NoCodecLeft> {
        let mut watching = Watching::new(peer, taken);
        let left = self.choose_codecs(&mut watching)?;
        self.viewers.insert(viewer, watching);
        self.mark(viewer);
        self.assign(Some(viewer), now);
        Ok(left)
    }

    /// A viewer that is there takes these codecs of these streams from now on. Of what it takes still, it gets what it got; streams
    /// that it takes for the first time are as those of a viewer that joins.
    ///
    /// Returns whose codec had to give way and who takes no other: they have left, and the owner ends their sessions.
    ///
    /// # Errors
    ///
    /// Of a stream that is new to it, it takes no codec that may be sent; then it goes without the streams that are new to it.
    pub fn handle_renegotiated(
        &mut self,
        viewer: ViewerId,
        taken: &[(StreamId, Vec<u32>)],
        now: Instant,
    ) -> Result<Vec<ViewerId>, NoCodecLeft> {
        let Some(mut watching) = self.viewers.remove(&viewer) else {
            return Ok(Vec::new());
        };
        let find = |id: StreamId| taken.iter().find(|(taken, _)| *taken == id);
        let before: Vec<_> = watching.streams.keys().copied().collect();
        watching.streams.retain(|stream, watched| {
            let mut sent = self.sent_codecs(*stream);
            let takes = find(*stream).map(|(_, codecs)| codecs.clone());
            takes.is_some_and(|takes| watched.take(takes, &mut sent))
        });
        let is_new = |(stream, _): &&(StreamId, _)| !before.contains(stream);
        let new: Vec<_> = taken.iter().filter(is_new).cloned().collect();
        let mut new = Watching::new(watching.peer, &new);
        let chosen = self.choose_codecs(&mut new);
        if chosen.is_ok() {
            watching.streams.extend(new.streams);
        }
        let waits = watching.streams.values().any(|it| it.waits_since.is_some());
        self.viewers.insert(viewer, watching);
        self.mark(viewer);
        if waits {
            // It may have something else to get now.
            self.find_first_due();
        }
        self.assign(Some(viewer), now);
        chosen
    }

    /// Whether a viewer is there.
    pub fn has_viewer(&self, viewer: ViewerId) -> bool {
        self.viewers.contains_key(&viewer)
    }

    /// Media may flow to the viewer: from now on it has a say in rates.
    pub fn handle_connected(&mut self, viewer: ViewerId, now: Instant) {
        if let Some(watching) = self.viewers.get_mut(&viewer) {
            watching.connected = true;
            self.enter(viewer);
            self.decide_rates_if_due(now);
        }
    }

    /// What the path to a viewer can take, all its streams together.
    pub fn handle_estimate(&mut self, viewer: ViewerId, rate: Bitrate, now: Instant) {
        if let Some(watching) = self.viewers.get_mut(&viewer)
            && watching.estimate != Some(rate)
        {
            watching.estimate = Some(rate);
            self.decisions.mark(watching.streams.keys().copied());
            self.decide_rates_if_due(now);
        }
    }

    /// A viewer cannot go on without a key frame. One whose peer asks too often waits for the key frames of the
    /// others, and that is reported.
    pub fn handle_key_frame_request(
        &mut self,
        viewer: ViewerId,
        stream: StreamId,
        now: Instant,
    ) -> Requested {
        let Some(watching) = self.viewers.get(&viewer) else {
            return Requested::Accepted;
        };
        let peer = watching.peer;
        let watched = watching.streams.get(&stream);
        let Some(rendition) = watched.and_then(|watched| watched.assigned) else {
            return Requested::Accepted;
        };
        let subscribers = self.subscribers.of(rendition);
        let alone = subscribers.is_none_or(|subscribers| subscribers.are_all_of(peer));
        let Some(running) = self.renditions.get_mut(&rendition) else {
            return Requested::Accepted;
        };
        let requested = running.key_frames.request(peer, alone, now);
        self.make_key_frames(now);
        if self.is_passed(rendition) {
            self.begin_to_wait(viewer, stream, now);
        }
        requested
    }

    /// A key frame of a stream that comes encoded came.
    pub fn handle_source_key_frame(&mut self, stream: StreamId, now: Instant) {
        let Some(StreamRate::Passed { codec, .. }) = self.streams.get(&stream).copied() else {
            return;
        };
        self.sources.entry(stream).or_default().key_frame(now);
        self.end_waits(stream);
        // What was begun in the place of this key frame is not needed.
        let awaiting = self.subscribers.of(rendition(stream, codec));
        let awaiting = awaiting.map(|subscribers| subscribers.awaiting().collect());
        let awaiting: Vec<_> = awaiting.unwrap_or_default();
        let mut changed = false;
        for viewer in awaiting {
            if let Some(watched) = self.watched(viewer, stream)
                && !watched.arrived
            {
                (watched.codec, watched.arrived, watched.next) = (codec, true, None);
                self.mark(viewer);
                changed = true;
            }
        }
        if changed {
            self.assign(None, now);
        }
    }

    /// A viewer is sent this rendition from now on.
    pub fn handle_switched(&mut self, viewer: ViewerId, rendition: RenditionId, now: Instant) {
        let Some(watched) = self.watched(viewer, rendition.stream) else {
            return;
        };
        if rendition.codec == watched.codec {
            watched.arrived = true;
            if let Some(codec) = watched.next {
                self.actions.push_back(Action::Assign {
                    viewer,
                    rendition: RenditionId { codec, ..rendition },
                    handover: Handover::AwaitKeyFrame,
                });
            }
        } else if watched.next == Some(rendition.codec) {
            watched.codec = rendition.codec;
            watched.next = None;
            watched.assigned = Some(rendition);
            self.mark(viewer);
            self.assign(None, now);
        } else if let Some(assigned) = watched.assigned {
            // It was to have that, and is not any more.
            self.assign_again(viewer, assigned);
        }
    }

    /// A viewer takes these codecs of a stream, which changed: those of what it takes that can be had now, in its order. It goes
    /// to what is passed through with the next key frame of that. To be called before [`withdraw`](Self::withdraw).
    pub fn restore(&mut self, viewer: ViewerId, stream: StreamId, codecs: &[u32], now: Instant) {
        let passed = match self.streams.get(&stream) {
            Some(StreamRate::Passed { codec, .. }) => Some(*codec),
            _ => None,
        };
        let Some(watched) = self.watched(viewer, stream) else {
            return;
        };
        let is_new = |codec: &u32| codecs.contains(codec) && !watched.takes.contains(codec);
        let back = passed.filter(is_new);
        let others = watched.takes.iter().copied();
        let others = others.filter(|codec| !codecs.contains(codec));
        watched.takes = codecs.iter().copied().chain(others).collect();
        let is_waiting = watched.waits_since.is_some();
        if let Some(codec) = back {
            watched.next = Some(codec);
            if watched.arrived {
                self.actions.push_back(Action::Assign {
                    viewer,
                    rendition: rendition(stream, codec),
                    handover: Handover::AwaitKeyFrame,
                });
            }
            self.mark(viewer);
        }
        if is_waiting {
            // It may have something else to get now.
            self.find_first_due();
        }
        self.assign(None, now);
    }

    /// Codecs of a stream are of no use any more to those who watch it: each gets another that it takes. Returns who
    /// takes no other, and keeps what it has.
    pub fn withdraw(&mut self, stream: StreamId, codecs: &[u32], now: Instant) -> Vec<ViewerId> {
        let (mut left, mut stay) = (Vec::new(), Vec::new());
        let mut sent = self.sent_codecs_without(stream, codecs);
        for viewer in self.viewers_of_stream(stream) {
            let Some(watched) = self.watched(viewer, stream) else {
                continue;
            };
            let awaited = watched.next;
            if !watched.withdraw(codecs, &mut sent) {
                left.push(viewer);
            } else if awaited.is_some_and(|awaited| codecs.contains(&awaited)) {
                stay.extend(watched.assigned.map(|assigned| (viewer, assigned)));
            }
            self.mark(viewer);
        }
        self.assign(None, now);
        // Its session must not go on to what it awaits.
        for (viewer, assigned) in stay {
            let watching = self.viewers.get(&viewer);
            if watching.is_some_and(|watching| watching.is_assigned(assigned)) {
                self.assign_again(viewer, assigned);
            }
        }
        left
    }

    /// A rendition made a key frame.
    pub fn handle_key_frame(&mut self, rendition: RenditionId, now: Instant) {
        let subscribers = self.subscribers.of(rendition);
        let seen = subscribers.is_some_and(|subscribers| subscribers.has_connected());
        // One that nobody was sent, as the first of an encoder that starts, must not delay the next.
        if let Some(running) = self.renditions.get_mut(&rendition)
            && seen
        {
            running.key_frames.made(now);
        }
    }

    /// A rendition cannot be made. Who was assigned it gets another codec of the stream. Returns who takes no other: they
    /// have left, and the owner ends their sessions.
    pub fn handle_rendition_failed(
        &mut self,
        rendition: RenditionId,
        now: Instant,
    ) -> Vec<ViewerId> {
        self.renditions.remove(&rendition);
        self.mark_rendition(rendition);
        let mut left = Vec::new();
        let mut sent = self.sent_codecs_without(rendition.stream, &[rendition.codec]);
        for viewer in self.viewers_of_stream(rendition.stream) {
            let Some(watched) = self.watched(viewer, rendition.stream) else {
                continue;
            };
            let is_assigned = watched.assigned == Some(rendition);
            if !watched.withdraw(&[rendition.codec], &mut sent) && is_assigned {
                left.push(viewer);
            }
            self.mark(viewer);
        }
        for viewer in &left {
            self.forget(*viewer);
        }
        self.assign(None, now);
        left
    }

    /// The viewers that are assigned a rendition.
    pub fn viewers_of(&self, rendition: RenditionId) -> Vec<ViewerId> {
        self.subscribers.assigned(rendition).collect()
    }

    /// The codecs that already run, to be preferred where a viewer leaves the choice.
    pub fn running(&self) -> Vec<(StreamId, u32)> {
        self.renditions
            .keys()
            .map(|rendition| (rendition.stream, rendition.codec))
            .collect()
    }

    /// The rate of a rendition that runs.
    pub fn rate(&self, rendition: RenditionId) -> Option<Bitrate> {
        self.renditions.get(&rendition).map(|running| running.rate)
    }

    /// The renditions that a viewer is assigned.
    pub fn assigned(&self, viewer: ViewerId) -> Vec<RenditionId> {
        let watching = self.viewers.get(&viewer);
        let streams = watching
            .into_iter()
            .flat_map(|watching| watching.streams.values());
        streams.filter_map(|watched| watched.assigned).collect()
    }

    /// A viewer left.
    pub fn handle_left(&mut self, viewer: ViewerId, now: Instant) {
        if self.forget(viewer) {
            self.assign(None, now);
        }
    }

    /// A stream is no more: its renditions stop at once.
    pub fn remove_stream(&mut self, stream: StreamId, now: Instant) {
        self.streams.remove(&stream);
        self.sources.remove(&stream);
        for viewer in self.viewers_of_stream(stream) {
            if let Some(watching) = self.viewers.get_mut(&viewer) {
                watching.streams.remove(&stream);
            }
            self.mark(viewer);
        }
        let gone = |rendition: &RenditionId| rendition.stream == stream;
        let stopped: Vec<_> = self.renditions.keys().copied().filter(gone).collect();
        for rendition in stopped {
            self.renditions.remove(&rendition);
            self.actions.push_back(Action::Stop(rendition));
        }
        self.assign(None, now);
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let renditions = self.renditions.values().flat_map(|running| {
            let stop = running.unwanted_since.map(|since| since + LINGER);
            [running.key_frames.deadline(), stop].into_iter().flatten()
        });
        let others = [self.waits.poll_timeout(), self.decisions.poll_timeout()];
        renditions.chain(others.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.make_key_frames(now);
        self.help_those_who_wait(now);
        self.decide_rates_if_due(now);
        let over = |running: &Rendition| {
            let since = running.unwanted_since;
            since.is_some_and(|since| since + LINGER <= now)
        };
        let actions = &mut self.actions;
        self.renditions.retain(|rendition, running| {
            let stop = over(running);
            if stop {
                actions.push_back(Action::Stop(*rendition));
            }
            !stop
        });
    }

    fn make_key_frames(&mut self, now: Instant) {
        for (rendition, running) in &mut self.renditions {
            if running.key_frames.due(now) {
                self.actions.push_back(Action::MakeKeyFrame(*rendition));
                if let Some(source) = self.sources.get_mut(&rendition.stream) {
                    source.asked(now);
                }
            }
        }
    }

    fn watched(&mut self, viewer: ViewerId, stream: StreamId) -> Option<&mut Watched> {
        self.viewers.get_mut(&viewer)?.streams.get_mut(&stream)
    }

    fn is_passed(&self, rendition: RenditionId) -> bool {
        let rate = self.streams.get(&rendition.stream);
        matches!(rate, Some(StreamRate::Passed { codec, .. }) if *codec == rendition.codec)
    }
}

#[cfg(test)]
mod tests;
