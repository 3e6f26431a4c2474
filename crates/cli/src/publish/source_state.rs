//! What the threads of a source find out about it, share and report.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::elements::broken;
use super::event::{Failure, SourceEvent, SourceReporter};
use super::kind::Kind;
use super::missing;
use super::outlet::Feed;

/// What was done with the tracks of sources before, so that viewers can stay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// By kind: the media type that was passed through, or none for what was encoded.
    pub(crate) video: Option<Option<String>>,
    pub(crate) audio: Option<Option<String>>,
}

const UNKNOWN_CERTIFICATE: &str = "its certificate is signed by nobody that is trusted; --source-cafile FILE names it or \
     its authority, and --insecure-source-tls takes any";

/// What the threads of a source share.
pub(super) struct SourceState {
    pipeline: glib::WeakRef<gst::Pipeline>,
    pub(super) feed: Feed,
    reporter: SourceReporter,
    before: Mutex<Before>,
    tracks: Mutex<Tracks>,
    /// What asks a server of HTTP, which alone knows whether there is an end.
    origin: Mutex<Option<glib::WeakRef<gst::Element>>>,
    /// Whether what it gives has no end; decided when something came.
    endless: OnceLock<bool>,
    /// JPEG pictures that came; other samples count as many.
    pictures: AtomicU32,
    is_certificate_refused: AtomicBool,
}

/// What is no JPEG picture counts as so many.
const SEVERAL_PICTURES: u32 = 2;

#[derive(Default)]
struct Tracks {
    /// Whether one was attached, and is ready.
    video: Option<bool>,
    audio: Option<bool>,
    /// Parsers that have not yet shown their tracks.
    parsing: usize,
    /// Whether the source has shown all its pads.
    all_pads: bool,
    complete: bool,
    failed: bool,
    /// The line about the latest plugin that was found missing.
    missing: Option<String>,
}

impl SourceState {
    /// For a source with this pipeline, whose messages are read from now on.
    pub(super) fn watch(
        pipeline: &gst::Pipeline,
        feed: Feed,
        before: Before,
        reporter: SourceReporter,
    ) -> Arc<Self> {
        let shared = Arc::new(Self {
            pipeline: pipeline.downgrade(),
            feed,
            reporter,
            before: Mutex::new(before),
            tracks: Mutex::default(),
            origin: Mutex::default(),
            endless: OnceLock::new(),
            pictures: AtomicU32::new(0),
            is_certificate_refused: AtomicBool::new(false),
        });
        watch(pipeline, &shared);
        shared
    }

