//! What happens when a shard panics: its sessions end with a reason, and another shard takes its place in the same thread, on
//! the same ports.
//!
//! The closures that take events run in the shard, too, and what they do may be the reason. So each step of the recovery is
//! guarded by itself: what panics again is left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::inbox::{Inbox, Taken};
use super::port::{Network, Ports};
use super::shard::Shard;
use super::statistics::count;
use super::thread::{self, Waiting};

/// Runs shards, one after the other if they panic, until the inbox says stop.
pub(super) fn run(
    new_shard: impl Fn() -> Shard,
    mut waiting: Waiting,
    mut ports: Ports,
    inbox: &Inbox,
) {
    let mut shard = new_shard();
    let mut taken = Taken::default();
    loop {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            thread::run(&mut waiting, &mut ports, &mut shard, inbox, &mut taken);
        }));
        if ended.is_ok() {
            return;
        }
        count(&inbox.counters.shards_failed, 1);
        tracing::error!("a shard panicked; its sessions end, and another takes its place");
        let failed = std::mem::replace(&mut shard, new_shard());
        let now = Instant::now();
        let mut viewers = Vec::new();
        guard(|| viewers = failed.into_viewers());
        for viewer in viewers {
            guard(|| shard.end_viewer_of_failed(viewer, now, &mut ports));
        }
        if let Some((publication, viewer)) = taken.current.take() {
            guard(|| shard.end_failed(&publication, viewer, now));
        }
        guard(|| ports.flush());
    }
}

fn guard(step: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(step)).is_err() {
        tracing::error!("a part of the recovery of a shard panicked; it is left out");
    }
}
