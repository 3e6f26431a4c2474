//! What all shards count.

use std::sync::atomic::{AtomicU64, Ordering};

/// What an engine did since it started, all shards together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatistics {
    /// Datagrams handed to the system.
    pub datagrams_sent: u64,
    /// Calls of the system that it took; fewer than datagrams, thanks to segmentation offload.
    pub send_calls: u64,
    /// Datagrams that the system did not take: a full socket, or no way there.
    pub datagrams_not_sent: u64,
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Those of them that belong to no session, or that their session has no use for.
    pub datagrams_unknown: u64,
    /// Those of them that were thrown away because a viewer or an unknown source sent more than it may: see
    /// [`VIEWER_WORK_PER_SECOND`](super::VIEWER_WORK_PER_SECOND),
    /// [`VIEWER_ADDRESSES_AT_ONCE`](super::VIEWER_ADDRESSES_AT_ONCE) and
    /// [`UNKNOWN_SOURCES_CHECKS_PER_SECOND`](super::UNKNOWN_SOURCES_CHECKS_PER_SECOND).
    pub datagrams_over_limit: u64,
    /// Connectivity checks that were not sent, since nobody had answered there and they were too many: see
    /// [`VIEWER_CHECKS_AT_ONCE`](super::VIEWER_CHECKS_AT_ONCE) and [`CHECKS_PER_SECOND`](super::CHECKS_PER_SECOND).
    pub checks_withheld: u64,
    /// Frames that a shard was too busy to take.
    pub frames_missed: u64,
    /// Viewers that there are now, in all publications.
    pub viewers: u64,
    /// Viewers that were refused because there were as many as may be.
    pub viewers_refused: u64,
    /// Panics of shards. Each ended the sessions of a shard, which was replaced.
    pub shards_failed: u64,
}

/// The counters of one shard. Only its thread counts, but for the frames.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) send_calls: AtomicU64,
    pub(super) not_sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) over_limit: AtomicU64,
    pub(super) checks_withheld: AtomicU64,
    pub(super) frames_missed: AtomicU64,
    pub(super) viewers_refused: AtomicU64,
    pub(super) shards_failed: AtomicU64,
}

impl Counters {
    pub(super) fn add_to(&self, sum: &mut EngineStatistics) {
        sum.datagrams_sent += self.sent.load(Ordering::Relaxed);
        sum.send_calls += self.send_calls.load(Ordering::Relaxed);
        sum.datagrams_not_sent += self.not_sent.load(Ordering::Relaxed);
        sum.datagrams_received += self.received.load(Ordering::Relaxed);
        sum.datagrams_unknown += self.unknown.load(Ordering::Relaxed);
        sum.datagrams_over_limit += self.over_limit.load(Ordering::Relaxed);
        sum.viewers_refused += self.viewers_refused.load(Ordering::Relaxed);
        sum.shards_failed += self.shards_failed.load(Ordering::Relaxed);
        sum.checks_withheld += self.checks_withheld.load(Ordering::Relaxed);
        sum.frames_missed += self.frames_missed.load(Ordering::Relaxed);
    }
}

pub(super) fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}
