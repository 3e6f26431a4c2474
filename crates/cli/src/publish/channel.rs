//! One input and its output: what is started, ended and tried again, and when.
//!
//! A channel waits for nothing. It is told of events and of the time, and says when it wants to be told
//! again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::camera::Named;
use super::event::{Event, Failure, OutputEvent, OutputReporter, SourceEvent, SourceReporter};
use super::input::Input;
use super::kind::Kind;
use super::network::RtspTransport;
use super::outlet::{Feed, Outlet, SharedClock};
use super::output::Output;
use super::output_settings::OutputSettings;
use super::progress::{Awaited, Progress};
use super::snapshots::SnapshotRegistration;
use super::source::Source;
use super::source_settings::SourceSettings;
use super::source_state::Before;
use super::status::Status;

/// How long tracks that are ready wait for those that are not.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

/// After so long, one JPEG picture is asked for again.
const SINGLE_PICTURE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a source that is called on demand goes on without viewers.
const LINGER: Duration = Duration::from_secs(10);

/// How often in a row a source is called again for its sound alone; some have none most of the time.
const MAX_CALLS_FOR_SOUND: u32 = 3;

/// A source that delivered for so long and then fails is called again as at the first time.
const RECOVERED: Duration = Duration::from_secs(3);

/// The sound of a source that goes on for so long has not stopped again and again.
const STEADY: Duration = Duration::from_secs(10);

/// After so long, a listener had a sender in earnest, and is there for the next one at once.
const LISTENER_STEADY: Duration = Duration::from_secs(1);

/// How long the port of a listener that is closed is left alone.
const LISTENER_WAIT: Duration = Duration::from_millis(200);

/// The same after somebody called who sent nothing of use.
const USELESS_CALLER_WAIT: Duration = Duration::from_secs(1);

/// How often a live source is looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// What becomes of a channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    GoesOn,
    Ended,
    /// The text is for the user.
    Failed(String),
}

/// An input that is published.
pub(crate) struct Channel {
    named: Named,
    settings: SourceSettings,
    progress: Progress,
    clock: SharedClock,
    outlet: Arc<Outlet>,
    /// Its pictures can be asked for while it is there.
    _snapshots: Option<SnapshotRegistration>,
    output: Output,
    reporter: SourceReporter,
    source: Option<Source>,
    started_at: Instant,
    before: Before,
    kinds: BTreeSet<Kind>,
    settle_by: Option<Instant>,
    source_at: Option<Instant>,
    output_at: Option<Instant>,
    source_back_off: BackOff,
    output_back_off: BackOff,
    /// How often the source was called in a row without success.
    calls: u32,
    /// How often in a row it was called because its sound stopped.
    calls_for_sound: u32,
    /// Whether it gives one JPEG picture each time.
    gives_single_pictures: bool,
    over_tcp: OverTcp,
    /// When a source that nobody watches is left, if it is called on demand.
    leave_at: Option<Instant>,
    /// Whether it was.
    is_left: bool,
    /// Whether it was ever published.
    was_open: bool,
}

/// Whether a camera is asked over TCP since UDP lost too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OverTcp {
    NotYet,
    Asked,
    /// It delivered that way.
    Works,
    /// It gave nothing that way.
    InVain,
}

impl Channel {
    pub(crate) fn new(
        number: usize,
        named: Named,
        sources: &SourceSettings,
        settings: &OutputSettings,
        snapshots: Option<SnapshotRegistration>,
        clock: &SharedClock,
        events: &Sender<Event>,
    ) -> Result<Self, String> {
        let outputs = OutputReporter {
            channel: number,
            events: events.clone(),
        };
        let output = Output::new(&named.name, settings, clock, &outputs);
        Ok(Self {
            output: output.map_err(|error| error.message.to_string())?,
            progress: Progress::new(&named.name, &settings.server),
            named,
            settings: sources.clone(),
            clock: clock.clone(),
            outlet: Arc::new(Outlet::new(
                clock.clone(),
                snapshots.as_ref().map(SnapshotRegistration::latest),
            )),
            _snapshots: snapshots,
            reporter: SourceReporter {
                channel: number,
                source: 0,
                events: events.clone(),
            },
            source: None,
            started_at: Instant::now(),
            before: Before::default(),
            kinds: BTreeSet::new(),
            settle_by: None,
            source_at: None,
            output_at: None,
            source_back_off: BackOff::new(),
            output_back_off: BackOff::new(),
            calls: 0,
            calls_for_sound: 0,
            gives_single_pictures: false,
            over_tcp: OverTcp::NotYet,
            leave_at: None,
            is_left: false,
            was_open: false,
        })
    }

