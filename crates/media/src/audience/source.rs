//! How far apart the key frames of a stream are that comes encoded, and whether it makes one when it is asked to.

use std::time::Duration;
use std::time::Instant;

/// Viewers wait this long for a key frame of a source whose key frames are no further apart, or of which nothing is known.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The same if its key frames are further apart: an encoder in the same pipeline that is asked for one makes it sooner.
pub const ANSWER_TIME: Duration = Duration::from_millis(500);

/// What is known of a source.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// When its last key frame came.
    last: Option<Instant>,
    /// How long after the one before.
    interval: Option<Duration>,
    /// Since when it has not answered.
    asked: Option<Instant>,
    /// Whether it does not make key frames when it is asked to.
    ignores: bool,
}

impl Source {
    /// A key frame came.
    pub(super) fn key_frame(&mut self, now: Instant) {
        let since = |time: Instant| now.saturating_duration_since(time);
        self.interval = self.last.map(since);
        self.last = Some(now);
        if let Some(asked) = self.asked.take()
            && since(asked) <= ANSWER_TIME
        {
            self.ignores = false;
        }
    }

    /// It was asked for a key frame.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// A viewer waited for a key frame as long as viewers do.
    pub(super) fn was_awaited_in_vain(&mut self, now: Instant) {
        let unanswered = |asked| now.saturating_duration_since(asked) >= ANSWER_TIME;
        self.ignores |= self.asked.is_some_and(unanswered);
    }

    /// How long a viewer waits that begins to wait now.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let age = self.last.map(|last| now.saturating_duration_since(last));
        let apart = age.max(self.interval);
        match apart.is_none_or(|apart| apart > PATIENCE) {
            false => PATIENCE,
            true if self.ignores => Duration::ZERO,
            true => ANSWER_TIME,
        }
    }
}
