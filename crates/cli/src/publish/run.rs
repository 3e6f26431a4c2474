//! The command from its start to its end: one thread that is told of all events.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use wigwag_server::{Config, Server};

use super::arguments::{ArgumentError, Named, PublishArguments, Transcode};
use super::channel::{Channel, Fate};
use super::event::Event;
use super::outlet::SharedClock;
use super::output::{OutputSettings, STOP_TIMEOUT};
use super::status::Status;

/// How often the line on a terminal is drawn.
const REFRESH: Duration = Duration::from_secs(1);

/// Why the command ends badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The command line makes no sense.
    #[error(transparent)]
    Usage(#[from] ArgumentError),
    #[error("{0}")]
    Failed(String),
}

/// Publishes until all inputs ended or the process is told to end.
pub(crate) fn run(arguments: &PublishArguments) -> Result<(), PublishError> {
    let inputs = arguments.named_inputs()?;
    let failed = |text: &dyn ToString| PublishError::Failed(text.to_string());
    for Named { input, .. } in &inputs {
        input.check().map_err(|error| failed(&error))?;
    }
    let sources = arguments.sources();
    for path in arguments.cafile.iter().chain(&sources.network.cafile) {
        check_authorities(path).map_err(|error| failed(&error))?;
    }
    gst::init().map_err(|error| failed(&error.message()))?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let (events, received) = channel();
    stop_on_signals(&runtime, &events).map_err(|error| failed(&error))?;
    let mut status = Status::new();
    let embedded = arguments
        .embed
        .then(|| Embedded::start(&runtime, arguments, &status))
        .transpose()?;
    let settings = OutputSettings {
        server: embedded
            .as_ref()
            .map_or_else(|| arguments.server.clone(), |server| server.url.clone()),
        headers: arguments.headers(),
        cafile: arguments.cafile.clone(),
        insecure_tls: arguments.insecure_tls,
        stun_server: arguments.stun_server.clone(),
        max_bitrate: arguments.max_bitrate,
        latency: arguments.latency,
        transcode: arguments.transcode == Transcode::WhenNeeded,
    };
    let clock = SharedClock::start();
    let mut channels = Vec::new();
    for (number, named) in inputs.into_iter().enumerate() {
        let made = Channel::new(number, named, &sources, &settings, &clock, &events);
        channels.push(Some(made.map_err(PublishError::Failed)?));
    }
    let outcome = publish(&mut channels, &received, &mut status);
    status.finish();
    stop(channels);
    if let Some(embedded) = embedded {
        embedded.stop(&runtime);
    }
    outcome
}

/// Says early what no other attempt to connect would change.
fn check_authorities(path: &Path) -> Result<(), String> {
    let failed = |reason: &str| format!("no authorities in {}: {reason}", path.display());
    let text = std::fs::read(path).map_err(|error| failed(&error.to_string()))?;
    let mut lines = text.split(|byte| *byte == b'\n');
    if lines.any(|line| line.trim_ascii() == b"-----BEGIN CERTIFICATE-----") {
        return Ok(());
    }
    Err(failed("it holds no certificate in PEM form"))
}

/// Until there is no channel any more.
fn publish(
    channels: &mut [Option<Channel>],
    received: &Receiver<Event>,
    status: &mut Status,
) -> Result<(), PublishError> {
    for number in 0..channels.len() {
        tell(channels, number, |channel| channel.start(status))?;
    }
    let mut draw_at = Instant::now();
    while channels.iter().any(Option::is_some) {
        let deadlines = channels.iter().flatten().filter_map(Channel::deadline);
        let drawing = status.shows_line().then_some(draw_at);
        let wait = deadlines
            .chain(drawing)
            .min()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let event = match wait {
            Some(wait) => received.recv_timeout(wait),
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Event::Source {
                channel,
                source,
                event,
            }) => tell(channels, channel, |channel| {
                channel.on_source(source, event, status)
            })?,
            Ok(Event::Output { channel, event }) => {
                tell(channels, channel, |channel| {
                    channel.on_output(event, status)
                })?;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        for number in 0..channels.len() {
            tell(channels, number, |channel| channel.on_time(status))?;
        }
        if status.shows_line() && draw_at <= Instant::now() {
            draw_at = Instant::now() + REFRESH;
            let lines = channels.iter_mut().flatten().map(Channel::describe);
            let line = lines.collect::<Vec<_>>().join(" | ");
            status.show(&line);
        }
    }
    Ok(())
}

/// Tells a channel something; one that ended is stopped.
fn tell(
    channels: &mut [Option<Channel>],
    number: usize,
    what: impl FnOnce(&mut Channel) -> Fate,
) -> Result<(), PublishError> {
    let Some(place) = channels.get_mut(number) else {
        return Ok(());
    };
    let Some(channel) = place else {
        return Ok(());
    };
    match what(channel) {
        Fate::GoesOn => Ok(()),
        Fate::Ended => {
            stop(place.take());
            Ok(())
        }
        Fate::Failed(reason) => Err(PublishError::Failed(reason)),
    }
}

/// Ends channels side by side, and waits for that a little.
fn stop(channels: impl IntoIterator<Item = impl Into<Option<Channel>>>) {
    let (stopping, stopped) = channel();
    for mut channel in channels.into_iter().filter_map(Into::into) {
        let stopping = stopping.clone();
        thread::spawn(move || channel.stop(stopping));
    }
    drop(stopping);
    // Nothing is sent: it is over when nobody can send any more.
    let _ = stopped.recv_timeout(STOP_TIMEOUT * 2);
}

fn stop_on_signals(runtime: &Runtime, events: &Sender<Event>) -> std::io::Result<()> {
    let _inside = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signal, events) = (signal(kind)?, events.clone());
        runtime.spawn(async move {
            while signal.recv().await.is_some() {
                let _ = events.send(Event::Stop);
            }
        });
    }
    Ok(())
}

/// Says where the page is, and for whom.
fn say_who_can_watch(server: &Server, status: &Status) {
    for (place, url) in server.urls().iter().enumerate() {
        let page = url.replacen("ws", "http", 1);
        let lead = if place == 0 { "watch" } else { "   or" };
        status.tell(&format!("{lead} at {page}"));
    }
    if server.is_open_to_others() {
        status.tell("anyone who can reach this machine can watch; --host 127.0.0.1 keeps it to this machine");
    }
}

/// The command's own signalling server.
struct Embedded {
    url: String,
    stop: oneshot::Sender<()>,
    stopped: tokio::task::JoinHandle<()>,
}

impl Embedded {
    fn start(
        runtime: &Runtime,
        arguments: &PublishArguments,
        status: &Status,
    ) -> Result<Self, PublishError> {
        let config = Config {
            host: arguments.host.clone(),
            port: arguments.port,
            ..Config::default()
        };
        let server = runtime.block_on(Server::bind(config));
        let server = server.map_err(|error| PublishError::Failed(error.to_string()))?;
        let url = server.url();
        say_who_can_watch(&server, status);
        let (stop, told_to_stop) = oneshot::channel();
        let stopped = runtime.spawn(server.run(async {
            let _ = told_to_stop.await;
        }));
        Ok(Self { url, stop, stopped })
    }

    fn stop(self, runtime: &Runtime) {
        let _ = self.stop.send(());
        // Clients that do not let go are left to themselves.
        let _ = runtime.block_on(async { tokio::time::timeout(STOP_TIMEOUT, self.stopped).await });
    }
}