    /// Starts the source; the output follows when its tracks are known.
    pub(crate) fn start(&mut self, status: &Status) -> Fate {
        self.drop_source();
        self.reporter.source += 1;
        self.is_left = false;
        self.started_at = Instant::now();
        let feed = Feed::new(Arc::clone(&self.outlet), self.named.input.is_live());
        let mut network = self.settings.network.clone();
        if matches!(self.over_tcp, OverTcp::Asked | OverTcp::Works) {
            network.transport = RtspTransport::Tcp;
        }
        let started = Source::start(
            &self.named.input,
            &network,
            &self.clock,
            feed,
            self.before.clone(),
            self.reporter.clone(),
        );
        match started {
            Ok(source) => {
                self.source = Some(source);
                Fate::GoesOn
            }
            Err(failure) => self.on_source_failed(&failure, status),
        }
    }

    /// Something happened to a source; old ones are of no interest.
    pub(crate) fn on_source(&mut self, number: u64, event: SourceEvent, status: &Status) -> Fate {
        if number != self.reporter.source || self.source.is_none() {
            return Fate::GoesOn;
        }
        match event {
            SourceEvent::Settled { kind, text } => {
                self.kinds.insert(kind);
                if let Some(text) = text {
                    self.progress.say(status, &text);
                }
                if self.outlet.is_open() {
                    return self.open();
                }
                let settle_by = Instant::now() + SETTLE_TIMEOUT;
                self.settle_by.get_or_insert(settle_by);
                Fate::GoesOn
            }
            SourceEvent::Complete => self.open(),
            SourceEvent::Lacks(text) => {
                if !self.progress.was_registered() {
                    self.progress.say(status, &text);
                }
                Fate::GoesOn
            }
            SourceEvent::Ended => self.on_source_ended(status),
            SourceEvent::Failed(failure) => self.on_source_failed(&failure, status),
        }
    }

    pub(crate) fn on_output(&mut self, event: OutputEvent, status: &Status) -> Fate {
        match event {
            OutputEvent::Registered(registered) => {
                if registered {
                    self.output_back_off.reset();
                }
                self.progress.on_registered(registered, status);
            }
            OutputEvent::ViewerAdded => {
                self.progress.on_viewer_added(status, Instant::now());
                self.leave_at = None;
                if std::mem::take(&mut self.is_left) {
                    return self.start(status);
                }
            }
            OutputEvent::ViewerRemoved => {
                self.progress.on_viewer_removed(status, Instant::now());
                self.leave_if_nobody_watches();
            }
            OutputEvent::Encoder(name) => self.progress.on_encoder(name, status),
            OutputEvent::Handled(text) | OutputEvent::Warning(text) => {
                self.progress.say(status, &text);
            }
            OutputEvent::NoSignalling(reason) => self.on_no_signalling(&reason, status),
            OutputEvent::Failed(text) => return Fate::Failed(text),
            OutputEvent::Ended => return Fate::Ended,
        }
        Fate::GoesOn
    }

    /// A JPEG picture is asked for: one that is called on demand is called, as for a viewer who leaves at once.
    pub(crate) fn on_snapshot_asked(&mut self, status: &Status) -> Fate {
        if !self.settings.on_demand {
            return Fate::GoesOn;
        }
        if self.leave_at.is_some() || self.is_left {
            self.leave_at = Some(Instant::now() + LINGER);
        }
        if std::mem::take(&mut self.is_left) {
            return self.start(status);
        }
        Fate::GoesOn
    }

    /// Does what is due.
    pub(crate) fn on_time(&mut self, status: &Status) -> Fate {
        let now = Instant::now();
        self.progress.on_time(status, now);
        let due = |time: &mut Option<Instant>| time.take_if(|time| *time <= now).is_some();
        if due(&mut self.settle_by) && !self.outlet.is_open() {
            return self.open();
        }
        if due(&mut self.output_at) {
            if self.source.is_some() {
                return self.open();
            }
            return self.start(status);
        }
        if due(&mut self.source_at) {
            return self.start(status);
        }
        if due(&mut self.leave_at) {
            self.drop_source();
            self.outlet.forget_latest();
            self.is_left = true;
            let text = "nobody watches; it is called when somebody does";
            self.progress.say(status, text);
            return Fate::GoesOn;
        }
        if let Some(share) = self.loss() {
            self.over_tcp = OverTcp::Asked;
            let percent = (share * 100.0).round();
            let text = format!("{percent} % of packets are lost over UDP; asking over TCP");
            self.progress.say(status, &text);
            return self.start(status);
        }
        if let Some(text) = self.silence(status) {
            let failure = Failure {
                text,
                lasting: false,
            };
            return self.on_source_failed(&failure, status);
        }
        Fate::GoesOn
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let look_after = self.is_watched().then(|| Instant::now() + LOOK_AFTER);
        let own = [
            self.settle_by,
            self.output_at,
            self.source_at,
            self.leave_at,
            self.progress.deadline(),
            look_after,
        ];
        own.into_iter().flatten().min()
    }

