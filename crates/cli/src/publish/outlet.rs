//! Where the buffers of sources go in: the lanes of an output, which stay while sources come and go.
//!
//! # Contract
//!
//! * An [`Outlet`] belongs to an output. It is opened when the output plays, and closed when it does not.
//! * Each source has a [`Feed`], which shifts its timestamps to where the output is. [`Feed::push`] is called by
//!   the source's streaming threads and waits: while the outlet is closed, unless the source is live, and while
//!   enough is on its way. [`Feed::stop`] ends the waiting, for good.
//! * What comes encoded from a live source while the outlet is closed is kept from its last key frame on, since the
//!   next may be far away; all else is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::group::FrameGroup;
use super::kind::Kind;
use super::latest::Latest;

/// How long before it is due a file's first picture is sent on its way.
const LEAD: i64 = 100_000_000;

/// How far the timestamps of a live source may be from the clock; further, it has a clock of its own.
const LIVE_TOLERANCE: i64 = 2_000_000_000;

/// A picture without a duration.
const USUAL_DURATION: i64 = 33_000_000;

/// The clock that all pipelines of the command share, and when it began.
#[derive(Clone, Debug)]
pub(crate) struct SharedClock {
    clock: gst::Clock,
    base_time: gst::ClockTime,
}

/// The lanes of an output.
#[derive(Debug)]
pub(crate) struct Outlet {
    clock: SharedClock,
    /// What snapshots are made of; none if nobody can ask for any.
    latest: Option<Arc<Latest>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    video: Option<gst_app::AppSrc>,
    audio: Option<gst_app::AppSrc>,
    /// Where in running time what was pushed ends, in ns.
    end: i64,
}

/// A source's way into an outlet.
#[derive(Debug)]
pub(crate) struct Feed {
    outlet: Arc<Outlet>,
    /// What snapshots are made of, and the source's number there.
    latest: Option<(Arc<Latest>, u64)>,
    stopped: AtomicBool,
    state: Mutex<FeedState>,
}

#[derive(Debug)]
struct FeedState {
    /// None if nobody knows yet.
    live: Option<bool>,
    /// What is added to running times.
    offset: Option<i64>,
    /// When something came last.
    picture_at: Option<Instant>,
    sound_at: Option<Instant>,
    kept: FrameGroup,
}

/// For how long nothing came; none of what never came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) picture: Option<Duration>,
    pub(crate) sound: Option<Duration>,
}

impl Silence {
    /// For how long nothing at all came; none if nothing ever did.
    pub(crate) fn shortest(self) -> Option<Duration> {
        self.picture.into_iter().chain(self.sound).min()
    }

    /// Whether anything ever came.
    pub(crate) fn is_known(self) -> bool {
        self.picture.is_some() || self.sound.is_some()
    }
}

impl SharedClock {
    /// Begins now.
    pub(crate) fn start() -> Self {
        let clock = gst::SystemClock::obtain();
        Self {
            base_time: clock.time(),
            clock,
        }
    }

    /// Makes a pipeline go by this clock.
    pub(crate) fn apply(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_base_time(self.base_time);
        pipeline.set_start_time(gst::ClockTime::NONE);
    }

    fn now(&self) -> i64 {
        let now = self.clock.time().saturating_sub(self.base_time);
        i64::try_from(now.nseconds()).unwrap_or(i64::MAX)
    }
}

