//! How often a viewer's wish for a key frame is passed on.

use std::time::{Duration, Instant};

use crate::demand::StreamId;

/// A viewer's wish for a key frame of a stream is passed on at most this often; what it asks meanwhile is one
/// wish, and comes later. No encoder makes key frames more often than that.
pub const KEY_FRAME_WISH_INTERVAL: Duration = Duration::from_millis(200);

/// The wishes of one viewer.
#[derive(Debug, Default)]
pub(super) struct KeyFrameWishes {
    /// One for each stream that it ever asked a key frame of.
    wishes: Vec<Wish>,
}

#[derive(Debug)]
struct Wish {
    stream: StreamId,
    told: Instant,
    held_back: bool,
}

impl KeyFrameWishes {
    /// Takes a wish; true if it is to be told now.
    pub(super) fn take(&mut self, stream: StreamId, now: Instant) -> bool {
        match self.wishes.iter_mut().find(|wish| wish.stream == stream) {
            Some(wish) => {
                wish.held_back = true;
                wish.is_due(now)
            }
            None => {
                self.wishes.push(Wish {
                    stream,
                    told: now,
                    held_back: false,
                });
                true
            }
        }
    }

    /// A wish that was held back and is to be told now.
    pub(super) fn due(&mut self, now: Instant) -> Option<StreamId> {
        let mut wishes = self.wishes.iter_mut();
        wishes.find_map(|wish| wish.is_due(now).then_some(wish.stream))
    }

    /// When to call [`due`](Self::due).
    pub(super) fn deadline(&self) -> Option<Instant> {
        let held_back = self.wishes.iter().filter(|wish| wish.held_back);
        held_back.map(Wish::again_at).min()
    }
}

impl Wish {
    fn again_at(&self) -> Instant {
        self.told + KEY_FRAME_WISH_INTERVAL
    }

    /// Whether it is to be told now; if so it counts as told.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.held_back && self.again_at() <= now;
        if due {
            self.held_back = false;
            self.told = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StreamId = StreamId(1);
    const TWO: StreamId = StreamId(2);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_wish_is_told_at_once_and_the_next_after_the_interval() {
        let now = Instant::now();
        let mut wishes = KeyFrameWishes::default();
        assert!(wishes.take(ONE, now) && wishes.take(TWO, now));
        assert_eq!(wishes.deadline(), None);
        assert!(!wishes.take(ONE, now + MS));
        assert_eq!(wishes.deadline(), Some(now + KEY_FRAME_WISH_INTERVAL));
        assert_eq!(wishes.due(now + KEY_FRAME_WISH_INTERVAL - MS), None);
        assert_eq!(wishes.due(now + KEY_FRAME_WISH_INTERVAL), Some(ONE));
        assert_eq!(wishes.due(now + KEY_FRAME_WISH_INTERVAL), None);
        assert!(wishes.take(TWO, now + KEY_FRAME_WISH_INTERVAL));
    }

    #[test]
    fn a_flood_of_wishes_is_five_a_second() {
        let now = Instant::now();
        let mut wishes = KeyFrameWishes::default();
        let told = (0..10_000).filter(|number| wishes.take(ONE, now + MS * *number));
        assert_eq!(told.count(), 50);
    }
}
