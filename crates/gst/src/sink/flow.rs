//! What came through a pad, and how much of it can be played: for warnings about pads that get nothing usable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use wigwag_media::ids::StreamId;

/// How long a pad may be without data.
pub(super) const DATA_TIMEOUT: Duration = Duration::from_secs(5);

/// How long data may come of which nothing can be played.
pub(super) const USABLE_TIMEOUT: Duration = Duration::from_secs(2);

/// So many pictures out of order are no accident of the clock.
const REORDERED_TO_WARN: u32 = 3;

/// How often pads are looked at of which nothing usable came yet.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The counts of one pad; written by its streaming thread.
#[derive(Debug, Default)]
pub(super) struct Flow {
    received: AtomicBool,
    usable: AtomicBool,
    reordered: AtomicU32,
    /// How far the time of the latest buffer is ahead of the clock, in ns.
    ahead: AtomicU64,
}

/// The pads of a sink that runs, as the control thread looks after them.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pads: BTreeMap<StreamId, Pad>,
    look_at: Option<Instant>,
}

#[derive(Debug)]
struct Pad {
    name: String,
    flow: Arc<Flow>,
    /// Since when it could have got data.
    since: Option<Instant>,
    received_since: Option<Instant>,
    silent: bool,
    unusable: bool,
}

impl Flow {
    /// A buffer came; how far its time is ahead of the clock is asked as long as none was usable.
    pub(super) fn received(&self, ahead: impl FnOnce() -> Option<gst::ClockTime>) {
        if !self.usable.load(Ordering::Relaxed) {
            let ahead = ahead().map_or(0, gst::ClockTime::nseconds);
            self.ahead.store(ahead, Ordering::Relaxed);
            self.received.store(true, Ordering::Relaxed);
        }
    }

    /// Nothing came.
    pub(super) fn reset(&self) {
        self.received.store(false, Ordering::Relaxed);
        self.usable.store(false, Ordering::Relaxed);
        self.reordered.store(0, Ordering::Relaxed);
    }

    /// A picture came that is shown before the one that came before it. Whether that is now no accident.
    pub(super) fn reordered(&self) -> bool {
        let before = self.reordered.load(Ordering::Relaxed);
        self.reordered
            .store(before.saturating_add(1), Ordering::Relaxed);
        before.saturating_add(1) == REORDERED_TO_WARN
    }

    /// What comes from now on may be of another order.
    pub(super) fn reset_order(&self) {
        self.reordered.store(0, Ordering::Relaxed);
    }

    /// A buffer goes to renditions.
    pub(super) fn usable(&self) {
        if !self.usable.load(Ordering::Relaxed) {
            self.usable.store(true, Ordering::Relaxed);
        }
    }
}

impl Watched {
    pub(super) fn add(&mut self, stream: StreamId, name: String, flow: Arc<Flow>) {
        let pad = Pad {
            name,
            flow,
            since: None,
            received_since: None,
            silent: false,
            unusable: false,
        };
        self.pads.insert(stream, pad);
        self.look_at = Some(Instant::now());
    }

    pub(super) fn remove(&mut self, stream: StreamId) {
        self.pads.remove(&stream);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.pads.is_empty()
    }

    /// The pads that viewers wait for: all but those that were warned of.
    pub(super) fn awaited(&self) -> impl Iterator<Item = StreamId> {
        let awaited = self.pads.iter().filter(|(_, pad)| !pad.silent);
        awaited.map(|(stream, _)| *stream)
    }

    /// When to look next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Looks, if it is time to; gives what the user should know. Nothing can come unless the element is playing.
    pub(super) fn look(&mut self, now: Instant, playing: impl FnOnce() -> bool) -> Vec<String> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let playing = playing();
        let said = self.pads.values_mut();
        let said = said.filter_map(|pad| pad.look(now, playing)).collect();
        let unsettled = self.pads.values().any(|pad| !pad.is_settled());
        self.look_at = unsettled.then(|| now + LOOK_INTERVAL);
        said
    }
}

