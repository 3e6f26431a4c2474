//! Where pictures and sound come from, in a pipeline that can be thrown away.
//!
//! # Contract
//!
//! * [`Source::start`] returns at once. What happens is told by events; after
//!   [`Ended`](SourceEvent::Ended) or [`Failed`](SourceEvent::Failed) it is of no more use.
//! * The first track of each kind is published, others are ignored with a line each.
//! * [`Source::stop`] waits for nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::event::{Failure, SourceEvent, SourceReporter};
use super::input::Input;
use super::missing;
use super::outlet::{Feed, Kind, SharedClock};
use super::track::{Track, broken, media_type};

/// How much of RTSP is kept to put packets in order, in ms.
const RTSP_LATENCY: u32 = 200;

/// How long is waited for the first packet over UDP before TCP is tried, in us.
const UDP_TIMEOUT: u64 = 3_000_000;

/// What was done with the tracks of sources before, so that viewers can stay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// By kind: the media type that was passed through, or none for what was encoded.
    pub(crate) video: Option<Option<String>>,
    pub(crate) audio: Option<Option<String>>,
}

/// A source that runs.
pub(crate) struct Source {
    pipeline: gst::Pipeline,
    shared: Arc<Shared>,
}

/// What the threads of a source share.
pub(super) struct Shared {
    pipeline: glib::WeakRef<gst::Pipeline>,
    pub(super) feed: Feed,
    reporter: SourceReporter,
    before: Mutex<Before>,
    tracks: Mutex<Tracks>,
}

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

impl Source {
    /// Starts a source.
    pub(crate) fn start(
        input: &Input,
        clock: &SharedClock,
        feed: Feed,
        before: Before,
        reporter: SourceReporter,
    ) -> Result<Self, Failure> {
        let pipeline = gst::Pipeline::new();
        clock.apply(&pipeline);
        let shared = Arc::new(Shared {
            pipeline: pipeline.downgrade(),
            feed,
            reporter,
            before: Mutex::new(before),
            tracks: Mutex::default(),
        });
        watch(&pipeline, &shared);
        let source = Self { pipeline, shared };
        source.build(input)?;
        source.pipeline.call_async(|pipeline| {
            // A failure is also posted as a message, which says more.
            let _ = pipeline.set_state(gst::State::Playing);
        });
        Ok(source)
    }

    /// For how long nothing came.
    pub(crate) fn silence(&self) -> Duration {
        self.shared.feed.silence()
    }

    /// What was done with its tracks, for the source after it.
    pub(crate) fn before(&self) -> Before {
        let before = self.shared.before.lock();
        before.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it. The sender is dropped when that is done.
    pub(crate) fn stop(self, stopped: Option<Sender<()>>) {
        self.shared.feed.stop();
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        // A network source may wait for a server that is gone.
        self.pipeline.call_async(move |pipeline| {
            let _ = pipeline.set_state(gst::State::Null);
            drop(stopped);
        });
    }

    fn build(&self, input: &Input) -> Result<(), Failure> {
        match input {
            Input::Test => self.test(),
            Input::Camera(device) => self.camera(&device.to_string_lossy()),
            Input::Rtsp(uri) => {
                let source = make("rtspsrc")?;
                source.set_property("location", uri);
                source.set_property("latency", RTSP_LATENCY);
                source.set_property("drop-on-latency", true);
                source.set_property("timeout", UDP_TIMEOUT);
                self.network(&source)
            }
            Input::Uri(uri) => self.uri(uri),
            Input::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let uri = glib::filename_to_uri(path, None).map_err(|error| Failure {
                    text: error.message().to_owned(),
                    lasting: true,
                })?;
                self.uri(&uri)
            }
        }
    }

    fn uri(&self, uri: &str) -> Result<(), Failure> {
        let source = make("urisourcebin")?;
        source.set_property("uri", uri);
        // It does not say reliably when it has shown all its pads; parsers do.
        self.shared.tracks().all_pads = true;
        self.network(&source)
    }

    /// A source whose pads come later, each with something to take apart.
    fn network(&self, source: &gst::Element) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        source.connect_pad_added(move |_, pad| {
            if let Err(failure) = shared.parse(pad) {
                shared.fail(failure);
            }
        });
        let shared = Arc::clone(&self.shared);
        source.connect_no_more_pads(move |_| {
            shared.tracks().all_pads = true;
            shared.check_complete();
        });
        self.pipeline.add(source).map_err(|_| broken())
    }

    fn test(&self) -> Result<(), Failure> {
        let exists = |name: &str| gst::ElementFactory::find(name).is_some();
        let mut picture = String::from("videotestsrc is-live=true pattern=");
        // A clock is easier to read on quiet bars than behind a ball.
        if exists("timeoverlay") && exists("clockoverlay") {
            picture += "smpte ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 \
                ! clockoverlay halignment=center valignment=center font-desc=\"Sans 40\" \
                ! timeoverlay halignment=center valignment=bottom";
        } else {
            picture += "ball ! capsfilter caps=video/x-raw,format=I420,width=1280,height=720,framerate=30/1";
        }
        let sound = "audiotestsrc is-live=true volume=0.1 ! capsfilter caps=audio/x-raw,rate=48000,channels=2";
        for (kind, description) in [(Kind::Video, picture.as_str()), (Kind::Audio, sound)] {
            let made = gst::parse::bin_from_description(description, true);
            let bin = made.map_err(|error| Failure {
                text: format!(
                    "{}; install {}",
                    error.message(),
                    missing::element_package("videotestsrc")
                ),
                lasting: true,
            })?;
            self.pipeline.add(&bin).map_err(|_| broken())?;
            let pad = bin.static_pad("src").ok_or_else(broken)?;
            self.shared.attach(kind, &pad);
        }
        self.shared.tracks().all_pads = true;
        Ok(())
    }

    /// Cameras give raw pictures or motion JPEG; fluent ones are taken before large ones.
    fn camera(&self, device: &str) -> Result<(), Failure> {
        let source = make("v4l2src")?;
        source.set_property("device", device);
        let filter = make("capsfilter")?;
        filter.set_property_from_str(
            "caps",
            "video/x-raw, width=(int)[1,1280], height=(int)[1,720], framerate=(fraction)[24/1,60/1]; \
             image/jpeg, width=(int)[1,1920], height=(int)[1,1080], framerate=(fraction)[24/1,60/1]; \
             video/x-raw; image/jpeg",
        );
        let decoder = make("decodebin")?;
        let shared = Arc::clone(&self.shared);
        decoder.connect_pad_added(move |_, pad| {
            shared.attach(Kind::Video, pad);
            shared.tracks().all_pads = true;
            shared.check_complete();
        });
        let chain = [source, filter, decoder];
        self.pipeline
            .add_many(&chain)
            .and_then(|()| gst::Element::link_many(&chain))
            .map_err(|_| broken())
    }
}

