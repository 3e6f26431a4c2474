//! Frames that wait for one viewer.
//!
//! Stands in front of str0m's send queue, which is unbounded and cannot be purged. It is bounded in
//! time: what is older than a viewer would want to see is not worth sending. Dropping one frame makes
//! all that follow up to the next key frame worthless, so those are dropped too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::frame::Frame;

/// Frames that may wait, however short they are: three seconds at 60 frames a second.
pub const MAX_WAITING_FRAMES: usize = 180;

/// Bytes that may wait, however much time they stand for.
pub const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// Frames of one stream that wait for one viewer, in order. A viewer never gets a frame that it
/// cannot decode.
#[derive(Debug)]
pub struct FrameQueue {
    max_wait: Duration,
    waiting: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// Whether only a key frame can follow.
    needs_key_frame: bool,
    dropped: u64,
}

impl FrameQueue {
    /// An empty queue whose first frame will be a key frame. Between its oldest and its newest frame
    /// there is at most `max_wait`.
    pub fn new(max_wait: Duration) -> Self {
        Self {
            max_wait,
            waiting: VecDeque::new(),
            bytes: 0,
            needs_key_frame: true,
            dropped: 0,
        }
    }

    /// Lets a frame wait. True if it can be sent in its turn; false if it was dropped, and then the
    /// viewer needs a key frame.
    pub fn push(&mut self, frame: Arc<Frame>) -> bool {
        if self.needs_key_frame && !frame.key {
            self.dropped += 1;
            return false;
        }
        self.needs_key_frame = false;
        self.bytes += frame.bytes();
        self.waiting.push_back(frame);
        if !self.is_too_long() {
            return true;
        }
        self.drop_up_to_last_key_frame();
        !self.needs_key_frame
    }

    /// Takes the frame whose turn it is.
    pub fn pop(&mut self) -> Option<Arc<Frame>> {
        let frame = self.waiting.pop_front()?;
        self.bytes -= frame.bytes();
        Some(frame)
    }

    /// Forgets everything, as when the viewer changes to another rendition; the next is a key frame.
    pub fn clear(&mut self) {
        self.dropped += self.waiting.len() as u64;
        self.waiting.clear();
        self.bytes = 0;
        self.needs_key_frame = true;
    }

    /// Whether only a key frame can follow.
    pub fn needs_key_frame(&self) -> bool {
        self.needs_key_frame
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How much time the waiting frames stand for.
    pub fn wait(&self) -> Duration {
        match (self.waiting.front(), self.waiting.back()) {
            (Some(oldest), Some(newest)) => newest
                .wall_clock
                .saturating_duration_since(oldest.wall_clock),
            _ => Duration::ZERO,
        }
    }

    /// Frames dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_too_long(&self) -> bool {
        self.wait() > self.max_wait
            || self.waiting.len() > MAX_WAITING_FRAMES
            || self.bytes > MAX_WAITING_BYTES
    }

    /// The last key frame and what follows it can still be decoded; if even that is too long, nothing
    /// is kept.
    fn drop_up_to_last_key_frame(&mut self) {
        let last_key_frame = self.waiting.iter().rposition(|frame| frame.key);
        match last_key_frame {
            Some(place) if place > 0 => {
                for frame in self.waiting.drain(..place) {
                    self.bytes -= frame.bytes();
                    self.dropped += 1;
                }
                if self.is_too_long() {
                    self.clear();
                }
            }
            _ => self.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::{RenditionId, StreamId};

    const FRAME: Duration = Duration::from_millis(33);

    fn frame(start: Instant, number: u32, key: bool, bytes: usize) -> Arc<Frame> {
        Arc::new(Frame {
            rendition: RenditionId {
                stream: StreamId(0),
                codec: 0,
                level: 0,
            },
            rtp_time: number * 3_000,
            wall_clock: start + FRAME * number,
            key,
            temporal_layer: 0,
            packets: vec![vec![0; bytes].into()],
        })
    }

    #[test]
    fn a_viewer_begins_with_a_key_frame() {
        let start = Instant::now();
        let mut queue = FrameQueue::new(Duration::from_secs(1));
        assert!(!queue.push(frame(start, 0, false, 10)));
        assert!(queue.push(frame(start, 1, true, 10)));
        assert!(queue.push(frame(start, 2, false, 10)));
        assert!(queue.pop().expect("a frame").key);
    }

    #[test]
    fn a_viewer_that_falls_behind_goes_on_with_the_next_key_frame() {
        let start = Instant::now();
        let mut queue = FrameQueue::new(FRAME * 10);
        assert!(queue.push(frame(start, 0, true, 10)));
        for number in 1..=10 {
            assert!(queue.push(frame(start, number, false, 10)));
        }
        assert!(
            !queue.push(frame(start, 11, false, 10)),
            "too late for these"
        );
        assert!(queue.needs_key_frame());
        assert_eq!((queue.pop(), queue.dropped()), (None, 12));
        assert!(!queue.push(frame(start, 12, false, 10)));
        assert!(queue.push(frame(start, 13, true, 10)));
    }

    #[test]
    fn a_key_frame_that_waits_is_kept() {
        let start = Instant::now();
        let mut queue = FrameQueue::new(FRAME * 10);
        assert!(queue.push(frame(start, 0, true, 10)));
        for number in 1..8 {
            assert!(queue.push(frame(start, number, false, 10)));
        }
        for number in 8..=12 {
            assert!(queue.push(frame(start, number, number == 8, 10)));
        }
        assert_eq!(queue.pop().expect("a frame").rtp_time, 8 * 3_000);
    }

    #[test]
    fn bytes_and_frames_are_bounded_too() {
        let start = Instant::now();
        let mut queue = FrameQueue::new(Duration::from_secs(3_600));
        assert!(queue.push(frame(start, 0, true, MAX_WAITING_BYTES)));
        assert!(!queue.push(frame(start, 1, false, 1)));
        let mut queue = FrameQueue::new(Duration::from_secs(3_600));
        for number in 0..MAX_WAITING_FRAMES as u32 {
            assert!(queue.push(frame(start, number, number == 0, 1)));
        }
        assert!(!queue.push(frame(start, MAX_WAITING_FRAMES as u32, false, 1)));
    }

    proptest! {
        /// Whatever comes and goes: what a viewer gets can be decoded, and never waits too long.
        #[test]
        fn a_viewer_gets_only_what_it_can_decode(
            steps in proptest::collection::vec((any::<bool>(), 0..4u8, 0..20u8), 1..300),
        ) {
            let start = Instant::now();
            let max_wait = FRAME * 10;
            let mut queue = FrameQueue::new(max_wait);
            let mut last: Option<u32> = None;
            for (number, (pop, takes, key)) in steps.into_iter().enumerate() {
                let number = number as u32;
                queue.push(frame(start, number, key == 0, 100));
                prop_assert!(queue.wait() <= max_wait);
                for _ in 0..if pop { takes } else { 0 } {
                    let Some(frame) = queue.pop() else { break };
                    let this = frame.rtp_time / 3_000;
                    prop_assert!(frame.key || last.is_some_and(|last| last + 1 == this));
                    last = Some(this);
                }
            }
            while queue.pop().is_some() {}
            prop_assert_eq!(queue.bytes, 0);
        }
    }
}
