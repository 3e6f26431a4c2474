//! How much of what a camera sends over UDP is lost on the way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

/// Over how long losses are added up.
const WINDOW: Duration = Duration::from_secs(10);

/// So few packets say nothing.
const MIN_PACKETS: u64 = 200;

/// The share of packets that may be lost: with more, every second of a picture shows it.
const MAX_SHARE: f64 = 0.02;

/// The buffers that put packets of a source in order, which know what is missing.
#[derive(Debug)]
pub(super) struct Losses {
    buffers: Mutex<Vec<glib::WeakRef<gst::Element>>>,
    window: Mutex<Window>,
}

/// What was counted when the window began.
#[derive(Debug)]
struct Window {
    began: Instant,
    before: Count,
}

/// Packets since a source began.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    arrived: u64,
    lost: u64,
}

impl Losses {
    /// Watches an `rtspsrc`.
    pub(super) fn watch(source: &gst::Element) -> Arc<Self> {
        let losses = Arc::new(Self {
            buffers: Mutex::default(),
            window: Mutex::new(Window {
                began: Instant::now(),
                before: Count::default(),
            }),
        });
        let watched = Arc::downgrade(&losses);
        source.connect("new-manager", false, move |values| {
            let manager = values.get(1)?.get::<gst::Element>().ok()?;
            let watched = watched.clone();
            manager.connect("new-jitterbuffer", false, move |values| {
                let buffer = values.get(1)?.get::<gst::Element>().ok()?;
                let losses = watched.upgrade()?;
                losses.lock().push(buffer.downgrade());
                None
            });
            None
        });
        losses
    }

    /// The share of packets that were lost lately, if it is too large.
    pub(super) fn too_large(&self) -> Option<f64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.elapsed() < WINDOW {
            return None;
        }
        let now = self.count();
        let before = std::mem::replace(&mut window.before, now);
        window.began = Instant::now();
        now.share_since(before).filter(|share| *share > MAX_SHARE)
    }

    fn count(&self) -> Count {
        let mut sum = Count::default();
        for buffer in self.lock().iter().filter_map(glib::WeakRef::upgrade) {
            let statistics: gst::Structure = buffer.property("stats");
            let read = |name: &str| statistics.get::<u64>(name).unwrap_or_default();
            sum.arrived += read("num-pushed");
            sum.lost += read("num-lost");
        }
        sum
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<glib::WeakRef<gst::Element>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    /// None if too few packets were sent.
    fn share_since(self, before: Self) -> Option<f64> {
        let arrived = self.arrived.saturating_sub(before.arrived);
        let lost = self.lost.saturating_sub(before.lost);
        let all = arrived + lost;
        #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
        let share = lost as f64 / all as f64;
        (all >= MIN_PACKETS).then_some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_losses_counts_what_came_since() {
        let count = |arrived, lost| Count { arrived, lost };
        let share = count(1_180, 20).share_since(count(1_000, 0));
        assert_eq!(share, Some(0.1));
        assert_eq!(count(100, 99).share_since(Count::default()), None);
    }
}