    /// What was done with the tracks, for the source after this one.
    pub(super) fn done(&self) -> Before {
        let before = self.before.lock();
        before.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The source has shown all its pads.
    pub(super) fn all_pads_are_there(&self) {
        self.tracks().all_pads = true;
        self.check_complete();
    }

    /// To be called when the certificate of the source is refused.
    pub(super) fn certificate_refused(self: &Arc<Self>) -> impl Fn() + Send + Sync + use<> {
        let shared = Arc::downgrade(self);
        move || {
            if let Some(shared) = shared.upgrade() {
                shared.is_certificate_refused.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn set_origin(&self, element: &gst::Element) {
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        *origin = Some(element.downgrade());
    }

    /// Whether what comes over HTTP has no end, as far as is known.
    pub(super) fn is_endless(&self) -> bool {
        self.endless.get().copied().unwrap_or(false)
    }

    /// Whether what comes over HTTP has no length, in time and, unless a playlist leads to it, in bytes.
    fn has_no_length(&self) -> bool {
        let origin = {
            let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
            origin.as_ref().and_then(glib::WeakRef::upgrade)
        };
        let (Some(origin), Some(pipeline)) = (origin, self.pipeline.upgrade()) else {
            return false;
        };
        let has_bytes = || origin.query_duration::<gst::format::Bytes>().is_some();
        pipeline.query_duration::<gst::ClockTime>().is_none()
            && (is_adaptive(&pipeline) || !has_bytes())
    }

    /// A sample came of what has this media type.
    pub(super) fn count(&self, media_type: &str) {
        self.endless.get_or_init(|| self.has_no_length());
        let weight = match media_type {
            "image/jpeg" => 1,
            _ => SEVERAL_PICTURES,
        };
        let counted = self.pictures.load(Ordering::Relaxed).saturating_add(weight);
        self.pictures.store(counted, Ordering::Relaxed);
    }

    /// Whether one JPEG picture came over HTTP, and no more.
    pub(super) fn is_single_picture(&self) -> bool {
        let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        origin.is_some() && self.pictures.load(Ordering::Relaxed) == 1
    }

    pub(super) fn pipeline(&self) -> Result<gst::Pipeline, Failure> {
        self.pipeline.upgrade().ok_or_else(broken)
    }

    pub(super) fn fail(&self, mut failure: Failure) {
        {
            let mut tracks = self.tracks();
            if std::mem::replace(&mut tracks.failed, true) {
                return;
            }
            if let Some(missing) = tracks.missing.take() {
                failure = Failure {
                    text: missing,
                    lasting: true,
                };
            }
        }
        self.reporter.report(SourceEvent::Failed(failure));
    }

    /// A track is ready; it is passed through as this media type, or encoded.
    pub(super) fn settled(&self, kind: Kind, passed: Option<&str>, text: Option<String>) {
        {
            let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            let passed = Some(passed.map(str::to_owned));
            match kind {
                Kind::Video => before.video = passed,
                Kind::Audio => before.audio = passed,
            }
        }
        // In this order: who finds all tracks ready says so, and all must have been reported by then.
        self.reporter.report(SourceEvent::Settled { kind, text });
        *self.tracks().of(kind) = Some(true);
        self.check_complete();
    }

    /// Whether the track of this kind was encoded in a source before.
    pub(super) fn decoded_before(&self, kind: Kind) -> bool {
        matches!(self.before(kind), Some(None))
    }

    fn before(&self, kind: Kind) -> Option<Option<String>> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::Video => before.video.clone(),
            Kind::Audio => before.audio.clone(),
        }
    }

    /// A parser was added, which has yet to show its tracks.
    pub(super) fn parser_added(&self) {
        self.tracks().parsing += 1;
    }

    /// One of the parsers shows its tracks.
    pub(super) fn parser_shows_tracks(&self) {
        let mut tracks = self.tracks();
        tracks.parsing = tracks.parsing.saturating_sub(1);
    }

    /// Adds a track, which is not ready yet, unless there is one of the kind; whether it was added.
    pub(super) fn add_track(&self, kind: Kind) -> bool {
        let mut tracks = self.tracks();
        let track = tracks.of(kind);
        let first = track.is_none();
        track.get_or_insert(false);
        first
    }

    /// Something is not published, or not as it might be; one line, for the user.
    pub(super) fn lacks(&self, text: String) {
        self.reporter.report(SourceEvent::Lacks(text));
    }

    fn check_complete(&self) {
        {
            let mut tracks = self.tracks();
            let kinds = [tracks.video, tracks.audio];
            let complete = tracks.all_pads
                && tracks.parsing == 0
                && kinds.contains(&Some(true))
                && !kinds.contains(&Some(false));
            if !complete || std::mem::replace(&mut tracks.complete, true) {
                return;
            }
        }
        self.reporter.report(SourceEvent::Complete);
    }

    fn on_message(&self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Error(message) => {
                let error = message.error();
                let lasting = error.matches(gst::ResourceError::NotFound)
                    || error.matches(gst::ResourceError::NotAuthorized)
                    || error.kind::<gst::StreamError>().is_some()
                    || error.kind::<gst::CoreError>().is_some();
                if self.is_certificate_refused.load(Ordering::Relaxed) || names_certificate(message)
                {
                    return self.fail(Failure {
                        text: UNKNOWN_CERTIFICATE.to_owned(),
                        lasting: true,
                    });
                }
                self.fail(Failure {
                    text: in_words(message),
                    lasting,
                });
            }
            gst::MessageView::Element(element) => {
                if let Some(line) = element.structure().and_then(missing::describe) {
                    self.tracks().missing = Some(line);
                }
            }
            gst::MessageView::Eos(_) => {
                let empty = {
                    let tracks = self.tracks();
                    tracks.video.is_none() && tracks.audio.is_none()
                };
                if empty {
                    self.fail(Failure {
                        text: "it has neither pictures nor sound".to_owned(),
                        lasting: true,
                    });
                } else {
                    self.reporter.report(SourceEvent::Ended);
                }
            }
            _ => {}
        }
    }

    fn tracks(&self) -> MutexGuard<'_, Tracks> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracks {
    fn of(&mut self, kind: Kind) -> &mut Option<bool> {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }
}

/// Whether what is asked for over HTTP is a playlist (HLS, DASH).
fn is_adaptive(pipeline: &gst::Pipeline) -> bool {
    let mut elements = pipeline.iterate_recurse().into_iter().flatten();
    elements.any(|element| {
        let factory = element.factory();
        factory.is_some_and(|factory| {
            let class = factory.metadata(gst::ELEMENT_METADATA_KLASS);
            class.is_some_and(|class| class.contains("Adaptive"))
        })
    })
}

/// Whether an error is about the certificate of a source.
fn names_certificate(message: &gst::message::Error) -> bool {
    let names = |text: &str| text.to_ascii_lowercase().contains("certificate");
    names(message.error().message()) || message.debug().as_deref().is_some_and(names)
}

/// The reason of an error, without the names of elements and files.
fn in_words(message: &gst::message::Error) -> String {
    let (error, debug) = (message.error(), message.debug());
    let words = |text: &str| text.trim().trim_end_matches('.').to_owned();
    if error.matches(gst::StreamError::Failed) && error.message().starts_with("Internal") {
        return "it cannot be read".to_owned();
    }
    if error.matches(gst::ResourceError::NotAuthorized) {
        return "it refuses the user or password, or asks for them".to_owned();
    }
    // Of resources, elements say in general what kind of failure it is, and the reason behind the first line.
    let reason = debug.as_deref().and_then(|debug| debug.split_once('\n'));
    let reason = reason.and_then(|(_, reason)| reason.lines().last());
    let reason = reason.and_then(|reason| reason.split(" (").next());
    // Elements repeat addresses, with all that is in them.
    let is_fit = |text: &&str| !text.is_empty() && !text.contains("://");
    let is_resource = error.kind::<gst::ResourceError>().is_some();
    let reason = reason.filter(|_| is_resource).filter(is_fit);
    match reason.or_else(|| Some(error.message()).filter(is_fit)) {
        Some(text) => words(text),
        None => "it cannot be opened".to_owned(),
    }
}

fn watch(pipeline: &gst::Pipeline, shared: &Arc<SourceState>) {
    let Some(bus) = pipeline.bus() else {
        return;
    };
    let shared = Arc::downgrade(shared);
    bus.set_sync_handler(move |_, message| {
        if let Some(shared) = shared.upgrade() {
            shared.on_message(message);
        }
        gst::BusSyncReply::Drop
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::super::event::Event;
    use super::super::outlet::{Outlet, SharedClock};
    use super::*;

    const ROUNDS: usize = 2_000;

    #[test]
    fn tracks_that_settle_at_the_same_time_are_all_reported_before_the_source_is_complete() {
        gst::init().expect("GStreamer starts");
        for _ in 0..ROUNDS {
            let (events, received) = channel();
            let outlet = Arc::new(Outlet::new(SharedClock::start(), None));
            let reporter = SourceReporter {
                channel: 0,
                source: 0,
                events,
            };
            let pipeline = gst::Pipeline::new();
            let feed = Feed::new(outlet, Some(false));
            let state = SourceState::watch(&pipeline, feed, Before::default(), reporter);
            state.add_track(Kind::Video);
            state.add_track(Kind::Audio);
            state.all_pads_are_there();
            let (begin, state) = (&Barrier::new(2), &state);
            thread::scope(|scope| {
                for kind in [Kind::Video, Kind::Audio] {
                    scope.spawn(move || {
                        begin.wait();
                        state.settled(kind, None, None);
                    });
                }
            });
            let mut settled = 0;
            for event in received.try_iter() {
                let Event::Source { event, .. } = event else {
                    continue;
                };
                match event {
                    SourceEvent::Settled { .. } => settled += 1,
                    SourceEvent::Complete => break,
                    _ => {}
                }
            }
            assert_eq!(settled, 2);
        }
    }
}
