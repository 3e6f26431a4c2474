//! Who watches, and what encoders and sessions shall do for them. No clock; time comes in.
//!
//! # Contract
//!
//! * The owner tells what it hears of viewers ([`joined`](Audience::joined), [`estimate`](Audience::estimate),
//!   [`key_frame_wanted`](Audience::key_frame_wanted), [`connected`](Audience::connected),
//!   [`left`](Audience::left)) and of renditions ([`key_frame_made`](Audience::key_frame_made),
//!   [`rendition_failed`](Audience::rendition_failed)).
//! * After any call it takes all that [`poll_action`](Audience::poll_action) has and does it, and calls
//!   [`wake`](Audience::wake) at [`deadline`](Audience::deadline).
//! * Time never goes backwards.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::demand::{self, Bitrate, Policy, RenditionId, StreamId, Viewer, ViewerId};
use crate::key_frames::{KeyFrames, Requested};

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
    /// Is what it is: audio, or what comes encoded.
    Fixed(Bitrate),
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
    viewers: BTreeMap<ViewerId, Watching>,
    renditions: BTreeMap<RenditionId, Rendition>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Watching {
    agreed: Vec<(StreamId, u32)>,
    given: BTreeMap<StreamId, RenditionId>,
    estimate: Option<Bitrate>,
    told: Option<(Bitrate, Bitrate)>,
    connected: bool,
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
            viewers: BTreeMap::new(),
            renditions: BTreeMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// Says what a stream carries; before the first viewer of it joins.
    pub fn set_stream(&mut self, stream: StreamId, rate: StreamRate) {
        self.streams.insert(stream, rate);
    }

    /// A viewer and the sender agreed on a codec for each of these streams.
    pub fn joined(&mut self, viewer: ViewerId, agreed: &[(StreamId, u32)], now: Instant) {
        let watching = Watching {
            agreed: agreed.to_vec(),
            given: BTreeMap::new(),
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
        let given = self.viewers.get(&viewer);
        let Some(rendition) = given.and_then(|watching| watching.given.get(&stream)) else {
            return Requested::Accepted;
        };
        let is_other = |(id, other): (&ViewerId, &Watching)| {
            *id != viewer && other.given.get(&stream) == Some(rendition)
        };
        let alone = !self.viewers.iter().any(is_other);
        let Some(running) = self.renditions.get_mut(rendition) else {
            return Requested::Accepted;
        };
        let requested = running.key_frames.request(viewer, alone, now);
        self.make_key_frames(now);
        requested
    }

    /// A rendition made a key frame.
    pub fn key_frame_made(&mut self, rendition: RenditionId, now: Instant) {
        let seen = self
            .viewers
            .values()
            .any(|watching| watching.connected && watching.given.values().any(|g| *g == rendition));
        // One that nobody was sent, as the first of an encoder that starts, must not delay the next.
        if let Some(running) = self.renditions.get_mut(&rendition)
            && seen
        {
            running.key_frames.made(now);
        }
    }

    /// A rendition cannot be made. Returns who was given it: they have left, and the owner ends their
    /// sessions.
    pub fn rendition_failed(&mut self, rendition: RenditionId, now: Instant) -> Vec<ViewerId> {
        self.renditions.remove(&rendition);
        let viewers = self.viewers_of(rendition);
        for viewer in &viewers {
            self.forget(*viewer);
        }
        self.decide(None, now);
        viewers
    }

    /// Who is given a rendition.
    pub fn viewers_of(&self, rendition: RenditionId) -> Vec<ViewerId> {
        let viewers = self.viewers.iter().filter(|(_, watching)| {
            let mut given = watching.given.values();
            given.any(|given| *given == rendition)
        });
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
        watching.map_or_else(Vec::new, |watching| {
            watching.given.values().copied().collect()
        })
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
        for watching in self.viewers.values_mut() {
            watching.agreed.retain(|(agreed, _)| *agreed != stream);
            watching.given.remove(&stream);
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
        let deadlines = self.renditions.values().flat_map(|running| {
            let stop = running.unwanted_since.map(|since| since + LINGER);
            [running.key_frames.deadline(), stop].into_iter().flatten()
        });
        deadlines.min()
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Instant) {
        self.make_key_frames(now);
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
            }
        }
    }

    /// Asks for the demand and turns what changed into actions.
    fn decide(&mut self, newcomer: Option<ViewerId>, now: Instant) {
        let demand = demand::demand(&self.policy, self.takers());
        for (rendition, wanted) in &demand.renditions {
            let wanted = self.rate_of(rendition.stream, *wanted);
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
            let Some(watching) = self.viewers.get_mut(viewer) else {
                continue;
            };
            if watching.given.insert(*stream, *rendition) != Some(*rendition) {
                self.actions.push_back(Action::Give {
                    viewer: *viewer,
                    rendition: *rendition,
                });
            }
        }
        self.tell_rates();
    }

    /// What each viewer can take of each stream it watches.
    fn takers(&self) -> Vec<Viewer> {
        let mut takers = Vec::new();
        for (id, watching) in &self.viewers {
            let is_adaptive = |(stream, _): &&(StreamId, u32)| {
                self.streams.get(stream) == Some(&StreamRate::Adaptive)
            };
            let adaptive = watching.agreed.iter().filter(is_adaptive).count() as u64;
            let fixed = self.fixed_rate(watching);
            let estimate = watching.estimate.or(self.start_bitrate);
            let usable = estimate.map(|estimate| demand::usable(estimate, fixed, 0));
            for (stream, codec) in &watching.agreed {
                takers.push(Viewer {
                    id: *id,
                    stream: *stream,
                    codec: *codec,
                    // Streams of one viewer share its path alike.
                    usable: usable.map(|usable| usable / adaptive.max(1)),
                });
            }
        }
        takers
    }

    fn fixed_rate(&self, watching: &Watching) -> Bitrate {
        let rates = watching
            .agreed
            .iter()
            .map(|(stream, _)| match self.streams.get(stream) {
                Some(StreamRate::Fixed(rate)) => *rate,
                _ => 0,
            });
        rates.sum()
    }

    fn rate_of(&self, stream: StreamId, wanted: Bitrate) -> Bitrate {
        match self.streams.get(&stream) {
            Some(StreamRate::Fixed(rate)) => *rate,
            _ => wanted,
        }
    }

    /// Lets each session know what it is sent, and how far to try its path.
    fn tell_rates(&mut self) {
        for (viewer, watching) in &mut self.viewers {
            let (mut current, mut desired) = (0, 0);
            for rendition in watching.given.values() {
                let rate = self
                    .renditions
                    .get(rendition)
                    .map_or(0, |running| running.rate);
                current += rate;
                desired += match self.streams.get(&rendition.stream) {
                    Some(StreamRate::Adaptive) => {
                        // An estimate must exceed the rate by what is left unused.
                        let wish = rate * WISH_PERCENT / 100;
                        wish.min(self.policy.max_bitrate * 10 / 9).max(rate)
                    }
                    _ => rate,
                };
            }
            if watching.told != Some((current, desired)) {
                watching.told = Some((current, desired));
                self.actions.push_back(Action::SetRates {
                    viewer: *viewer,
                    current,
                    desired,
                });
            }
        }
    }
}

