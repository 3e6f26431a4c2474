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
//! Rates are decided every [`RATE_INTERVAL`] at most, by the votes of viewers ([`vote`](crate::vote)); joins, ends and key frames are
//! acted upon at once.
//!
//! A viewer of a stream that comes encoded waits for the source's next key frame. Where that is far away, a viewer that
//! takes another codec of the stream is given that, transcoded, until the source's next key frame is there.

mod codecs;
mod rates;
mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::demand::{self, Bitrate, Handover, PeerKey, Policy, RenditionId, StreamId, ViewerId};
use crate::key_frames::{KeyFrames, Requested};
use crate::vote::Voter;
use codecs::SentCodecs;
pub use codecs::{MAX_ENCODED_CODECS, NoCodecLeft};
pub use rates::RATE_INTERVAL;
use rates::RateDecisions;
use source::Source;
pub use source::{ANSWER_TIME, PATIENCE};

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
    /// Codecs of streams that every viewer has one of.
    common: BTreeMap<StreamId, BTreeSet<u32>>,
    viewers: BTreeMap<ViewerId, Watching>,
    renditions: BTreeMap<RenditionId, Rendition>,
    decisions: RateDecisions,
    /// When the first of those who wait for a source's key frame has waited long enough.
    help_at: Option<Instant>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Watching {
    peer: PeerKey,
    streams: BTreeMap<StreamId, Watched>,
    estimate: Option<Bitrate>,
    reported: Option<(Bitrate, Bitrate)>,
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
    voter: Voter,
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
            common: BTreeMap::new(),
            viewers: BTreeMap::new(),
            renditions: BTreeMap::new(),
            decisions: RateDecisions::default(),
            help_at: None,
            actions: VecDeque::new(),
        }
    }

    /// Says what a stream carries; before the first viewer of it joins.
    pub fn set_stream(&mut self, stream: StreamId, rate: StreamRate) {
        self.streams.insert(stream, rate);
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
    pub fn joined(
        &mut self,
        viewer: ViewerId,
        peer: PeerKey,
        taken: &[(StreamId, Vec<u32>)],
        now: Instant,
    ) -> Result<Vec<ViewerId>, NoCodecLeft> {
        let watched = taken.iter().filter_map(|(stream, codecs)| {
            let watched = Watched {
                takes: codecs.clone(),
                codec: *codecs.first()?,
                arrived: true,
                next: None,
                given: None,
                waits_since: None,
                voter: Voter::default(),
            };
            Some((*stream, watched))
        });
        let mut watching = Watching {
            peer,
            streams: watched.collect(),
            estimate: None,
            reported: None,
            connected: false,
        };
        let left = self.choose_codecs(&mut watching)?;
        self.viewers.insert(viewer, watching);
        self.decide(Some(viewer), now);
        Ok(left)
    }

    /// Media may flow to the viewer: from now on it has a say in rates.
    pub fn connected(&mut self, viewer: ViewerId, now: Instant) {
        if let Some(watching) = self.viewers.get_mut(&viewer) {
            watching.connected = true;
            let streams: Vec<_> = watching.streams.keys().copied().collect();
            self.handle_rates_changed(streams, now);
        }
    }

    /// What the path to a viewer can take, all its streams together.
    pub fn estimate(&mut self, viewer: ViewerId, rate: Bitrate, now: Instant) {
        if let Some(watching) = self.viewers.get_mut(&viewer)
            && watching.estimate != Some(rate)
        {
            watching.estimate = Some(rate);
            let streams: Vec<_> = watching.streams.keys().copied().collect();
            self.handle_rates_changed(streams, now);
        }
    }

    /// A viewer cannot go on without a key frame. One whose peer asks too often waits for the key frames of the
    /// others, and that is reported.
    pub fn key_frame_wanted(
        &mut self,
        viewer: ViewerId,
        stream: StreamId,
        now: Instant,
    ) -> Requested {
        let given = |watching: &Watching| watching.streams.get(&stream)?.given;
        let Some(watching) = self.viewers.get(&viewer) else {
            return Requested::Accepted;
        };
        let (Some(rendition), peer) = (given(watching), watching.peer) else {
            return Requested::Accepted;
        };
        let is_other = |other: &Watching| other.peer != peer && given(other) == Some(rendition);
        let alone = !self.viewers.values().any(is_other);
        let Some(running) = self.renditions.get_mut(&rendition) else {
            return Requested::Accepted;
        };
        let requested = running.key_frames.request(peer, alone, now);
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
        self.help_at = self.next_help();
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
        let mut sent = self.sent_codecs_without(stream, codecs);
        for (viewer, watching) in &mut self.viewers {
            let Some(watched) = watching.streams.get_mut(&stream) else {
                continue;
            };
            let awaited = watched.next;
            if !watched.withdraw(codecs, &mut sent) {
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
        let mut sent = self.sent_codecs_without(rendition.stream, &[rendition.codec]);
        for (viewer, watching) in &mut self.viewers {
            let given = watching.is_given(rendition);
            if let Some(watched) = watching.streams.get_mut(&rendition.stream)
                && !watched.withdraw(&[rendition.codec], &mut sent)
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
        let others = [self.help_at, self.decisions.poll_timeout()];
        renditions.chain(others.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Instant) {
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

    fn forget(&mut self, viewer: ViewerId) -> bool {
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
        self.help_at = self.next_help();
        if !due.is_empty() {
            self.decide(None, now);
        }
    }

    fn next_help(&self) -> Option<Instant> {
        self.waiting().map(|(.., deadline)| deadline).min()
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
        for (rendition, running) in &mut self.renditions {
            if demand.renditions.contains_key(rendition) {
                running.unwanted_since = None;
            } else {
                running.unwanted_since.get_or_insert(now);
            }
        }
        for (rendition, wanted) in &demand.renditions {
            if self.renditions.contains_key(rendition) {
                continue;
            }
            let first = demand.given.iter().find(|(_, given)| *given == rendition);
            let first = first.map(|((viewer, _), _)| *viewer);
            let Some(viewer) = newcomer.or(first) else {
                continue;
            };
            self.make_room_for(*rendition);
            let rate = self.rate_of(*rendition, *wanted);
            let running = Rendition {
                rate,
                key_frames: KeyFrames::new(),
                unwanted_since: None,
            };
            self.renditions.insert(*rendition, running);
            self.actions.push_back(Action::Start {
                rendition: *rendition,
                rate,
                viewer,
            });
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
        self.help_at = self.next_help();
        if self.viewers.is_empty() {
            return self.decisions.forget_changes();
        }
        let streams: Vec<_> = self.streams.keys().copied().collect();
        self.handle_rates_changed(streams, now);
    }
}

impl Watching {
    /// What it is to get of each stream.
    fn renditions(&self) -> impl Iterator<Item = RenditionId> {
        let streams = self.streams.iter();
        streams.map(|(stream, watched)| rendition(*stream, watched.codec))
    }

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

    /// Gives it another codec than these, of those that may be sent; false if it gets one of them and takes no other.
    fn withdraw(&mut self, codecs: &[u32], sent: &mut SentCodecs) -> bool {
        let others = self.takes.iter().copied();
        let others: Vec<_> = others.filter(|taken| !codecs.contains(taken)).collect();
        if others.is_empty() {
            return !codecs.contains(&self.codec);
        }
        let next = self.next.filter(|next| !codecs.contains(next));
        if codecs.contains(&self.codec) {
            let first = next.into_iter().chain(others.iter().copied());
            let Some(first) = sent.first_allowed(first) else {
                return false;
            };
            (self.codec, self.arrived, self.next) = (first, false, None);
            sent.add(first);
        } else {
            self.next = next;
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

#[cfg(test)]
mod tests;