    /// How it goes, for the line on the terminal.
    pub(crate) fn describe(&mut self) -> String {
        let awaited = if self.output_at.is_some() {
            Some(Awaited::Signalling)
        } else {
            let is_awaited =
                self.source_at.is_some() && !(self.gives_single_pictures && self.calls == 0);
            is_awaited.then_some(Awaited::Source)
        };
        let passed_through = matches!(self.before.video, Some(Some(_)));
        let output = &self.output;
        self.progress
            .describe(awaited, passed_through, || output.bytes_sent())
    }

    /// Tells the viewers, and ends.
    pub(crate) fn stop(&mut self, stopped: Sender<()>) {
        self.output.stop();
        if let Some(source) = self.source.take() {
            source.stop(Some(stopped));
        }
    }

    /// Lets the tracks that are ready go to viewers.
    fn open(&mut self) -> Fate {
        self.settle_by = None;
        if let Some(source) = &self.source {
            self.before = source.before();
        }
        if self.output_at.is_some() {
            return Fate::GoesOn;
        }
        let live = self.source.as_ref().is_some_and(Source::is_live);
        for kind in self.kinds.iter().copied() {
            if !self.outlet.has_lane(kind)
                && let Err(error) = self.output.add_lane(kind, live, &self.outlet)
            {
                return Fate::Failed(error.message.to_string());
            }
        }
        if !self.outlet.is_open() {
            self.output.play();
            self.outlet.open();
            self.was_open = true;
        }
        self.leave_if_nobody_watches();
        Fate::GoesOn
    }

    /// A source that is called on demand is left after a while without viewers.
    fn leave_if_nobody_watches(&mut self) {
        if self.settings.on_demand && self.outlet.is_open() && self.progress.viewers() == 0 {
            self.leave_at.get_or_insert_with(|| Instant::now() + LINGER);
        }
    }

    fn on_source_ended(&mut self, status: &Status) -> Fate {
        if self.source.as_ref().is_some_and(Source::is_single_picture) {
            return self.on_single_picture(status);
        }
        let live = match &self.named.input {
            Input::Test | Input::File(_) => false,
            Input::Camera(_) | Input::Rtsp(_) => true,
            Input::Uri(_) => self.is_watched(),
        };
        if live {
            let text = match self.named.input.is_listener() {
                true => "the sender is gone",
                false => "the stream ended",
            };
            let failure = Failure {
                text: text.to_owned(),
                lasting: false,
            };
            return self.on_source_failed(&failure, status);
        }
        if self.settings.repeat {
            return self.start(status);
        }
        self.drop_source();
        self.outlet.end();
        Fate::GoesOn
    }

    /// A picture of a camera came that gives one at a time.
    fn on_single_picture(&mut self, status: &Status) -> Fate {
        if !std::mem::replace(&mut self.gives_single_pictures, true) {
            let text = format!(
                "one JPEG picture at a time: it is asked for every {} s",
                SINGLE_PICTURE_INTERVAL.as_secs()
            );
            self.progress.say(status, &text);
        }
        self.calls = 0;
        self.source_back_off.reset();
        let fate = self.open();
        let next = self.started_at + SINGLE_PICTURE_INTERVAL;
        self.drop_source();
        self.source_at = Some(next);
        fate
    }

