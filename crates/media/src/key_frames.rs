//! When a rendition makes a key frame. No clock; time comes in.
//!
//! A key frame costs every viewer of its rendition, so it is made for all who wait for one at once, and
//! not more often than the interval. A peer that asks all day does not tax the others: it has a number of
//! key frames of its own, for all its sessions, which comes back slowly, and beyond that sees those that are made for others. One that
//! leaves and calls again goes on with what it had left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ids::PeerKey;

/// Between two key frames of a rendition.
pub const MIN_INTERVAL: Duration = Duration::from_millis(400);

/// The same while a storm of joins goes on.
pub const MIN_INTERVAL_IN_STORM: Duration = Duration::from_secs(1);

/// This many viewers asking within [`MIN_INTERVAL_IN_STORM`] are a storm.
pub const STORM: usize = 10;

/// So many key frames of a storm still come after [`MIN_INTERVAL`], or sooner: a crowd that comes once, as at the start of a
/// show, sees its first picture within half a second. One that keeps coming must not tax those who watch.
pub const FIRST_OF_STORM: u32 = 2;

/// Those come once nobody else has asked for so long: one key frame for the whole crowd.
pub const STORM_SETTLES: Duration = Duration::from_millis(50);

/// But not sooner than this after the one before.
pub const MIN_INTERVAL_AT_FIRST: Duration = Duration::from_millis(200);

/// Key frames that a peer may cause at once. Joining, two switches and a loss or two are fewer.
pub const MAX_REQUESTS: u32 = 8;

/// A peer that caused all of them may cause one more after this, and that is six a minute. One that watches
/// alone may always: it taxes nobody.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The peers at most of which it is known how many key frames they caused. Of more, those that caused the fewest are
/// forgotten.
pub const MAX_ASKERS: usize = 1_024;

/// Key frames of one rendition. The owner calls [`request`](Self::request) whenever a viewer asks,
/// [`due`](Self::due) at [`deadline`](Self::deadline) and after requests.
#[derive(Debug, Default)]
pub struct KeyFrames {
    last_made: Option<Instant>,
    /// When the first asked whose wish is not fulfilled yet.
    wanted_since: Option<Instant>,
    /// Who asked.
    askers: BTreeMap<PeerKey, Asker>,
    /// When a wish was last accepted.
    last_asked: Option<Instant>,
    /// How many asked in the current second, and when it began.
    recent: (usize, Option<Instant>),
    /// How many the storm caused that goes on.
    caused_by_storm: u32,
}

#[derive(Debug)]
struct Asker {
    /// When its last wish was accepted.
    asked: Instant,
    /// When it may cause [`MAX_REQUESTS`] again.
    rested: Instant,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// A key frame will be made.
    Accepted,
    /// The viewer asks too often: nothing will be made for it.
    TooOften,
}

impl KeyFrames {
    /// Nothing made, nothing asked.
    pub fn new() -> Self {
        Self::default()
    }

    /// A viewer of a peer asks for a key frame. `alone` says that no other peer is sent this rendition.
    pub fn request(&mut self, peer: PeerKey, alone: bool, now: Instant) -> Requested {
        let known = self.askers.get(&peer);
        // Asking again before anything was made is the same wish.
        let repeated = match (self.wanted_since, known) {
            (Some(since), Some(asker)) => asker.asked >= since,
            _ => false,
        };
        if !repeated {
            let begin = known.map_or(now, |asker| asker.rested.max(now));
            let rested = (begin + PATIENCE).min(now + PATIENCE * MAX_REQUESTS);
            if !alone && begin + PATIENCE > rested {
                return Requested::TooOften;
            }
            self.make_room(now);
            self.askers.insert(peer, Asker { asked: now, rested });
            self.count(now);
        }
        self.wanted_since.get_or_insert(now);
        Requested::Accepted
    }

    /// When to call [`due`](Self::due) next; none while nobody asks.
    pub fn deadline(&self) -> Option<Instant> {
        let since = self.wanted_since?;
        let Some(made) = self.last_made else {
            return Some(since);
        };
        let settled = self.last_asked.map(|asked| asked + STORM_SETTLES);
        let after = match (self.is_storm(), settled) {
            (true, _) if self.caused_by_storm >= FIRST_OF_STORM => made + MIN_INTERVAL_IN_STORM,
            (true, Some(settled)) => {
                settled.clamp(made + MIN_INTERVAL_AT_FIRST, made + MIN_INTERVAL)
            }
            _ => made + MIN_INTERVAL,
        };
        Some(since.max(after))
    }

    /// Whether the encoder is to be asked for a key frame now. It counts as made.
    pub fn due(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        if due {
            if self.is_storm() {
                self.caused_by_storm += 1;
            }
            self.made(now);
        }
        due
    }

    /// The encoder made a key frame of its own accord; those who waited have it.
    pub fn made(&mut self, now: Instant) {
        self.last_made = Some(now);
        self.wanted_since = None;
    }

    /// Forgets those who have all of their key frames again, and then those who have most of them, if there are too many to know.
    fn make_room(&mut self, now: Instant) {
        if self.askers.len() < MAX_ASKERS {
            return;
        }
        self.askers.retain(|_, asker| asker.rested > now);
        while self.askers.len() >= MAX_ASKERS {
            let fewest = self.askers.iter().min_by_key(|(_, asker)| asker.rested);
            let Some(fewest) = fewest.map(|(peer, _)| *peer) else {
                return;
            };
            self.askers.remove(&fewest);
        }
    }

    fn is_storm(&self) -> bool {
        self.recent.0 >= STORM
    }