fn is_worthwhile(before: Bitrate, after: Bitrate) -> bool {
    before.abs_diff(after) * 100 > before * WORTHWHILE_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_frames::MIN_INTERVAL;

    const VIDEO: StreamId = StreamId(0);
    const AUDIO: StreamId = StreamId(1);
    const VP8: u32 = 0;
    const H264: u32 = 1;
    const OPUS: u32 = 9;
    const MS: Duration = Duration::from_millis(1);
    const POLICY: Policy = Policy {
        min_bitrate: 1_000,
        max_bitrate: 8_192_000,
        floor: demand::DEFAULT_FLOOR,
    };

    fn rendition(stream: StreamId, codec: u32) -> RenditionId {
        RenditionId {
            stream,
            codec,
            level: 0,
        }
    }

    fn audience() -> Audience {
        let mut audience = Audience::new(POLICY, Some(2_048_000));
        audience.set_stream(VIDEO, StreamRate::Adaptive);
        audience.set_stream(AUDIO, StreamRate::Fixed(64_000));
        audience
    }

    fn actions(audience: &mut Audience) -> Vec<Action> {
        std::iter::from_fn(|| audience.poll_action()).collect()
    }

    fn starts(actions: &[Action]) -> Vec<(RenditionId, Bitrate)> {
        let start = |action: &Action| match action {
            Action::Start {
                rendition, rate, ..
            } => Some((*rendition, *rate)),
            _ => None,
        };
        actions.iter().filter_map(start).collect()
    }

    #[test]
    fn one_encoder_serves_all_viewers_of_a_codec() {
        let (mut audience, now) = (audience(), Instant::now());
        let mut all = Vec::new();
        for viewer in 0..100 {
            let codec = if viewer % 2 == 0 { VP8 } else { H264 };
            let agreed = [(VIDEO, codec), (AUDIO, OPUS)];
            audience.joined(ViewerId(viewer), &agreed, now);
            all.extend(actions(&mut audience));
        }
        let started: Vec<_> = starts(&all).into_iter().map(|(id, _)| id).collect();
        let expected = [(VIDEO, VP8), (AUDIO, OPUS), (VIDEO, H264)];
        assert_eq!(
            started,
            expected.map(|(stream, codec)| rendition(stream, codec))
        );
        let given = all
            .iter()
            .filter(|action| matches!(action, Action::Give { .. }));
        assert_eq!(given.count(), 200);
    }

    #[test]
    fn video_gets_what_audio_leaves_of_the_start_rate_and_then_of_the_estimate() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8), (AUDIO, OPUS)], now);
        let first = actions(&mut audience);
        let expected = demand::usable(2_048_000, 64_000, 0);
        assert!(starts(&first).contains(&(rendition(VIDEO, VP8), expected)));
        assert!(starts(&first).contains(&(rendition(AUDIO, OPUS), 64_000)));
        audience.estimate(ViewerId(1), 1_000_000, now);
        let rate = demand::usable(1_000_000, 64_000, 0);
        let changed = Action::SetRate {
            rendition: rendition(VIDEO, VP8),
            rate,
        };
        assert!(actions(&mut audience).contains(&changed));
        assert_eq!(audience.rate(rendition(AUDIO, OPUS)), Some(64_000));
        audience.estimate(ViewerId(1), 1_010_000, now);
        let small = actions(&mut audience);
        assert!(
            !small
                .iter()
                .any(|action| matches!(action, Action::SetRate { .. }))
        );
    }

    #[test]
    fn the_path_is_tried_for_more_than_is_sent_so_that_the_rate_can_rise() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        let told = actions(&mut audience)
            .into_iter()
            .find_map(|action| match action {
                Action::SetRates {
                    current, desired, ..
                } => Some((current, desired)),
                _ => None,
            });
        let (current, desired) = told.expect("it is told");
        assert!(desired * 100 >= current * 140, "{current} {desired}");
    }

    #[test]
    fn nobody_watches_and_after_a_while_nothing_runs() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        audience.left(ViewerId(1), now);
        actions(&mut audience);
        assert_eq!(audience.deadline(), Some(now + LINGER));
        audience.wake(now + LINGER - MS);
        assert_eq!(actions(&mut audience), []);
        audience.wake(now + LINGER);
        assert_eq!(
            actions(&mut audience),
            [Action::Stop(rendition(VIDEO, VP8))]
        );
        assert_eq!(audience.deadline(), None);
        assert_eq!(audience.running(), []);
    }

    #[test]
    fn who_comes_back_finds_the_encoder_running() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        audience.left(ViewerId(1), now);
        audience.joined(ViewerId(2), &[(VIDEO, VP8)], now + LINGER / 2);
        assert_eq!(starts(&actions(&mut audience)).len(), 1, "the first one's");
        audience.wake(now + LINGER * 2);
        assert_eq!(actions(&mut audience), []);
        assert_eq!(audience.running(), [(VIDEO, VP8)]);
    }

    #[test]
    fn the_first_key_frame_of_an_encoder_does_not_delay_that_of_the_first_viewer() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        audience.key_frame_made(rendition(VIDEO, VP8), now + 30 * MS);
        actions(&mut audience);
        audience.connected(ViewerId(1));
        audience.key_frame_wanted(ViewerId(1), VIDEO, now + 100 * MS);
        let made = Action::MakeKeyFrame(rendition(VIDEO, VP8));
        assert_eq!(actions(&mut audience), std::slice::from_ref(&made));
        audience.key_frame_made(rendition(VIDEO, VP8), now + 110 * MS);
        audience.key_frame_wanted(ViewerId(1), VIDEO, now + 200 * MS);
        assert_eq!(actions(&mut audience), [], "too soon");
        assert_eq!(audience.deadline(), Some(now + 110 * MS + MIN_INTERVAL));
        audience.wake(now + 110 * MS + MIN_INTERVAL);
        assert_eq!(actions(&mut audience), [made]);
    }

    #[test]
    fn a_rendition_that_failed_takes_its_viewers_along_and_starts_for_the_next() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        audience.joined(ViewerId(2), &[(VIDEO, VP8)], now);
        audience.joined(ViewerId(3), &[(VIDEO, H264)], now);
        actions(&mut audience);
        let gone = audience.rendition_failed(rendition(VIDEO, VP8), now);
        assert_eq!(gone, [ViewerId(1), ViewerId(2)]);
        assert_eq!(
            actions(&mut audience),
            [],
            "it is not tried again for nobody"
        );
        audience.joined(ViewerId(4), &[(VIDEO, VP8)], now);
        assert_eq!(starts(&actions(&mut audience)).len(), 1);
    }

    #[test]
    fn a_stream_that_is_removed_stops_at_once() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8), (AUDIO, OPUS)], now);
        actions(&mut audience);
        audience.remove_stream(VIDEO, now);
        let stopped = Action::Stop(rendition(VIDEO, VP8));
        assert!(actions(&mut audience).contains(&stopped));
        assert_eq!(audience.running(), [(AUDIO, OPUS)]);
    }

    #[test]
    fn a_viewer_that_asks_all_day_costs_the_others_six_key_frames_a_minute() {
        let (mut audience, now) = (audience(), Instant::now());
        for viewer in 1..=3 {
            audience.joined(ViewerId(viewer), &[(VIDEO, VP8)], now);
            audience.connected(ViewerId(viewer));
        }
        actions(&mut audience);
        let minute = |audience: &mut Audience, from: u32| {
            let (mut made, mut refused) = (0, 0);
            for number in from * 300..(from + 1) * 300 {
                let now = now + 200 * MS * number;
                let requested = audience.key_frame_wanted(ViewerId(1), VIDEO, now);
                refused += u32::from(requested == Requested::TooOften);
                audience.wake(now);
                for action in actions(audience) {
                    assert_eq!(action, Action::MakeKeyFrame(rendition(VIDEO, VP8)));
                    audience.key_frame_made(rendition(VIDEO, VP8), now);
                    made += 1;
                }
            }
            assert!(refused > 250, "{refused}");
            made
        };
        minute(&mut audience, 0);
        assert_eq!(minute(&mut audience, 1), 6);
        // Who asks once is served meanwhile.
        let now = now + 600 * 200 * MS;
        let requested = audience.key_frame_wanted(ViewerId(2), VIDEO, now);
        assert_eq!(requested, Requested::Accepted);
        audience.wake(now + MIN_INTERVAL);
        assert_eq!(actions(&mut audience).len(), 1);
    }

    #[test]
    fn a_viewer_that_is_alone_may_ask_all_day() {
        let (mut audience, now) = (audience(), Instant::now());
        audience.joined(ViewerId(1), &[(VIDEO, VP8)], now);
        for number in 0..100 {
            let now = now + MIN_INTERVAL * number;
            let requested = audience.key_frame_wanted(ViewerId(1), VIDEO, now);
            assert_eq!(requested, Requested::Accepted);
        }
    }
}