impl Shared {
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
        self.reporter.tell(SourceEvent::Failed(failure));
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
        *self.tracks().of(kind) = Some(true);
        self.reporter.tell(SourceEvent::Settled { kind, text });
        self.check_complete();
    }

    /// Whether the track of this kind was encoded in a source before.
    pub(super) fn decoded_before(&self, kind: Kind) -> bool {
        matches!(self.before(kind), Some(None))
    }

    /// Whether it was passed through as this.
    pub(super) fn passed_before(&self, kind: Kind, media_type: &str) -> bool {
        matches!(self.before(kind), Some(Some(before)) if before == media_type)
    }

    fn before(&self, kind: Kind) -> Option<Option<String>> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::Video => before.video.clone(),
            Kind::Audio => before.audio.clone(),
        }
    }

    /// Takes apart what comes from a pad.
    fn parse(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        let pipeline = self.pipeline()?;
        let parser = make("parsebin")?;
        self.tracks().parsing += 1;
        let shared = Arc::clone(self);
        let counted = AtomicBool::new(false);
        parser.connect_pad_added(move |_, pad| {
            // Nothing flows until all pads are there, so no track is ready before the last is known.
            if !counted.swap(true, Ordering::Relaxed) {
                let mut tracks = shared.tracks();
                tracks.parsing = tracks.parsing.saturating_sub(1);
            }
            let media_type = media_type(pad).unwrap_or_default();
            match Kind::of(&media_type) {
                Some(kind) => shared.attach(kind, pad),
                None => shared.ignore(pad, &media_type),
            }
        });
        pipeline.add(&parser).map_err(|_| broken())?;
        parser.sync_state_with_parent().map_err(|_| broken())?;
        let entry = parser.static_pad("sink").ok_or_else(broken)?;
        pad.link(&entry).map_err(|_| broken())?;
        Ok(())
    }

    /// Publishes a track, unless there is one of the kind.
    fn attach(self: &Arc<Self>, kind: Kind, pad: &gst::Pad) {
        let first = {
            let mut tracks = self.tracks();
            let track = tracks.of(kind);
            let first = track.is_none();
            track.get_or_insert(false);
            first
        };
        if !first {
            let kind = match kind {
                Kind::Video => "another picture",
                Kind::Audio => "another sound",
            };
            return self.ignore(pad, kind);
        }
        if let Err(failure) = Track::attach(self, kind, pad) {
            self.fail(failure);
        }
    }

    /// Throws away what comes from a pad, so that nothing waits for it.
    fn ignore(&self, pad: &gst::Pad, what: &str) {
        self.reporter.tell(SourceEvent::Ignored(what.to_owned()));
        let made = make("fakesink").ok().zip(self.pipeline().ok());
        let Some((sink, pipeline)) = made else {
            return;
        };
        sink.set_property("sync", false);
        sink.set_property("async", false);
        if pipeline.add(&sink).is_ok()
            && sink.sync_state_with_parent().is_ok()
            && let Some(entry) = sink.static_pad("sink")
        {
            let _ = pad.link(&entry);
        }
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
        self.reporter.tell(SourceEvent::Complete);
    }

    fn on_message(&self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Error(message) => {
                let error = message.error();
                let lasting = error.matches(gst::ResourceError::NotFound)
                    || error.matches(gst::ResourceError::NotAuthorized)
                    || error.kind::<gst::StreamError>().is_some()
                    || error.kind::<gst::CoreError>().is_some();
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
                    self.reporter.tell(SourceEvent::Ended);
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

/// The reason of an error, without the names of elements and files.
fn in_words(message: &gst::message::Error) -> String {
    let (error, debug) = (message.error(), message.debug());
    let words = |text: &str| text.trim().trim_end_matches('.').to_owned();
    if error.matches(gst::StreamError::Failed) && error.message().starts_with("Internal") {
        return "it cannot be read".to_owned();
    }
    // Of resources, elements say in general what kind of failure it is, and the reason behind the first line.
    let reason = debug.as_deref().and_then(|debug| debug.split_once('\n'));
    let reason = reason.and_then(|(_, reason)| reason.lines().last());
    let reason = reason.and_then(|reason| reason.split(" (").next());
    match reason {
        Some(reason) if error.kind::<gst::ResourceError>().is_some() && !reason.is_empty() => {
            words(reason)
        }
        _ => words(error.message()),
    }
}

/// Makes an element; an error names the package that has it.
pub(super) fn make(name: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| Failure {
            text: format!(
                "GStreamer lacks an element: {name}; install {}",
                missing::element_package(name)
            ),
            lasting: true,
        })
}

fn watch(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
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
