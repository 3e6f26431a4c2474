//! The element: properties, pads, states.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_media::ids::StreamId;

use super::control::Control;
use super::control_failures::ControlFailures;
use super::flow::Watched;
use super::input::Input;
use super::later::{self, Later};
use super::messages::Message;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::{pad_caps, properties, signals};
use crate::bitstream;
use crate::codec::FORMATS;
use crate::log;
use crate::signaller::Signaller;
use crate::signalling_server::SignallingServer;
use crate::web_server::{Signalling, WebServer};

/// How many sinks were not given a name.
static UNNAMED: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
#[allow(unnameable_types, reason = "the public type is the wrapper")]
pub struct WebRtcSink {
    settings: Mutex<Settings>,
    signaller: Signaller,
    inputs: Mutex<Vec<Input>>,
    running: Mutex<Option<Running>>,
    /// How many pads of each kind were requested, for their names.
    video_pads: AtomicU32,
    audio_pads: AtomicU32,
}

/// What there is between READY and PAUSED.
struct Running {
    control: Control,
    /// Of this run: what is left of one before must not show, nor wipe out what does.
    snapshot: Snapshot,
    web_server: Option<WebServer>,
    _signalling_server: Option<SignallingServer>,
    /// When control threads panicked.
    control_failures: ControlFailures,
}

impl WebRtcSink {
    pub(super) fn sessions(&self) -> Vec<String> {
        self.snapshot().sessions()
    }

    fn snapshot(&self) -> Snapshot {
        let running = lock(&self.running);
        let snapshot = running.as_ref().map(|running| running.snapshot.clone());
        snapshot.unwrap_or_default()
    }

