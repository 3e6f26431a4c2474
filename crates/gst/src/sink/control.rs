//! The thread that owns the sessions, renditions and signaller of a sink that is started.
//!
//! Everybody else sends it [`Message`]s. It waits for nobody but the application, whose signal handlers it
//! calls under no lock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_client::{NativeSignaller, PeerId, Role, SessionId, Signaller as _, SignallerEvent};
use wigwag_media::audience::Audience;
use wigwag_media::demand::{DEFAULT_FLOOR, Policy};
use wigwag_media::engine::{Publication, PublicationConfig};
use wigwag_media::ids::{RenditionId, StreamId, ViewerId};
use wigwag_media::session::Certificate;

use super::WebRtcSink;
use super::decodings::RunningDecoding;
use super::flow::Watched;
use super::messages::{Message, Messages};
use super::renditions::Running;
use super::session_limits::{MAX_CONNECTING, SessionLimits};
use super::sessions::Session;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::streams::Stream;
use super::unanswered::Unanswered;
use crate::engine;
use crate::log;
use crate::rendition::ClockAdvance;
use crate::signaller::Signaller;
use crate::structure;

/// How long stopping may take: sessions are told, then it is over.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Within that, how long the last words of sessions are waited for, and as long again the encoders.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// The error that the element posts if the thread panics.
const CONTROL_FAILED: &str =
    "internal error: the thread that controls the sender failed; all sessions have ended";

/// How long the thread sleeps if nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// The handle of the thread.
pub(super) struct Control {
    messages: Messages,
    stopping: Arc<AtomicBool>,
    stopped: Receiver<()>,
    thread: ThreadId,
}

/// What the thread owns.
pub(super) struct Controlled {
    pub(super) sink: glib::WeakRef<WebRtcSink>,
    pub(super) settings: Settings,
    pub(super) messages: Messages,
    stopping: Arc<AtomicBool>,
    pub(super) signaller_settings: Signaller,
    pub(super) signaller: Option<NativeSignaller>,
    /// Our id at the server.
    registered: Option<PeerId>,
    /// Whether the signaller was started, however that went.
    signalling: bool,
    /// Pads whose caps must be known before anyone is invited, unless nothing comes through them.
    pub(super) pads: Watched,
    pub(super) certificate: Certificate,
    pub(super) publication: Arc<Publication>,
    pub(super) snapshot: Snapshot,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) audience: Audience,
    pub(super) renditions: BTreeMap<RenditionId, Running>,
    pub(super) decodings: BTreeMap<StreamId, RunningDecoding>,
    /// Encoders that make no key frames when they are asked to, by the names of their factories.
    pub(super) unresponsive: BTreeSet<String>,
    /// Streams whose pictures do not come in the order in which they are shown, whatever they say of themselves.
    pub(super) reordered: BTreeSet<StreamId>,
    pub(super) sessions: BTreeMap<ViewerId, Session>,
    pub(super) viewers: BTreeMap<SessionId, ViewerId>,
    pub(super) limits: SessionLimits,
    /// Of its own, so that nobody can choose whose [`PeerKey`](wigwag_media::ids::PeerKey) to have.
    pub(super) peer_hasher: RandomState,
    pub(super) unanswered: Unanswered,
    pub(super) next_viewer: u64,
    pub(super) next_attempt: u64,
    /// When an error was posted because a thread of the engine failed, which ends many sessions at once.
    pub(super) engine_failure_posted: Option<Instant>,
    /// Of all streams together, so that they stay in step.
    pub(super) clock_advance: ClockAdvance,
}

impl Control {
    /// Starts the thread. The text of an error is for the user.
    pub(super) fn start(
        sink: &WebRtcSink,
        settings: Settings,
        signaller_settings: Signaller,
        snapshot: Snapshot,
        pads: Watched,
    ) -> Result<Self, String> {
        let certificate = Certificate::generate().ok_or("OpenSSL made no certificate")?;
        let stun_server = settings.stun_address()?;
        let engine = engine::shared().map_err(|error| error.to_string())?;
        let messages = Messages::default();
        let to_thread = messages.clone();
        let events = move |event| match to_thread.offer(Message::Media(event)) {
            Err(Message::Media(event)) => Err(event),
            _ => Ok(()),
        };
        let max_consumers = usize::try_from(settings.max_consumers).unwrap_or(usize::MAX);
        let max_consumers = NonZeroUsize::new(max_consumers);
        let config = PublicationConfig {
            stun_server,
            max_viewers: max_consumers.map(|most| most.saturating_add(MAX_CONNECTING)),
        };
        let publication = engine.publish(config, events);
        let publication = Arc::new(publication);
        snapshot.set_publication(&publication);
        let policy = Policy {
            min_bitrate: settings.min_bitrate.into(),
            max_bitrate: settings.max_bitrate.max(settings.min_bitrate).into(),
            floor: DEFAULT_FLOOR.min(settings.max_bitrate.into()),
        };
        let start_bitrate = settings
            .congestion_control
            .is_enabled()
            .then_some(settings.start_bitrate.into());
        let stopping = Arc::new(AtomicBool::new(false));
        let controlled = Controlled {
            sink: sink.downgrade(),
            messages: messages.clone(),
            stopping: Arc::clone(&stopping),
            signaller_settings,
            signaller: None,
            registered: None,
            signalling: false,
            pads,
            certificate,
            publication,
            snapshot,
            streams: BTreeMap::new(),
            audience: Audience::new(policy, start_bitrate),
            renditions: BTreeMap::new(),
            decodings: BTreeMap::new(),
            unresponsive: BTreeSet::new(),
            reordered: BTreeSet::new(),
            sessions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            limits: SessionLimits::new(max_consumers),
            peer_hasher: RandomState::new(),
            unanswered: Unanswered::default(),
            next_viewer: 0,
            next_attempt: 0,
            engine_failure_posted: None,
            clock_advance: ClockAdvance::default(),
            settings,
        };
        let (done, stopped) = sync_channel(1);
        let thread = thread::Builder::new().name("wigwag-sink".to_owned());
        let thread = thread.spawn(move || {
            supervise(controlled);
            let _ = done.send(());
        });
        let thread = thread.map_err(|error| format!("no thread could be started: {error}"))?;
        Ok(Self {
            messages,
            stopping,
            stopped,
            thread: thread.thread().id(),
        })
    }

