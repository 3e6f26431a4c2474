//! Who watches, and what encoders and sessions shall do for them. No clock; time comes in.
//!
//! # Contract
//!
//! * The owner reports viewers ([`joined`](Audience::joined), [`estimate`](Audience::estimate),
//!   [`key_frame_wanted`](Audience::key_frame_wanted), [`connected`](Audience::connected),
//!   [`switched`](Audience::switched), [`left`](Audience::left)), of renditions
//!   ([`key_frame_made`](Audience::key_frame_made), [`rendition_failed`](Audience::rendition_failed)), and of streams
//!   that come encoded ([`source_key_frame`](Audience::source_key_frame)).
//! * After any call it takes all that [`poll_action`](Audience::poll_action) has and does it, and calls
//!   [`wake`](Audience::wake) at [`deadline`](Audience::deadline).
//! * Time never goes backwards.
//!
//! A viewer of a stream that comes encoded waits for the source's next key frame. Where that is far away, a viewer that
//! takes another codec of the stream is given that, transcoded, until the source's next key frame is there.

mod source;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::demand::{self, Bitrate, Handover, Policy, RenditionId, StreamId, Viewer, ViewerId};
use crate::key_frames::{KeyFrames, Requested};
use source::Source;
pub use source::{ANSWER_TIME, PATIENCE};

/// A rendition that nobody watches any more is kept for this long: whoever comes back, or reloads a page,
/// finds it running.
pub const LINGER: Duration = Duration::from_secs(5);

/// An encoder is told a new rate if it differs by more than this, in percent: each change costs it some
/// of its rate control's memory.
const WORTHWHILE_PERCENT: u64 = 3;

/// A viewer's path is tried for this much more than is sent, in percent, so that the rate can rise.
const WISH_PERCENT: u64 = 150;

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

