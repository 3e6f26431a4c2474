//! The pipeline with the sink, and what it was heard to say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::{PATIENCE, SignallingServer, Viewer, init, wait};

/// Moving pictures, 30 a second.
pub const VIDEO: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! queue ! s. ";

/// A tone.
pub const AUDIO: &str = "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! queue ! s. ";

/// An emission of `encoder-setup`.
#[derive(Clone, Debug)]
pub struct EncoderSetUp {
    pub peer: String,
    pub pad: String,
    pub encoder: gst::Element,
}

/// What was posted on the bus.
#[derive(Clone, Debug)]
pub struct Posted {
    pub is_error: bool,
    pub text: String,
    pub source: String,
}

#[derive(Default)]
struct Heard {
    posted: Vec<Posted>,
    /// The debug texts of info messages, which is what `gst-launch-1.0` prints.
    infos: Vec<String>,
    encoders: Vec<EncoderSetUp>,
    /// `consumer-added` (true) and `consumer-removed` with the peer and the session.
    consumers: Vec<(bool, String, String)>,
}

/// A pipeline with one sink, named `s`. It is stopped with this.
pub struct Sender {
    pub pipeline: gst::Pipeline,
    pub sink: gst::Element,
    /// Where viewers find it.
    pub url: String,
    heard: Arc<Mutex<Heard>>,
    _server: Option<SignallingServer>,
}

impl Sender {
    /// Pictures and nothing special.
    pub fn playing(sources: &str) -> Self {
        Self::playing_with("", sources)
    }

    pub fn playing_with(properties: &str, sources: &str) -> Self {
        let sender = Self::new(properties, sources);
        sender.play();
        sender
    }

    /// With a signalling server of its own beside it.
    pub fn new(properties: &str, sources: &str) -> Self {
        init();
        let server = SignallingServer::start();
        let url = server.url.clone();
        let properties = format!("signaller::uri={url} {properties}");
        Self::build(&properties, sources, url, Some(server))
    }

    /// With these properties of the sink and no others.
    pub fn without_server(properties: &str, sources: &str, url: String) -> Self {
        init();
        Self::build(properties, sources, url, None)
    }

    fn build(
        properties: &str,
        sources: &str,
        url: String,
        server: Option<SignallingServer>,
    ) -> Self {
        let description = format!("webrtcsink name=s stun-server=\"\" {properties} {sources}");
        let pipeline = gst::parse::launch(&description).expect("a pipeline");
        let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
        let sink = pipeline.by_name("s").expect("it is named so");
        let heard = Arc::new(Mutex::new(Heard::default()));
        listen(&pipeline, &sink, &heard);
        Self {
            pipeline,
            sink,
            url,
            heard,
            _server: server,
        }
    }

    pub fn play(&self) {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
    }

    /// Stops it, and says how long that took.
    pub fn stop(&self) -> Duration {
        let begin = Instant::now();
        self.pipeline.set_state(gst::State::Null).expect("it stops");
        begin.elapsed()
    }

    /// A viewer that takes what it is offered.
    pub fn viewer(&self) -> Viewer {
        Viewer::call(&self.url, super::Call::default())
    }

    /// A viewer that sees pictures; calls again as long as the sink is not ready for it.
    pub fn persistent_viewer(&self) -> Viewer {
        let begin = Instant::now();
        loop {
            let viewer = self.viewer();
            let sees = || viewer.frames() >= 10;
            super::holds_within(PATIENCE, || {
                sees() || viewer.has_ended() || viewer.is_idle()
            });
            if sees() {
                return viewer;
            }
            assert!(begin.elapsed() < PATIENCE, "no viewer sees anything");
        }
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.heard().posted.clone()
    }

    pub fn errors(&self) -> Vec<String> {
        let is_error = |posted: &Posted| posted.is_error.then_some(posted.text.clone());
        self.posted().iter().filter_map(is_error).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let is_warning = |posted: &Posted| (!posted.is_error).then_some(posted.text.clone());
        self.posted().iter().filter_map(is_warning).collect()
    }