    /// The way of messages to the thread.
    pub(super) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Ends all sessions and the thread, and waits for that a little.
    pub(super) fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.messages.send(Message::Stop);
        // A signal handler that stops the element runs on that very thread.
        if thread::current().id() != self.thread {
            let _ = self.stopped.recv_timeout(STOP_TIMEOUT);
        }
    }
}

/// Runs the thread to its end. If it panics, its sessions end with a reason, the element posts an error, and another thread
/// takes its place.
fn supervise(mut controlled: Controlled) {
    let guard = |step: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(step)).is_ok();
    if guard(&mut || controlled.run()) {
        return;
    }
    gst::error!(log::SINK, "the control thread of a sink panicked");
    controlled.messages.close();
    guard(&mut || controlled.finish("internal error of the sender; call again"));
    let sink = controlled.sink.clone();
    // Its parts may panic as well.
    guard(&mut || controlled.fail(&gst::LibraryError::Failed, CONTROL_FAILED));
    let stopping = controlled.stopping.load(Ordering::SeqCst);
    let mut controlled = Some(controlled);
    guard(&mut || drop(controlled.take()));
    if let Some(sink) = sink.upgrade().filter(|_| !stopping) {
        guard(&mut || sink.imp().replace_control());
    }
}

impl Controlled {
    fn run(&mut self) {
        self.start_signalling_if_ready();
        loop {
            let deadlines = [
                self.audience.poll_timeout(),
                self.pads.deadline(),
                self.encoders_deadline(),
            ];
            let wait = deadlines.into_iter().flatten().min();
            let wait = wait.map_or(IDLE, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let message = self.messages.take(wait);
            if self.stopping.load(Ordering::SeqCst) {
                break;
            }
            if let Some(message) = message {
                self.on_message(message);
            }
            // Also while messages come all the time.
            let now = Instant::now();
            if self.audience.poll_timeout().is_some_and(|due| due <= now) {
                self.audience.handle_timeout(now);
            }
            self.look_after_pads();
            self.look_after_encoders();
            self.act();
        }
        self.messages.close();
        self.finish("the sender stops");
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Signaller(event) => self.on_signaller(event),
            Message::Media(event) => self.on_media(event),
            Message::Caps {
                stream,
                name,
                caps,
                feeds,
                liveness,
            } => self.on_caps(stream, name, &caps, (feeds, liveness)),
            Message::PadAdded { stream, name, flow } => self.pads.add(stream, name, flow),
            Message::PadRemoved(stream) => {
                self.pads.remove(stream);
                self.stop_decoding(stream);
                self.reordered.remove(&stream);
                let was_offered = self.streams.remove(&stream).is_some();
                self.audience.remove_stream(stream, Instant::now());
                if was_offered {
                    self.offer_streams_again();
                }
                self.start_signalling_if_ready();
            }
            Message::SourceKeyFrame(stream) => {
                self.audience
                    .handle_source_key_frame(stream, Instant::now());
            }
            Message::Reordered(stream) => self.on_reordered(stream),
            Message::DecodingFailed {
                stream,
                attempt,
                reason,
            } => self.on_decoding_failed(stream, attempt, &reason),
            Message::KeyFrameMade(rendition) => {
                self.audience.handle_key_frame(rendition, Instant::now());
            }
            Message::RenditionFailed {
                rendition,
                attempt,
                reason,
            } => self.on_rendition_failed(rendition, attempt, &reason),
            Message::Stop => {}
            #[cfg(test)]
            Message::Panic => panic!("as a fault of ours might"),
        }
    }