    /// Calls something with the inputs, under their lock.
    pub(super) fn with_input<T>(
        &self,
        stream: StreamId,
        act: impl FnOnce(&Input) -> T,
    ) -> Option<T> {
        lock(&self.inputs)
            .iter()
            .find(|input| input.stream == stream)
            .map(act)
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let failed = |error: String| gst::error_msg!(gst::ResourceError::OpenRead, ("{error}"));
        if let Some(obstacle) = settings.later.obstacle() {
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("{obstacle}")
            ));
        }
        self.warn_of(&settings.later);
        let mut signalling_server = None;
        if settings.run_signalling_server {
            let server = SignallingServer::start(&settings.signalling_server).map_err(failed)?;
            let obj = self.obj();
            gst::info!(log::SINK, obj = obj, "signalling server at {}", server.url);
            self.inform(&who_can_watch(&server));
            self.signaller
                .use_own_server(&server.url, server.cafile.as_deref());
            signalling_server = Some(server);
        }
        let web_server = if settings.run_web_server {
            let signalling = match &signalling_server {
                Some(server) => Signalling::Own {
                    host: settings.signalling_server.host.clone(),
                    url: server.url.clone(),
                },
                None => Signalling::At(self.signaller.uri()),
            };
            Some(WebServer::start(&settings.web_server, &signalling).map_err(failed)?)
        } else {
            None
        };
        let (control, snapshot) = self.start_control(settings).map_err(failed)?;
        let running = Running {
            control,
            snapshot,
            web_server,
            _signalling_server: signalling_server,
            control_failures: ControlFailures::default(),
        };
        if let Some(server) = &running.web_server {
            self.announce(server);
        }
        *lock(&self.running) = Some(running);
        Ok(())
    }

    /// Starts the control thread with what is known of the pads.
    fn start_control(&self, settings: Settings) -> Result<(Control, Snapshot), String> {
        let mut pads = Watched::default();
        for input in lock(&self.inputs).iter() {
            input.reset();
            pads.add(input.stream, input.pad.name().to_string(), input.flow());
        }
        let snapshot = Snapshot::default();
        let control = Control::start(
            &self.obj(),
            settings,
            self.signaller.clone(),
            snapshot.clone(),
            pads,
        )?;
        // A pad may have got its caps already.
        for input in lock(&self.inputs).iter() {
            if let Some(caps) = input.pad.current_caps() {
                let message = input.caps_message(&bitstream::described(&caps));
                control.messages().send(message);
            }
        }
        Ok((control, snapshot))
    }

    /// Starts another control thread in the place of one that panicked, unless too many did.
    pub(super) fn replace_control(&self) {
        let settings = lock(&self.settings).clone();
        let mut running = lock(&self.running);
        let Some(running) = running.as_mut() else {
            return;
        };
        if !running.control_failures.handle_panic(Instant::now()) {
            return gst::error!(
                log::SINK,
                imp = self,
                "it failed too often; nothing is sent"
            );
        }
        match self.start_control(settings) {
            Ok((control, snapshot)) => {
                running.control = control;
                running.snapshot = snapshot;
            }
            Err(error) => gst::error!(log::SINK, imp = self, "{error}; nothing is sent"),
        }
    }

    /// Says where the page is, so that people find it: `gst-launch-1.0` prints the debug text of info
    /// messages.
    fn announce(&self, server: &WebServer) {
        let obj = self.obj();
        let mut text = format!("Watch at {}", server.url);
        if server.is_everywhere {
            text += " or, from elsewhere, at any address of this machine";
        }
        gst::info!(log::SINK, obj = obj, "{text}");
        self.inform(&text);
        if let Some(warning) = &server.warning {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{}", warning));
        }
    }

    /// Says what was asked for and has no effect yet.
    fn warn_of(&self, later: &Later) {
        for warning in later.warnings() {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{warning}"));
        }
    }

    /// Posts a text for people.
    fn inform(&self, text: &str) {
        let obj = self.obj();
        let message = gst::message::Info::builder(gst::ResourceError::OpenRead, text);
        // Not under a lock: handlers may ask for anything.
        let _ = obj.post_message(message.src(&*obj).debug(text).build());
    }

    fn stop(&self) {
        // Not under the lock: stopping emits signals, and their handlers may ask for anything.
        let running = lock(&self.running).take();
        if let Some(running) = running {
            running.control.stop();
        }
    }

    /// Sends a message to the control thread, if there is one.
    pub(super) fn send(&self, message: Message) {
        if let Some(running) = lock(&self.running).as_ref() {
            running.control.messages().send(message);
        }
    }

    /// Reports to the control thread what is known of a stream.
    pub(super) fn report_caps(&self, stream: StreamId, caps: &gst::CapsRef) {
        let message = self.with_input(stream, |input| input.caps_message(caps));
        if let Some(message) = message {
            self.send(message);
        }
    }

    fn add_pad_for(&self, template: &gst::PadTemplate) -> Option<gst::Pad> {
        let audio = template.name_template().starts_with("audio");
        let (kind, counter) = if audio {
            ("audio", &self.audio_pads)
        } else {
            ("video", &self.video_pads)
        };
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let stream = StreamId(number * 2 + u32::from(audio));
        let name = format!("{kind}_{number}");
        let obj = self.obj();
        let input = match Input::new(obj.upcast_ref(), stream, &name, template) {
            Ok(input) => input,
            Err(error) => {
                gst::error!(log::SINK, obj = obj, "no pad {name}: {error}");
                return None;
            }
        };
        pad_caps::watch(&input.pad, stream, &obj);
        let pad = input.pad.clone();
        input.sync_state();
        let flow = input.flow();
        lock(&self.inputs).push(input);
        self.send(Message::PadAdded { stream, name, flow });
        obj.add_pad(&pad).ok()?;
        obj.child_added(&pad, &pad.name());
        Some(pad.upcast())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for WebRtcSink {
    const NAME: &'static str = "WigwagSink";
    type Type = super::WebRtcSink;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy,);
}