    /// The info messages, as `gst-launch-1.0` prints them.
    pub fn infos(&self) -> Vec<String> {
        self.heard().infos.clone()
    }

    /// Waits for an error with this in its text.
    pub fn wait_error(&self, part: &str) -> String {
        let find = || {
            let mut errors = self.errors().into_iter();
            errors.find(|error| error.contains(part))
        };
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(error) = find() {
                return error;
            }
            std::thread::sleep(super::POLL);
        }
        panic!("no error with \"{part}\", but {:?}", self.posted());
    }

    /// It does not start, and says why, once.
    pub fn assert_refuses(&self, part: &str) {
        let changed = self.pipeline.set_state(gst::State::Playing);
        assert!(changed.is_err(), "it started");
        let error = self.wait_error(part);
        assert_eq!(self.errors(), [error], "said once");
        assert_eq!(self.posted()[0].source, "s");
        self.stop();
    }

    /// The encoders that were made so far.
    pub fn encoders(&self) -> Vec<EncoderSetUp> {
        self.heard().encoders.clone()
    }

    /// Their factories, in order.
    pub fn encoder_names(&self) -> Vec<String> {
        let name = |made: &EncoderSetUp| {
            let factory = made.encoder.factory().expect("made by a factory");
            factory.name().to_string()
        };
        self.encoders().iter().map(name).collect()
    }

    /// `consumer-added` (true) and `consumer-removed` (false) with the peer and the session, in order.
    pub fn consumers(&self) -> Vec<(bool, String, String)> {
        self.heard().consumers.clone()
    }

    pub fn sessions(&self) -> Vec<String> {
        self.sink.emit_by_name::<Vec<String>>("get-sessions", &[])
    }

    /// What `stats` says of a session.
    pub fn statistics(&self, session: &str) -> Option<gst::Structure> {
        let all = self.sink.property::<gst::Structure>("stats");
        assert_eq!(all.name(), "application/x-webrtcsink-stats");
        all.get::<gst::Structure>(session).ok()
    }

    /// Whether everything is well: nothing was posted.
    pub fn assert_quiet(&self) {
        let posted = self.posted();
        assert!(posted.is_empty(), "{posted:?}");
    }

    pub fn wait_sessions(&self, number: usize) {
        wait(&format!("{number} sessions"), || {
            self.sessions().len() == number
        });
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn listen(pipeline: &gst::Pipeline, sink: &gst::Element, heard: &Arc<Mutex<Heard>>) {
    let to = Arc::clone(heard);
    let bus = pipeline.bus().expect("pipelines have one");
    bus.set_sync_handler(move |_, message| {
        let (is_error, text) = match message.view() {
            gst::MessageView::Error(error) => (true, error.error().to_string()),
            gst::MessageView::Warning(warning) => (false, warning.error().to_string()),
            gst::MessageView::Info(info) => {
                let text = info.debug().unwrap_or_default().to_string();
                assert_eq!(info.error().to_string(), text);
                lock(&to).infos.push(text);
                return gst::BusSyncReply::Drop;
            }
            _ => return gst::BusSyncReply::Drop,
        };
        let source = message.src().map(|source| source.name().to_string());
        let source = source.unwrap_or_default();
        lock(&to).posted.push(Posted {
            is_error,
            text,
            source,
        });
        gst::BusSyncReply::Drop
    });
    let to = Arc::clone(heard);
    sink.connect("encoder-setup", false, move |values| {
        let text = |place: usize| values[place].get::<String>().expect("a string");
        let encoder = values[3].get::<gst::Element>().expect("an element");
        let (peer, pad) = (text(1), text(2));
        lock(&to).encoders.push(EncoderSetUp { peer, pad, encoder });
        Some(false.to_value())
    });
    for (signal, added) in [("consumer-added", true), ("consumer-removed", false)] {
        let to = Arc::clone(heard);
        sink.connect(signal, false, move |values: &[glib::Value]| {
            let peer = values[1].get::<String>().expect("a string");
            let consumer = values[2].get::<gst::Element>().expect("an element");
            let session = consumer.property::<String>("session-id");
            lock(&to).consumers.push((added, peer, session));
            None
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
