//! The latest frames of a source, from which a snapshot can be made when it is asked for.
//!
//! The threads of GStreamer add frames; requests wait for them. Encoded frames are kept since the last key frame. A raw
//! frame is kept only while one is waited for: it may be large, and its buffer one of few.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::sync::Notify;

use super::group::FrameGroup;

/// Older frames say nothing of what the camera sees now.
const MAX_AGE: Duration = Duration::from_secs(10);

/// What a snapshot is made of.
#[derive(Clone, Debug)]
pub(super) enum Frames {
    Raw(gst::Sample),
    /// The last of these, which need each other.
    Encoded(Vec<gst::Sample>),
}

/// The latest frames of one source.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Of which source frames are taken.
    source: u64,
    group: FrameGroup,
    group_at: Option<Instant>,
    raw: Option<gst::Sample>,
    /// How many wait for frames.
    waiting: usize,
}

/// One that waits, until it is dropped.
struct Waiting<'a>(&'a Latest);

impl Latest {
    /// Forgets everything: what comes next is of another source, whose number is returned.
    pub(super) fn reset(&self) -> u64 {
        let mut state = self.lock();
        state.group = FrameGroup::default();
        state.raw = None;
        state.source += 1;
        state.source
    }

    /// Adds a frame as it comes from a source; what an earlier one still has is ignored.
    pub(super) fn add(&self, source: u64, sample: &gst::Sample) {
        let mut state = self.lock();
        if state.source != source {
            return;
        }
        let is_raw = sample
            .caps()
            .and_then(|caps| caps.structure(0))
            .is_some_and(|caps| caps.has_name("video/x-raw"));
        if is_raw {
            if state.waiting == 0 {
                return;
            }
            state.raw = Some(sample.clone());
        } else {
            state.group.add(sample);
            state.group_at = Some(Instant::now());
        }
        if state.waiting > 0 {
            self.changed.notify_waiters();
        }
    }

    /// The latest frames, as soon as there are any that are not old.
    pub(super) async fn frames(&self) -> Frames {
        self.lock().waiting += 1;
        let _waiting = Waiting(self);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            if let Some(frames) = self.lock().frames() {
                return frames;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn frames(&self) -> Option<Frames> {
        if let Some(raw) = &self.raw {
            return Some(Frames::Raw(raw.clone()));
        }
        let is_old = self.group_at.is_none_or(|at| at.elapsed() > MAX_AGE);
        if is_old {
            return None;
        }
        match self.group.samples() {
            [] => Some(Frames::Encoded(vec![self.group.key_frame()?.clone()])),
            samples => Some(Frames::Encoded(samples.to_vec())),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting -= 1;
        if state.waiting == 0 {
            state.raw = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn sample(media_type: &str) -> gst::Sample {
        let buffer = gst::Buffer::with_size(1).expect("memory");
        let caps = gst::Caps::new_empty_simple(media_type);
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    #[tokio::test]
    async fn raw_frame_is_kept_only_while_one_is_waited_for() {
        gst::init().expect("GStreamer starts");
        let latest = Arc::new(Latest::default());
        let source = latest.reset();
        latest.add(source, &sample("video/x-raw"));
        assert!(latest.lock().raw.is_none());
        let waiting = tokio::spawn({
            let latest = Arc::clone(&latest);
            async move { latest.frames().await }
        });
        while latest.lock().waiting == 0 {
            tokio::task::yield_now().await;
        }
        latest.add(source, &sample("video/x-raw"));
        assert!(matches!(waiting.await, Ok(Frames::Raw(_))));
        assert!(latest.lock().raw.is_none());
    }

    #[tokio::test]
    async fn encoded_frames_are_there_at_once_until_another_source_begins() {
        gst::init().expect("GStreamer starts");
        let latest = Latest::default();
        let source = latest.reset();
        latest.add(source, &sample("video/x-vp8"));
        let Frames::Encoded(samples) = latest.frames().await else {
            panic!("it is encoded");
        };
        assert_eq!(samples.len(), 1);
        latest.reset();
        latest.add(source, &sample("video/x-vp8"));
        let waited = tokio::time::timeout(Duration::from_millis(1), latest.frames()).await;
        assert!(waited.is_err());
        assert_eq!(latest.lock().waiting, 0);
    }
}