/// What the owner shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a rendition; the viewer is the first that wants it.
    Start {
        /// Which.
        rendition: RenditionId,
        /// At what rate.
        rate: Bitrate,
        /// For whom.
        viewer: ViewerId,
    },
    /// Change the rate of one that was started.
    SetRate {
        /// Which.
        rendition: RenditionId,
        /// To what.
        rate: Bitrate,
    },
    /// Stop a rendition.
    Stop(RenditionId),
    /// Ask a rendition for a key frame.
    MakeKeyFrame(RenditionId),
    /// Let a viewer have this rendition of its stream from now on.
    Give {
        /// Who.
        viewer: ViewerId,
        /// What.
        rendition: RenditionId,
        /// How.
        handover: Handover,
    },
    /// Tell a viewer's session what it is sent, and what it would be sent if its path allowed.
    SetRates {
        /// Who.
        viewer: ViewerId,
        /// What it is sent.
        current: Bitrate,
        /// What it would be sent.
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
    viewers: BTreeMap<ViewerId, Watching>,
    renditions: BTreeMap<RenditionId, Rendition>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Watching {
    streams: BTreeMap<StreamId, Watched>,
    estimate: Option<Bitrate>,
    told: Option<(Bitrate, Bitrate)>,
    connected: bool,
}

/// A stream that a viewer watches.
#[derive(Debug)]
struct Watched {
    /// The codecs that it takes, the one agreed on first; never empty.
    takes: Vec<u32>,
    /// The codec that it gets.
    codec: u32,
    /// Whether it gets that already, not only from its next key frame on.
    arrived: bool,
    /// The codec that it goes back to with the source's next key frame.
    next: Option<u32>,
    given: Option<RenditionId>,
    /// Since when it waits for a key frame of what comes encoded.
    waits_since: Option<Instant>,
}

#[derive(Debug)]
struct Rendition {
    rate: Bitrate,
    key_frames: KeyFrames,
    unwanted_since: Option<Instant>,
}

impl Audience {
    /// Nobody watches.
    pub fn new(policy: Policy, start_bitrate: Option<Bitrate>) -> Self {
        Self {
            policy,
            start_bitrate,
            streams: BTreeMap::new(),
            sources: BTreeMap::new(),
            viewers: BTreeMap::new(),
            renditions: BTreeMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// Says what a stream carries; before the first viewer of it joins.
    pub fn set_stream(&mut self, stream: StreamId, rate: StreamRate) {
        self.streams.insert(stream, rate);
        self.sources.entry(stream).or_default();
    }

    /// A viewer takes these codecs of these streams; the first of each was agreed on.
    pub fn joined(&mut self, viewer: ViewerId, taken: &[(StreamId, Vec<u32>)], now: Instant) {
        let watched = taken.iter().filter_map(|(stream, codecs)| {
            let watched = Watched {
                takes: codecs.clone(),
                codec: *codecs.first()?,
                arrived: true,
                next: None,
                given: None,
                waits_since: None,
            };
            Some((*stream, watched))
        });
        let watching = Watching {
            streams: watched.collect(),
            estimate: None,
            told: None,
            connected: false,
        };
        self.viewers.insert(viewer, watching);
        self.decide(Some(viewer), now);
    }

    /// Media may flow to the viewer.
    pub fn connected(&mut self, viewer: ViewerId) {
        if let Some(watching) = self.viewers.get_mut(&viewer) {
            watching.connected = true;
        }
    }

    /// What the path to a viewer can take, all its streams together.
    pub fn estimate(&mut self, viewer: ViewerId, rate: Bitrate, now: Instant) {
        if let Some(watching) = self.viewers.get_mut(&viewer) {
            watching.estimate = Some(rate);
            self.decide(None, now);
        }
    }

    /// A viewer cannot go on without a key frame. One that asks too often waits for the key frames of the
    /// others, and that is told.
    pub fn key_frame_wanted(
        &mut self,
        viewer: ViewerId,
        stream: StreamId,
        now: Instant,
    ) -> Requested {
        let given = |watching: &Watching| watching.streams.get(&stream)?.given;
        let Some(rendition) = self.viewers.get(&viewer).and_then(given) else {
            return Requested::Accepted;
        };
        let is_other =
            |(id, other): (&ViewerId, &Watching)| *id != viewer && given(other) == Some(rendition);
        let alone = !self.viewers.iter().any(is_other);
        let Some(running) = self.renditions.get_mut(&rendition) else {
            return Requested::Accepted;
        };
        let requested = running.key_frames.request(viewer, alone, now);
        self.make_key_frames(now);
        if self.is_passed(rendition)
            && let Some(watched) = self.watched(viewer, stream)
        {
            watched.waits_since.get_or_insert(now);
            self.help_those_who_wait(now);
        }
        requested
    }

    /// A key frame of a stream that comes encoded came.
    pub fn source_key_frame(&mut self, stream: StreamId, now: Instant) {
        let Some(StreamRate::Passed { codec, .. }) = self.streams.get(&stream).copied() else {
            return;
        };
        self.sources.entry(stream).or_default().key_frame(now);
        let mut changed = false;
        for watching in self.viewers.values_mut() {
            let Some(watched) = watching.streams.get_mut(&stream) else {
                continue;
            };
            watched.waits_since = None;
            // What was begun in the place of this key frame is not needed.
            if watched.next == Some(codec) && !watched.arrived {
                (watched.codec, watched.arrived, watched.next) = (codec, true, None);
                changed = true;
            }
        }
        if changed {
            self.decide(None, now);
        }
    }

    /// A viewer is sent this rendition from now on.
    pub fn switched(&mut self, viewer: ViewerId, rendition: RenditionId, now: Instant) {
        let Some(watched) = self.watched(viewer, rendition.stream) else {
            return;
        };
        if rendition.codec == watched.codec {
            watched.arrived = true;
            if let Some(codec) = watched.next {
                self.actions.push_back(Action::Give {
                    viewer,
                    rendition: RenditionId { codec, ..rendition },
                    handover: Handover::AwaitKeyFrame,
                });
            }
        } else if watched.next == Some(rendition.codec) {
            watched.codec = rendition.codec;
            watched.next = None;
            watched.given = Some(rendition);
            self.decide(None, now);
        } else if let Some(given) = watched.given {
            // It was to have that, and is not any more.
            self.give(viewer, given);
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
        let Some(codec) = back else {
            return;
        };
        watched.next = Some(codec);
        if watched.arrived {
            self.actions.push_back(Action::Give {
                viewer,
                rendition: rendition(stream, codec),
                handover: Handover::AwaitKeyFrame,
            });
        }
        self.decide(None, now);
    }

    /// Codecs of a stream are of no use any more to those who watch it: each gets another that it takes. Returns who
    /// takes no other, and keeps what it has.
    pub fn withdraw(&mut self, stream: StreamId, codecs: &[u32], now: Instant) -> Vec<ViewerId> {
        let (mut left, mut stay) = (Vec::new(), Vec::new());
        for (viewer, watching) in &mut self.viewers {
            let Some(watched) = watching.streams.get_mut(&stream) else {
                continue;
            };
            let awaited = watched.next;
            if !watched.withdraw(codecs) {
                left.push(*viewer);
            } else if awaited.is_some_and(|awaited| codecs.contains(&awaited)) {
                stay.extend(watched.given.map(|given| (*viewer, given)));
            }
        }
        self.decide(None, now);
        // Its session must not go on to what it awaits.
        for (viewer, given) in stay {
            if self.is_given(viewer, given) {
                self.give(viewer, given);
            }
        }
        left
    }

    /// A rendition made a key frame.
    pub fn key_frame_made(&mut self, rendition: RenditionId, now: Instant) {
        let seen = self
            .viewers
            .values()
            .any(|watching| watching.connected && watching.is_given(rendition));
        // One that nobody was sent, as the first of an encoder that starts, must not delay the next.
        if let Some(running) = self.renditions.get_mut(&rendition)
            && seen
        {
            running.key_frames.made(now);
        }
    }

    /// A rendition cannot be made. Who was given it gets another codec of the stream. Returns who takes no other: they
    /// have left, and the owner ends their sessions.
    pub fn rendition_failed(&mut self, rendition: RenditionId, now: Instant) -> Vec<ViewerId> {
        self.renditions.remove(&rendition);
        let mut left = Vec::new();
        for (viewer, watching) in &mut self.viewers {
            let given = watching.is_given(rendition);
            if let Some(watched) = watching.streams.get_mut(&rendition.stream)
                && !watched.withdraw(&[rendition.codec])
                && given
            {
                left.push(*viewer);
            }
        }
        for viewer in &left {
            self.forget(*viewer);
        }
        self.decide(None, now);
        left
    }

    /// Who is given a rendition.
    pub fn viewers_of(&self, rendition: RenditionId) -> Vec<ViewerId> {
        let viewers = self.viewers.iter();
        let viewers = viewers.filter(|(_, watching)| watching.is_given(rendition));
        viewers.map(|(viewer, _)| *viewer).collect()
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

    /// What a viewer is given.
    pub fn given(&self, viewer: ViewerId) -> Vec<RenditionId> {
        let watching = self.viewers.get(&viewer);
        let streams = watching
            .into_iter()
            .flat_map(|watching| watching.streams.values());
        streams.filter_map(|watched| watched.given).collect()
    }

    /// A viewer left.
    pub fn left(&mut self, viewer: ViewerId, now: Instant) {
        if self.forget(viewer) {
            self.decide(None, now);
        }
    }

    /// A stream is no more: its renditions stop at once.
    pub fn remove_stream(&mut self, stream: StreamId, now: Instant) {
        self.streams.remove(&stream);
        self.sources.remove(&stream);
        for watching in self.viewers.values_mut() {
            watching.streams.remove(&stream);
        }
        let gone = |rendition: &RenditionId| rendition.stream == stream;
        let stopped: Vec<_> = self.renditions.keys().copied().filter(gone).collect();
        for rendition in stopped {
            self.renditions.remove(&rendition);
            self.actions.push_back(Action::Stop(rendition));
        }
        self.decide(None, now);
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`wake`](Self::wake) next.
    pub fn deadline(&self) -> Option<Instant> {
        let renditions = self.renditions.values().flat_map(|running| {
            let stop = running.unwanted_since.map(|since| since + LINGER);
            [running.key_frames.deadline(), stop].into_iter().flatten()
        });
        let waiting = self.waiting().map(|(.., deadline)| deadline);
        renditions.chain(waiting).min()
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Instant) {
        self.make_key_frames(now);
        self.help_those_who_wait(now);
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

    fn forget(&mut self, viewer: ViewerId) -> bool {
        for running in self.renditions.values_mut() {
            running.key_frames.forget(viewer);
        }
        self.viewers.remove(&viewer).is_some()
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

    fn give(&mut self, viewer: ViewerId, rendition: RenditionId) {
        self.actions.push_back(Action::Give {
            viewer,
            rendition,
            handover: Handover::AskForKeyFrame,
        });
    }

    fn is_given(&self, viewer: ViewerId, rendition: RenditionId) -> bool {
        let watching = self.viewers.get(&viewer);
        watching.is_some_and(|watching| watching.is_given(rendition))
    }

    fn watched(&mut self, viewer: ViewerId, stream: StreamId) -> Option<&mut Watched> {
        self.viewers.get_mut(&viewer)?.streams.get_mut(&stream)
    }

    fn is_passed(&self, rendition: RenditionId) -> bool {
        let rate = self.streams.get(&rendition.stream);
        matches!(rate, Some(StreamRate::Passed { codec, .. }) if *codec == rendition.codec)
    }

    /// Who waits for a key frame of a source and takes another codec of its stream, and until when it waits.
    fn waiting(&self) -> impl Iterator<Item = (ViewerId, StreamId, Instant)> {
        let watched = self.viewers.iter().flat_map(|(viewer, watching)| {
            let streams = watching.streams.iter();
            streams.map(|(stream, watched)| (*viewer, *stream, watched))
        });
        watched.filter_map(|(viewer, stream, watched)| {
            let since = watched.waits_since?;
            watched.alternative()?;
            let source = self.sources.get(&stream)?;
            Some((viewer, stream, since + source.patience(since)))
        })
    }

    /// Gives those who waited long enough what is transcoded, until the source's next key frame.
    fn help_those_who_wait(&mut self, now: Instant) {
        let due = self.waiting().filter(|(.., deadline)| *deadline <= now);
        let due: Vec<_> = due.map(|(viewer, stream, _)| (viewer, stream)).collect();
        for (viewer, stream) in &due {
            if let Some(source) = self.sources.get_mut(stream) {
                source.was_awaited_in_vain(now);
            }
            let Some(watched) = self.watched(*viewer, *stream) else {
                continue;
            };
            watched.waits_since = None;
            if let Some(other) = watched.alternative() {
                watched.next = Some(watched.codec);
                (watched.codec, watched.arrived) = (other, false);
            }
        }
        if !due.is_empty() {
            self.decide(None, now);
        }
    }

    /// Asks for the demand and turns what changed into actions.
    fn decide(&mut self, newcomer: Option<ViewerId>, now: Instant) {
        let mut demand = demand::demand(&self.policy, self.takers());
        // What viewers go back to must run, to say when its key frame is there.
        for (stream, watched) in self.viewers.values().flat_map(|watching| &watching.streams) {
            if let Some(codec) = watched.next {
                let rendition = rendition(*stream, codec);
                let rate = demand.renditions.entry(rendition);
                rate.or_insert(self.policy.max_bitrate);
            }
        }
        for (rendition, wanted) in &demand.renditions {
            let wanted = self.rate_of(*rendition, *wanted);
            match self.renditions.get_mut(rendition) {
                Some(running) => {
                    running.unwanted_since = None;
                    if is_worthwhile(running.rate, wanted) {
                        running.rate = wanted;
                        let (rendition, rate) = (*rendition, wanted);
                        self.actions.push_back(Action::SetRate { rendition, rate });
                    }
                }
                None => {
                    let first = demand.given.iter().find(|(_, given)| *given == rendition);
                    let first = first.map(|((viewer, _), _)| *viewer);
                    let Some(viewer) = newcomer.or(first) else {
                        continue;
                    };
                    let running = Rendition {
                        rate: wanted,
                        key_frames: KeyFrames::new(),
                        unwanted_since: None,
                    };
                    self.renditions.insert(*rendition, running);
                    self.actions.push_back(Action::Start {
                        rendition: *rendition,
                        rate: wanted,
                        viewer,
                    });
                }
            }
        }
        for (rendition, running) in &mut self.renditions {
            if !demand.renditions.contains_key(rendition) {
                running.unwanted_since.get_or_insert(now);
            }
        }
        for ((viewer, stream), rendition) in &demand.given {
            let Some(watched) = self.watched(*viewer, *stream) else {
                continue;
            };
            if watched.given.replace(*rendition) != Some(*rendition) {
                self.actions.push_back(Action::Give {
                    viewer: *viewer,
                    rendition: *rendition,
                    handover: Handover::AskForKeyFrame,
                });
            }
        }
        self.tell_rates();
    }

    /// What each viewer can take of each stream it watches.
    fn takers(&self) -> Vec<Viewer> {
        let mut takers = Vec::new();
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
                });
            }
        }
        takers
    }

    fn fixed_rate(&self, watching: &Watching) -> Bitrate {
        let rates = watching
            .streams
            .iter()
            .filter_map(|(stream, watched)| self.fixed_rate_of(rendition(*stream, watched.codec)));
        rates.sum()
    }

    /// None if it follows what viewers can take.
    fn fixed_rate_of(&self, rendition: RenditionId) -> Option<Bitrate> {
        match self.streams.get(&rendition.stream)? {
            StreamRate::Fixed(rate) => Some(*rate),
            StreamRate::Passed { codec, rate } if *codec == rendition.codec => Some(*rate),
            StreamRate::Passed { .. } | StreamRate::Adaptive => None,
        }
    }

    fn rate_of(&self, rendition: RenditionId, wanted: Bitrate) -> Bitrate {
        self.fixed_rate_of(rendition).unwrap_or(wanted)
    }

    /// Lets each session know what it is sent, and how far to try its path.
    fn tell_rates(&mut self) {
        let mut told = Vec::new();
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
            if watching.told != Some((current, desired)) {
                told.push((*viewer, current, desired));
            }
        }
        for (viewer, current, desired) in told {
            if let Some(watching) = self.viewers.get_mut(&viewer) {
                watching.told = Some((current, desired));
            }
            self.actions.push_back(Action::SetRates {
                viewer,
                current,
                desired,
            });
        }
    }
}

impl Watching {
    fn is_given(&self, rendition: RenditionId) -> bool {
        let watched = self.streams.get(&rendition.stream);
        watched.is_some_and(|watched| watched.given == Some(rendition))
    }
}

impl Watched {
    /// Another codec than the one that it gets.
    fn alternative(&self) -> Option<u32> {
        self.takes
            .iter()
            .copied()
            .find(|codec| *codec != self.codec)
    }

    /// Gives it another codec than these; false if it gets one of them and takes no other.
    fn withdraw(&mut self, codecs: &[u32]) -> bool {
        let others = self.takes.iter().copied();
        let others: Vec<_> = others.filter(|taken| !codecs.contains(taken)).collect();
        let Some(first) = others.first().copied() else {
            return !codecs.contains(&self.codec);
        };
        self.next = self.next.filter(|next| !codecs.contains(next));
        if codecs.contains(&self.codec) {
            (self.codec, self.arrived) = (self.next.unwrap_or(first), false);
            self.next = None;
        }
        self.waits_since = None;
        self.takes = others;
        true
    }
}

/// The one rendition of a stream in a codec.
fn rendition(stream: StreamId, codec: u32) -> RenditionId {
    RenditionId {
        stream,
        codec,
        level: 0,
    }
}

fn is_worthwhile(before: Bitrate, after: Bitrate) -> bool {
    before.abs_diff(after) * 100 > before * WORTHWHILE_PERCENT
}

#[cfg(test)]
mod tests;