impl Pad {
    fn look(&mut self, now: Instant, playing: bool) -> Option<String> {
        if self.is_settled() {
            return None;
        }
        if !playing {
            (self.since, self.received_since) = (None, None);
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let name = &self.name;
        if !self.flow.received.load(Ordering::Relaxed) {
            if self.silent || now.saturating_duration_since(since) < DATA_TIMEOUT {
                return None;
            }
            self.silent = true;
            return Some(format!(
                "{name} gets no data since {} s: check what is in front of it. The other pads are offered without it",
                DATA_TIMEOUT.as_secs()
            ));
        }
        let received_since = *self.received_since.get_or_insert(now);
        if now.saturating_duration_since(received_since) < USABLE_TIMEOUT {
            return None;
        }
        self.unusable = true;
        let ahead = Duration::from_nanos(self.flow.ahead.load(Ordering::Relaxed));
        let what = if ahead > USABLE_TIMEOUT {
            format!(
                "their time stamps are {} s ahead of the pipeline's clock",
                ahead.as_secs()
            )
        } else {
            "their time stamps are outside of their segment".to_owned()
        };
        Some(format!(
            "{name} gets buffers of which none can be played for {} s: {what}. Let the source set them \
             (do-timestamp=true), or leave them out (identity, single-segment=true, in front of the sink)",
            USABLE_TIMEOUT.as_secs()
        ))
    }

    fn is_settled(&self) -> bool {
        self.unusable || self.flow.usable.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1);

    fn watched() -> (Watched, Arc<Flow>, Instant) {
        let mut watched = Watched::default();
        let flow = Arc::new(Flow::default());
        watched.add(STREAM, "audio_0".to_owned(), Arc::clone(&flow));
        (watched, flow, Instant::now())
    }

    /// What is said up to a time, at which it is looked at every tenth of a second.
    fn said(watched: &mut Watched, from: Instant, seconds: f64) -> Vec<String> {
        let looks = (0..(seconds * 10.0) as u32).map(|tenth| from + tenth * LOOK_INTERVAL * 2 / 5);
        looks.flat_map(|now| watched.look(now, || true)).collect()
    }

    #[test]
    fn silent_pad_is_named_once_and_not_waited_for() {
        let (mut watched, _, begin) = watched();
        assert_eq!(said(&mut watched, begin, 4.9), Vec::<String>::new());
        assert_eq!(watched.awaited().count(), 1);
        let text = said(&mut watched, begin, 20.0);
        assert!(text.len() == 1 && text[0].contains("audio_0"), "{text:?}");
        assert_eq!(watched.awaited().count(), 0);
    }

    #[test]
    fn pad_of_a_paused_element_is_no_reason_to_warn() {
        let (mut watched, _, begin) = watched();
        for second in 0..60 {
            let now = begin + Duration::from_secs(second);
            assert_eq!(watched.look(now, || false), Vec::<String>::new());
        }
    }

    #[test]
    fn buffers_of_no_use_are_explained_by_their_times() {
        for (ahead, part) in [(3_600, "3600 s ahead"), (0, "outside of their segment")] {
            let (mut watched, flow, begin) = watched();
            flow.received(|| Some(gst::ClockTime::from_seconds(ahead)));
            assert_eq!(said(&mut watched, begin, 1.9), Vec::<String>::new());
            let text = said(&mut watched, begin, 20.0);
            assert!(text.len() == 1 && text[0].contains(part), "{text:?}");
        }
    }

    #[test]
    fn pad_that_flows_is_not_looked_at_again() {
        let (mut watched, flow, begin) = watched();
        flow.received(|| None);
        flow.usable();
        assert_eq!(said(&mut watched, begin, 20.0), Vec::<String>::new());
        assert_eq!(watched.deadline(), None);
    }
}