impl ObjectImpl for WebRtcSink {
    fn properties() -> &'static [glib::ParamSpec] {
        properties::all()
    }

    fn signals() -> &'static [Signal] {
        signals::all()
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_suppressed_flags(gst::ElementFlags::SOURCE | gst::ElementFlags::SINK);
        // Before the first pad there is no sink inside that would say so.
        obj.set_element_flags(gst::ElementFlags::SINK);
        // GStreamer names it by its type, scripts by that of the published sink.
        let name = obj.name();
        let number = name.strip_prefix(&Self::NAME.to_lowercase());
        let is_named_by_type = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
        if number.is_some_and(is_named_by_type) {
            let number = UNNAMED.fetch_add(1, Ordering::Relaxed);
            obj.set_property("name", format!("webrtcsink{number}"));
        }
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
        // What comes too late to be looked at when the sink starts. GStreamer keeps nobody from setting it.
        let is_later = later::properties()
            .iter()
            .any(|later| later.name() == pspec.name());
        if is_later && lock(&self.running).is_some() {
            let later = lock(&self.settings).later.clone();
            if let Some(obstacle) = later.obstacle() {
                gst::element_imp_error!(self, gst::ResourceError::Settings, ("{obstacle}"));
            }
            self.warn_of(&later);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "signaller" => self.signaller.to_value(),
            "stats" => self.snapshot().statistics().to_value(),
            name => lock(&self.settings)
                .get(name)
                .expect("every property is known"),
        }
    }
}

impl GstObjectImpl for WebRtcSink {}

impl ElementImpl for WebRtcSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC sink",
                "Sink/Network/WebRTC",
                "Sends sound and pictures to any number of WebRTC viewers, encoded once",
                "The Wigwag authors",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            ["video", "audio"]
                .into_iter()
                .filter_map(|kind| {
                    let audio = kind == "audio";
                    let mut caps = gst::Caps::new_empty();
                    if !audio {
                        // What encoders take as it is comes first: sources that can choose choose it.
                        let best = gst::Caps::builder("video/x-raw").field("format", "I420");
                        caps.make_mut().append(best.build());
                    }
                    let raw = gst::Caps::new_empty_simple(format!("{kind}/x-raw"));
                    caps.make_mut().append(raw);
                    for format in FORMATS.iter().filter(|format| format.audio == audio) {
                        caps.make_mut().append(format.caps());
                    }
                    let (direction, presence) =
                        (gst::PadDirection::Sink, gst::PadPresence::Request);
                    gst::PadTemplate::new(&format!("{kind}_%u"), direction, presence, &caps).ok()
                })
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.add_pad_for(template)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let input = {
            let mut inputs = lock(&self.inputs);
            let place = inputs
                .iter()
                .position(|input| input.pad.upcast_ref::<gst::Pad>() == pad);
            place.map(|place| inputs.remove(place))
        };
        let Some(input) = input else {
            return;
        };
        self.send(Message::PadRemoved(input.stream));
        let obj = self.obj();
        input.remove(obj.upcast_ref());
        let _ = pad.set_active(false);
        let _ = obj.remove_pad(pad);
        obj.child_removed(pad, &pad.name());
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused
            && let Err(error) = self.start()
        {
            self.post_error_message(error);
            return Err(gst::StateChangeError);
        }
        let changed = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && changed.is_err())
        {
            self.stop();
        }
        let is_pausing = matches!(
            transition,
            gst::StateChange::ReadyToPaused | gst::StateChange::PlayingToPaused
        );
        // As of a live source: nobody is to wait for a first buffer where nothing can bring one.
        match changed {
            Ok(gst::StateChangeSuccess::Success) if is_pausing && lock(&self.inputs).is_empty() => {
                Ok(gst::StateChangeSuccess::NoPreroll)
            }
            changed => changed,
        }
    }
}

impl BinImpl for WebRtcSink {}

impl ChildProxyImpl for WebRtcSink {
    fn child_by_index(&self, _index: u32) -> Option<glib::Object> {
        None
    }

    fn children_count(&self) -> u32 {
        0
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        if name == "signaller" {
            return Some(self.signaller.clone().upcast());
        }
        self.obj().static_pad(name).map(Cast::upcast)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a server of the sink's own is, and for whom.
fn who_can_watch(server: &SignallingServer) -> String {
    let mut text = format!("Signalling at {}", server.urls.join(", "));
    if server.is_open {
        text += ": anyone who can reach this machine can watch; signalling-server-host=127.0.0.1 keeps it to this machine";
    }
    text
}
