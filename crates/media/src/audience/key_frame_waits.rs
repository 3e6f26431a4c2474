//! Viewers that wait for a key frame of a stream that comes encoded, and what they get meanwhile.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Audience;
use crate::ids::{StreamId, ViewerId};

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct KeyFrameWaits {
    /// Also some that do not any more.
    waiting: BTreeSet<(StreamId, ViewerId)>,
    /// When the first of them has waited long enough, or sooner.
    first_due: Option<Instant>,
}

impl KeyFrameWaits {
    /// When to call [`Audience::help_those_who_wait`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.first_due
    }
}

impl Audience {
    /// A viewer waits for a key frame of the source of a stream, since `now` unless it waits already.
    pub(super) fn begin_to_wait(&mut self, viewer: ViewerId, stream: StreamId, now: Instant) {
        let Some(watched) = self.watched(viewer, stream) else {
            return;
        };
        watched.waits_since.get_or_insert(now);
        self.waits.waiting.insert((stream, viewer));
        if let Some(deadline) = self.patience_ends(viewer, stream) {
            let first = self.waits.first_due;
            self.waits.first_due = Some(first.map_or(deadline, |first| first.min(deadline)));
        }
        self.help_those_who_wait(now);
    }

    /// The viewers that wait for a key frame of a stream have it.
    pub(super) fn end_waits(&mut self, stream: StreamId) {
        let first = (stream, ViewerId(0));
        let last = (stream, ViewerId(u64::MAX));
        let of_stream: Vec<_> = self.waits.waiting.range(first..=last).copied().collect();
        for (stream, viewer) in of_stream {
            self.waits.waiting.remove(&(stream, viewer));
            if let Some(watched) = self.watched(viewer, stream) {
                watched.waits_since = None;
            }
        }
        self.find_first_due();
    }

    /// Lets those who waited long enough have what is transcoded, until the source's next key frame.
    pub(super) fn help_those_who_wait(&mut self, now: Instant) {
        if self.waits.first_due.is_none_or(|due| due > now) {
            return;
        }
        let waiting = self.waits.waiting.iter().copied();
        let due = waiting.filter(|(stream, viewer)| {
            let deadline = self.patience_ends(*viewer, *stream);
            deadline.is_some_and(|deadline| deadline <= now)
        });
        let due: Vec<_> = due.collect();
        for (stream, viewer) in &due {
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
            self.mark(*viewer);
        }
        self.find_first_due();
        if !due.is_empty() {
            self.assign(None, now);
        }
    }

    /// Until when a viewer waits that takes another codec.
    pub(super) fn patience_ends(&self, viewer: ViewerId, stream: StreamId) -> Option<Instant> {
        let watched = self.viewers.get(&viewer)?.streams.get(&stream)?;
        let since = watched.waits_since?;
        watched.alternative()?;
        Some(since + self.sources.get(&stream)?.patience(since))
    }

    /// Finds who of those that wait has waited long enough first.
    pub(super) fn find_first_due(&mut self) {
        let mut waiting = std::mem::take(&mut self.waits.waiting);
        waiting.retain(|(stream, viewer)| {
            let watching = self.viewers.get(viewer);
            let watched = watching.and_then(|watching| watching.streams.get(stream));
            watched.is_some_and(|watched| watched.waits_since.is_some())
        });
        let due = waiting.iter();
        let due = due.filter_map(|(stream, viewer)| self.patience_ends(*viewer, *stream));
        self.waits.first_due = due.min();
        self.waits.waiting = waiting;
    }
}