    fn on_source_failed(&mut self, failure: &Failure, status: &Status) -> Fate {
        if self.settings.on_demand && self.was_open && self.progress.viewers() == 0 {
            // What is wrong matters when somebody watches.
            self.drop_source();
            self.outlet.forget_latest();
            self.is_left = true;
            return Fate::GoesOn;
        }
        let delivered = self.delivered();
        let had_sender = self.source.as_ref().and_then(Source::sender_at).is_some();
        self.drop_source();
        self.outlet.forget_latest();
        if self.over_tcp == OverTcp::Asked {
            self.over_tcp = match delivered {
                Some(_) => OverTcp::Works,
                None => OverTcp::InVain,
            };
        }
        if delivered.is_some_and(|time| time > RECOVERED) {
            self.source_back_off.reset();
            self.calls = 0;
        }
        let is_known = self.was_open
            || self.calls > 0
            || self.settings.is_one_of_many
            || self.named.input.is_listener();
        let may = self.settings.retry.is_none_or(|retry| self.calls < retry);
        let again = may
            && match self.named.input {
                // What is wrong now may be right when the camera has started; not so at the very first attempt.
                Input::Rtsp(_) | Input::Uri(_) => is_known || !failure.lasting,
                Input::Camera(_) => is_known,
                Input::Test | Input::File(_) => false,
            };
        if !again {
            return Fate::Failed(format!("{}: {}", self.named.input, failure.text));
        }
        self.calls += 1;
        let is_listener = self.named.input.is_listener();
        let (wait, done) = if is_listener && delivered.is_some_and(|time| time > LISTENER_STEADY) {
            (LISTENER_WAIT, "listening again".to_owned())
        } else if is_listener && had_sender {
            // Another caller must neither keep the sender out nor fill the terminal.
            (USELESS_CALLER_WAIT, "listening again".to_owned())
        } else {
            let wait = self.source_back_off.wait();
            (wait, format!("next attempt in {} s", wait.as_secs()))
        };
        self.source_at = Some(Instant::now() + wait);
        let text = format!(
            "{} does not deliver ({}); {done}",
            self.named.input, failure.text
        );
        self.progress.say(status, &text);
        Fate::GoesOn
    }

    /// For how long the source delivered; none if it never did.
    fn delivered(&self) -> Option<Duration> {
        let silence = self.source.as_ref()?.silence().shortest()?;
        Some(self.started_at.elapsed().saturating_sub(silence))
    }

    /// The share of packets that a camera loses over UDP, if it is too large and TCP was not tried.
    fn loss(&self) -> Option<f64> {
        let may = self.settings.network.transport == RtspTransport::Auto
            && self.over_tcp == OverTcp::NotYet;
        self.source.as_ref().filter(|_| may)?.loss()
    }

    /// Why a source that is silent counts as failed; none if it does not.
    fn silence(&mut self, status: &Status) -> Option<String> {
        let timeout = self.settings.timeout.filter(|_| self.is_watched())?;
        let silence = self.source.as_ref()?.silence();
        let is_silent = |time: Option<Duration>| time.is_some_and(|time| time > timeout);
        let seconds = timeout.as_secs();
        if !silence.is_known() {
            // Who sends to a listener may come at any time.
            let sender_at = self.source.as_ref().and_then(Source::sender_at);
            let waits = match sender_at {
                Some(at) => at.elapsed() < timeout,
                None => self.named.input.is_listener() || self.started_at.elapsed() < timeout,
            };
            return (!waits).then(|| format!("nothing came for {seconds} s"));
        }
        let (picture, sound) = (is_silent(silence.picture), is_silent(silence.sound));
        let all = (picture || silence.picture.is_none()) && (sound || silence.sound.is_none());
        if all {
            return Some(format!("nothing came for {seconds} s"));
        }
        if picture {
            return Some(format!("no picture came for {seconds} s, while sound did"));
        }
        if !sound && self.started_at.elapsed() > STEADY + timeout {
            self.calls_for_sound = 0;
        }
        if !sound || self.calls_for_sound > MAX_CALLS_FOR_SOUND {
            return None;
        }
        self.calls_for_sound += 1;
        if self.calls_for_sound > MAX_CALLS_FOR_SOUND {
            self.progress.say(
                status,
                "its sound stops again and again; it is not called again for that",
            );
            return None;
        }
        Some(format!("no sound came for {seconds} s, while pictures did"))
    }

    fn on_no_signalling(&mut self, reason: &str, status: &Status) {
        self.outlet.close();
        self.output.pause();
        // Nobody saw it yet: a file begins when somebody can.
        if !self.is_live() {
            self.drop_source();
        }
        let wait = self.output_back_off.wait();
        self.output_at = Some(Instant::now() + wait);
        let text = format!("{reason}; next attempt in {} s", wait.as_secs());
        self.progress.say(status, &text);
    }

    fn drop_source(&mut self) {
        self.source_at = None;
        self.settle_by = None;
        if let Some(source) = self.source.take() {
            self.before = source.before();
            source.stop(None);
        }
    }

    fn is_live(&self) -> bool {
        self.named.input.is_live() == Some(true)
    }

    /// Whether there is a source that ought to deliver without an end.
    fn is_watched(&self) -> bool {
        let is_live = match self.named.input {
            Input::Test | Input::File(_) => false,
            _ => self.is_live(),
        };
        let source = self.source.as_ref();
        source.is_some_and(|source| is_live || source.is_endless())
    }
}