impl Outlet {
    pub(crate) fn new(clock: SharedClock, latest: Option<Arc<Latest>>) -> Self {
        Self {
            clock,
            latest,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn set_lane(&self, kind: Kind, lane: gst_app::AppSrc) {
        match kind {
            Kind::Video => self.lock().video = Some(lane),
            Kind::Audio => self.lock().audio = Some(lane),
        }
    }

    pub(crate) fn has_lane(&self, kind: Kind) -> bool {
        self.lock().lane(kind).is_some()
    }

    pub(crate) fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        self.lock().open = false;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// What came says nothing of what the source sees now.
    pub(crate) fn forget_latest(&self) {
        if let Some(latest) = &self.latest {
            let _ = latest.reset();
        }
    }

    /// Nothing will come any more.
    pub(crate) fn end(&self) {
        let state = self.lock();
        for lane in [&state.video, &state.audio].into_iter().flatten() {
            let _ = lane.end_of_stream();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&self, kind: Kind) -> Option<&gst_app::AppSrc> {
        match kind {
            Kind::Video => self.video.as_ref(),
            Kind::Audio => self.audio.as_ref(),
        }
    }
}

impl Feed {
    pub(crate) fn new(outlet: Arc<Outlet>, live: Option<bool>) -> Self {
        let latest = outlet.latest.clone();
        let latest = latest.map(|latest| {
            let source = latest.reset();
            (latest, source)
        });
        Self {
            outlet,
            latest,
            stopped: AtomicBool::new(false),
            state: Mutex::new(FeedState {
                live,
                offset: None,
                picture_at: None,
                sound_at: None,
                kept: FrameGroup::default(),
            }),
        }
    }

    /// Gives a sample to the output; waits as the module says.
    pub(crate) fn push(
        &self,
        kind: Kind,
        sample: &gst::Sample,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if kind == Kind::Video
            && let Some((latest, source)) = &self.latest
        {
            latest.add(*source, sample);
        }
        let Some(lane) = self.wait_for_lane(kind)? else {
            self.lock().kept.add(sample);
            return Ok(gst::FlowSuccess::Ok);
        };
        if kind == Kind::Video {
            // What was kept is of the past, and says nothing of where the source is now.
            self.find_offset(sample);
            let kept = std::mem::take(&mut self.lock().kept);
            for sample in kept.samples() {
                self.push_to(&lane, sample)?;
            }
        }
        self.push_to(&lane, sample)
    }

    fn push_to(
        &self,
        lane: &gst_app::AppSrc,
        sample: &gst::Sample,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.shifted(sample) {
            Some(sample) => match lane.push_sample(&sample) {
                // The output has just stopped for a while. A camera goes on; a file would run ahead.
                Err(gst::FlowError::Flushing) if self.is_live() => Ok(gst::FlowSuccess::Ok),
                pushed => pushed,
            },
            // Without a time nobody could say when to show it.
            None => Ok(gst::FlowSuccess::Ok),
        }
    }

    /// Whether the source is live, if it was not known.
    pub(crate) fn set_live(&self, live: impl FnOnce() -> bool) {
        let mut state = self.lock();
        if state.live.is_none() {
            state.live = Some(live());
        }
    }

    /// Something came, though it is not given to the output yet.
    pub(crate) fn note(&self, kind: Kind) {
        let now = Some(Instant::now());
        match kind {
            Kind::Video => self.lock().picture_at = now,
            Kind::Audio => self.lock().sound_at = now,
        }
    }

    /// For how long nothing came of each kind of which something came before.
    pub(crate) fn silence(&self) -> Silence {
        let state = self.lock();
        Silence {
            picture: state.picture_at.map(|at| at.elapsed()),
            sound: state.sound_at.map(|at| at.elapsed()),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Under the lock, lest somebody who has just looked goes to sleep.
        let _state = self.outlet.lock();
        self.outlet.changed.notify_all();
    }

    /// None if the sample is of no use now.
    fn wait_for_lane(&self, kind: Kind) -> Result<Option<gst_app::AppSrc>, gst::FlowError> {
        let live = self.is_live();
        let mut state = self.outlet.lock();
        loop {
            if self.stopped.load(Ordering::SeqCst) {
                return Err(gst::FlowError::Flushing);
            }
            if state.open {
                return Ok(state.lane(kind).cloned());
            }
            if live {
                return Ok(None);
            }
            state = self
                .outlet
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The sample with timestamps in the output's running time.
    fn shifted(&self, sample: &gst::Sample) -> Option<gst::Sample> {
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let mut buffer = sample.buffer_owned()?;
        let running =
            |time: Option<gst::ClockTime>| nanoseconds(segment.to_running_time_full(time?)?);
        let (pts, dts) = (running(buffer.pts()), running(buffer.dts()));
        let pts = pts.or(dts)?;
        let offset = self.offset(pts);
        let shift = |time: i64| {
            u64::try_from(time + offset)
                .ok()
                .map(gst::ClockTime::from_nseconds)
        };
        let (shifted, dts) = (shift(pts)?, dts.and_then(shift));
        let duration = buffer.duration().map(|time| time.nseconds());
        let duration = duration.and_then(|time| i64::try_from(time).ok());
        {
            let mut state = self.outlet.lock();
            state.end = state
                .end
                .max(pts + offset + duration.unwrap_or(USUAL_DURATION));
        }
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(shifted);
            buffer.set_dts(dts);
        }
        let caps = sample.caps_owned()?;
        Some(gst::Sample::builder().buffer(&buffer).caps(&caps).build())
    }

    /// Decides the offset by this sample, unless that was done.
    fn find_offset(&self, sample: &gst::Sample) {
        let running = || {
            let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
            let buffer = sample.buffer()?;
            let time = buffer.pts().or_else(|| buffer.dts())?;
            nanoseconds(segment.to_running_time_full(time)?)
        };
        if let Some(running) = running() {
            self.offset(running);
        }
    }

    /// Decided by the first buffer: a file goes on where the one before it ended, or begins now.
    fn offset(&self, first: i64) -> i64 {
        let mut state = self.lock();
        if let Some(offset) = state.offset {
            return offset;
        }
        let now = self.outlet.clock.now();
        let by_clock = state.live == Some(true) && (now - first).abs() < LIVE_TOLERANCE;
        let offset = if by_clock {
            0
        } else {
            self.outlet.lock().end.max(now + LEAD) - first
        };
        state.offset = Some(offset);
        offset
    }

    /// The running time of all pipelines of the command.
    pub(crate) fn now(&self) -> gst::ClockTime {
        let now = u64::try_from(self.outlet.clock.now()).unwrap_or_default();
        gst::ClockTime::from_nseconds(now)
    }

    /// Whether the source is live, as far as is known.
    pub(crate) fn is_live(&self) -> bool {
        self.lock().live.unwrap_or(false)
    }

    fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanoseconds(time: gst::Signed<gst::ClockTime>) -> Option<i64> {
    Some(match time {
        gst::Signed::Positive(time) => i64::try_from(time.nseconds()).ok()?,
        gst::Signed::Negative(time) => -i64::try_from(time.nseconds()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

    fn outlet() -> Arc<Outlet> {
        gst::init().expect("GStreamer starts");
        Arc::new(Outlet::new(SharedClock::start(), None))
    }

    fn frame(at: gst::ClockTime) -> gst::Sample {
        let mut buffer = gst::Buffer::new();
        {
            let buffer = buffer.get_mut().expect("nobody else has it");
            buffer.set_pts(at);
            buffer.set_duration(FRAME);
        }
        let caps = gst::Caps::new_empty_simple("video/x-vp8");
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        let sample = gst::Sample::builder().buffer(&buffer).caps(&caps);
        sample.segment(&segment).build()
    }

    fn pushed_at(feed: &Feed, at: gst::ClockTime) -> gst::ClockTime {
        let shifted = feed.shifted(&frame(at)).expect("it has a time");
        let pts = shifted.buffer().and_then(gst::BufferRef::pts);
        pts.expect("it has a time")
    }

    #[test]
    fn a_file_that_begins_again_goes_on_where_it_ended() {
        let outlet = outlet();
        let first = Feed::new(Arc::clone(&outlet), Some(false));
        let begin = pushed_at(&first, gst::ClockTime::ZERO);
        assert!(begin.nseconds() >= LEAD.unsigned_abs());
        let last = pushed_at(&first, gst::ClockTime::from_seconds(60));
        assert_eq!(last - begin, gst::ClockTime::from_seconds(60));
        let second = Feed::new(outlet, Some(false));
        assert_eq!(pushed_at(&second, gst::ClockTime::ZERO), last + FRAME);
    }

    #[test]
    fn live_sources_keep_their_times_unless_those_make_no_sense() {
        let outlet = outlet();
        let by_clock = Feed::new(Arc::clone(&outlet), Some(true));
        assert_eq!(
            pushed_at(&by_clock, gst::ClockTime::from_mseconds(5)),
            gst::ClockTime::from_mseconds(5)
        );
        let other = Feed::new(outlet, Some(true));
        let shifted = pushed_at(&other, gst::ClockTime::from_seconds(5_000));
        assert!(shifted < gst::ClockTime::from_seconds(60), "{shifted}");
    }

    #[test]
    fn a_closed_outlet_holds_files_up_until_they_are_stopped_and_cameras_never() {
        let outlet = outlet();
        let camera = Feed::new(Arc::clone(&outlet), Some(true));
        let sample = frame(gst::ClockTime::ZERO);
        assert!(camera.push(Kind::Video, &sample).is_ok());
        let file = Arc::new(Feed::new(outlet, None));
        let waiting = thread::spawn({
            let file = Arc::clone(&file);
            move || file.push(Kind::Video, &sample)
        });
        file.stop();
        let pushed = waiting.join().expect("it does not panic");
        assert_eq!(pushed, Err(gst::FlowError::Flushing));
    }
}