    /// Invites viewers once every pad's caps are known: before, there is nothing that could be offered. A pad
    /// that gets no data is not waited for, if there is another.
    pub(super) fn start_signalling_if_ready(&mut self) {
        let is_known = |pad| self.streams.contains_key(&pad);
        let nothing_to_offer = self.streams.is_empty() && !self.pads.is_empty();
        if self.signalling || nothing_to_offer || !self.pads.awaited().all(is_known) {
            return;
        }
        self.signalling = true;
        let meta = self.settings.meta.as_ref();
        let meta = meta.map(|meta| structure::meta(meta)).unwrap_or_default();
        let config = self.signaller_settings.config(Role::Producer { meta });
        let messages = self.messages.clone();
        let events = move |event| match messages.offer(Message::Signaller(event)) {
            Err(Message::Signaller(event)) => Err(event),
            _ => Ok(()),
        };
        let Some(runtime) = crate::runtime::handle() else {
            return self.fail(
                &gst::ResourceError::Failed,
                "no threads are left for signalling",
            );
        };
        match NativeSignaller::start(config, &runtime, events) {
            Ok(signaller) => self.signaller = Some(signaller),
            Err(error) => {
                self.fail(&gst::ResourceError::OpenReadWrite, &error.to_string());
            }
        }
    }

    fn on_signaller(&mut self, event: SignallerEvent) {
        match event {
            SignallerEvent::Connected { peer_id } => {
                gst::info!(log::SIGNALLER, "registered as {peer_id}");
                self.signaller_settings
                    .set_client_id(Some(peer_id.as_str()));
                self.registered = Some(peer_id);
            }
            SignallerEvent::Disconnected { reason, retry_in } => {
                gst::warning!(
                    log::SIGNALLER,
                    "signalling lost ({reason}); sessions go on; next attempt in {retry_in:?}"
                );
                self.forget_registration();
            }
            SignallerEvent::Failed(error) => {
                self.fail(&gst::ResourceError::OpenReadWrite, &error.to_string());
            }
            SignallerEvent::ServerError { details } => {
                gst::warning!(log::SIGNALLER, "the server refused something: {details}");
            }
            SignallerEvent::SessionRequested {
                session,
                peer,
                offer,
            } => self.on_session_requested(session, &peer, offer),
            SignallerEvent::Description {
                session,
                description,
            } => self.on_description(&session, description),
            SignallerEvent::Candidate { session, candidate } => {
                gst::log!(log::SIGNALLER, "session {session}: a candidate came");
                if let Some(viewer) = self.viewers.get(&session) {
                    self.publication.add_candidate(*viewer, candidate.candidate);
                }
            }
            SignallerEvent::SessionEnded { session, reason } => {
                self.on_session_ended(&session, reason.as_deref());
            }
            _ => {}
        }
    }

    /// Posts an error of the element.
    pub(super) fn fail(&self, kind: &dyn ErrorKind, text: &str) {
        if let Some(sink) = self.sink.upgrade() {
            kind.post(&sink, text);
        }
    }

    /// Ends all sessions for a reason, and everything else.
    fn finish(&mut self, reason: &str) {
        for viewer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end_session(viewer, Some(reason));
        }
        self.publication.close(CLOSE_TIMEOUT);
        if let Some(signaller) = &self.signaller {
            signaller.stop();
        }
        self.stop_renditions(CLOSE_TIMEOUT);
        self.forget_registration();
    }

    /// The sink may have been started again already, and registered under another id.
    fn forget_registration(&mut self) {
        if let Some(id) = self.registered.take()
            && self.signaller_settings.client_id().as_deref() == Some(id.as_str())
        {
            self.signaller_settings.set_client_id(None);
        }
    }
}

/// An error domain of GStreamer.
pub(super) trait ErrorKind {
    /// Posts an error message with this text.
    fn post(&self, sink: &WebRtcSink, text: &str);
}

impl<T: MessageErrorDomain + Copy> ErrorKind for T {
    fn post(&self, sink: &WebRtcSink, text: &str) {
        gst::element_error!(sink, *self, ("{}", text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_thread_that_panics_is_replaced_and_the_element_posts_an_error() {
        gst::init().expect("GStreamer starts");
        crate::plugin_register_static().expect("the plugin registers");
        let pipeline = gst::parse::launch(
            "videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! webrtcsink name=sink \
             run-signalling-server=true signalling-server-host=127.0.0.1 signalling-server-port=0",
        )
        .expect("a pipeline");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let sink = pipeline.by_name("sink").and_downcast::<WebRtcSink>();
        let sink = sink.expect("the sink");
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let signaller = sink.property::<glib::Object>("signaller");
        let id = || signaller.property::<Option<String>>("client-id");
        let wait_for = |what: &str, is_so: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !is_so() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
                thread::yield_now();
            }
        };
        wait_for("it registers", &|| id().is_some());
        let before = id();
        sink.imp().send(Message::Panic);
        let bus = pipeline.bus().expect("a bus");
        let error =
            bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Error]);
        let error = error.expect("an error");
        let gst::MessageView::Error(error) = error.view() else {
            panic!("an error");
        };
        assert!(
            error.error().to_string().contains("internal error"),
            "{error:?}"
        );
        wait_for("another thread registers", &|| {
            id().is_some() && id() != before
        });
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