    fn count(&mut self, now: Instant) {
        self.last_asked = Some(now);
        let (asked, since) = self.recent;
        let age = since.map(|since| now.saturating_duration_since(since));
        self.recent = match age {
            Some(age) if age < MIN_INTERVAL_IN_STORM => (asked + 1, since),
            _ => {
                let went_on = age.is_some_and(|age| age < MIN_INTERVAL_IN_STORM * 2);
                if !(went_on && asked >= STORM) {
                    self.caused_by_storm = 0;
                }
                (1, Some(now))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_is_made_at_once_and_the_next_after_the_interval() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        assert_eq!(key_frames.deadline(), None);
        key_frames.request(PeerKey(1), false, start);
        assert!(key_frames.due(start));
        assert!(!key_frames.due(start));
        key_frames.request(PeerKey(2), false, start + MS);
        assert_eq!(key_frames.deadline(), Some(start + MIN_INTERVAL));
        assert!(!key_frames.due(start + MIN_INTERVAL - MS));
        assert!(key_frames.due(start + MIN_INTERVAL));
    }

    #[test]
    fn all_who_wait_are_served_by_one() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        for viewer in 0..5 {
            key_frames.request(PeerKey(viewer), false, start);
        }
        assert!(key_frames.due(start));
        assert_eq!(key_frames.deadline(), None);
    }

    #[test]
    fn a_key_frame_that_came_anyway_serves_too() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        key_frames.made(start);
        key_frames.request(PeerKey(1), false, start + MS);
        key_frames.made(start + 2 * MS);
        assert_eq!(key_frames.deadline(), None);
    }

    #[test]
    fn a_join_storm_gets_one_a_second() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        let mut made = 0;
        for number in 0..500 {
            let now = start + 10 * MS * number;
            key_frames.request(PeerKey(u64::from(number)), false, now);
            made += u32::from(key_frames.due(now));
        }
        // Five seconds: the first at once, three more soon, then one a second.
        assert!((6..=8).contains(&made), "{made} were made");
    }

    #[test]
    fn a_crowd_that_comes_at_once_sees_a_picture_soon() {
        let mut now = Instant::now();
        let mut key_frames = KeyFrames::new();
        // Within so many milliseconds, a hundred come. They may come again later.
        for (crowd, (within, second)) in
            [(300, 350), (100, 200), (400, 400)].into_iter().enumerate()
        {
            let came = now;
            let mut made = Vec::new();
            let mut viewers = 0;
            for elapsed in 0..1_500 {
                while viewers < 100 && viewers * within <= elapsed * 99 {
                    let viewer = PeerKey(crowd as u64 * 100 + viewers);
                    key_frames.request(viewer, false, now);
                    viewers += 1;
                }
                if key_frames.due(now) {
                    made.push(elapsed);
                }
                now += MS;
            }
            assert_eq!(made, [0, second], "crowd {crowd}");
            assert_eq!(now - came, MS * 1_500);
            now += MIN_INTERVAL_IN_STORM;
        }
    }

    #[test]
    fn a_viewer_that_asks_all_day_is_told_apart_and_others_are_served() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        let greedy = PeerKey(1);
        let (mut made, mut refused) = (0, 0);
        let seconds = 600;
        for number in 0..seconds * 100 {
            let now = start + 10 * MS * number;
            refused += u32::from(key_frames.request(greedy, false, now) == Requested::TooOften);
            made += u32::from(key_frames.due(now));
            if number % 3_000 == 1_500 {
                assert_eq!(
                    key_frames.request(PeerKey(2), false, now),
                    Requested::Accepted
                );
            }
        }
        assert!(refused > 0);
        let own = MAX_REQUESTS + seconds / PATIENCE.as_secs() as u32;
        // And those that the other asked for.
        assert!(made <= own + 20, "{made} were made");
    }

    #[test]
    fn a_viewer_that_asks_all_day_gets_six_a_minute_and_more_after_a_rest() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        let mut ask = |now| {
            let accepted = key_frames.request(PeerKey(1), false, now) == Requested::Accepted;
            accepted && key_frames.due(now)
        };
        let second = Duration::from_secs(1);
        let mut made = |from: u32| {
            let times = (0..60).map(|number| start + second * (from + number));
            times.filter(|now| ask(*now)).count()
        };
        assert_eq!(made(0), MAX_REQUESTS as usize + 5);
        assert_eq!(made(60), 6);
        assert_eq!(made(120), 6);
        assert_eq!(made(600), MAX_REQUESTS as usize + 5, "it was quiet");
    }

    #[test]
    fn a_viewer_that_watches_alone_is_served_as_often_as_any() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        for number in 0..1_000 {
            let now = start + MIN_INTERVAL_IN_STORM * number;
            let requested = key_frames.request(PeerKey(1), true, now);
            assert_eq!(requested, Requested::Accepted);
            assert!(key_frames.due(now));
        }
        // When another comes, it has one as soon as who used all of its own up.
        let now = start + MIN_INTERVAL_IN_STORM * 1_000 + PATIENCE;
        let requested = key_frames.request(PeerKey(1), false, now);
        assert_eq!(requested, Requested::Accepted);
    }

    #[test]
    fn peers_beyond_the_limit_are_forgotten_and_a_greedy_one_is_not() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::new();
        let greedy = PeerKey(u64::MAX);
        for number in 0..MAX_REQUESTS {
            let now = start + MIN_INTERVAL * number;
            assert_eq!(key_frames.request(greedy, false, now), Requested::Accepted);
            assert!(key_frames.due(now));
        }
        let now = start + MIN_INTERVAL * MAX_REQUESTS;
        for peer in 0..3 * MAX_ASKERS as u64 {
            key_frames.request(PeerKey(peer), false, now);
            key_frames.made(now);
        }
        assert!(key_frames.askers.len() <= MAX_ASKERS);
        let requested = key_frames.request(greedy, false, now + MS);
        assert_eq!(requested, Requested::TooOften);
    }
}
