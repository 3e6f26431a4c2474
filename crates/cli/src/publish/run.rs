//! The command from its start to its end: one thread that is told of all events.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use wigwag_server::{BrowserAccess, Config, Server};

use super::arguments::{ArgumentError, PublishArguments};
use super::camera::Camera;
use super::cameras::{CamerasFile, LOOK_INTERVAL};
use super::channels::Channels;
use super::event::Event;
use super::outlet::SharedClock;
use super::output::STOP_TIMEOUT;
use super::snapshots::Snapshots;
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
    let failed = |text: &dyn ToString| PublishError::Failed(text.to_string());
    let mut file = arguments.config.as_deref().map(CamerasFile::new);
    let cameras = match &mut file {
        Some(file) => file.read().map_err(|error| failed(&error))?,
        None => arguments.cameras()?,
    };
    for Camera { named, .. } in cameras.iter().filter(|_| file.is_none()) {
        named.input.check().map_err(|error| failed(&error))?;
    }
    let cafiles = cameras
        .iter()
        .filter_map(|camera| camera.sources.network.cafile.as_ref());
    for path in cafiles.chain(&arguments.cafile) {
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
    let snapshots = arguments.embed.then(|| Snapshots::new(events.clone()));
    let embedded = snapshots
        .clone()
        .map(|snapshots| Embedded::start(&runtime, arguments, snapshots, &status))
        .transpose()?;
    let mut settings = arguments.output();
    if let Some(server) = &embedded {
        settings.server.clone_from(&server.url);
    }
    let mut channels = Channels::new(
        settings,
        snapshots,
        SharedClock::start(),
        events,
        file.is_some(),
    );
    let outcome = channels
        .set(cameras, &status)
        .and_then(|()| publish(&mut channels, &received, file, &mut status));
    status.finish();
    channels.stop();
    if let Some(embedded) = embedded {
        embedded.stop(&runtime);
    }
    // A snapshot that is being made is not waited for.
    runtime.shutdown_background();
    outcome.map_err(PublishError::Failed)
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

/// Until there is no channel any more. The text of an error is for the user.
fn publish(
    channels: &mut Channels,
    received: &Receiver<Event>,
    mut file: Option<CamerasFile>,
    status: &mut Status,
) -> Result<(), String> {
    let (mut draw_at, mut look_at) = (Instant::now(), Instant::now() + LOOK_INTERVAL);
    while channels.goes_on() {
        let drawing = status.shows_line().then_some(draw_at);
        let looking = file.is_some().then_some(look_at);
        let deadlines = [channels.deadline(), drawing, looking];
        let wait = deadlines
            .into_iter()
            .flatten()
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
            }) => channels.notify(channel, status, |channel| {
                channel.on_source(source, event, status)
            })?,
            Ok(Event::Output { channel, event }) => {
                channels.notify(channel, status, |channel| channel.on_output(event, status))?;
            }
            Ok(Event::SnapshotAsked { channel }) => {
                channels.notify(channel, status, |channel| channel.on_snapshot_asked(status))?;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        channels.on_time(status)?;
        if let Some(file) = &mut file
            && look_at <= Instant::now()
        {
            look_at = Instant::now() + LOOK_INTERVAL;
            read_again(file, channels, status)?;
        }
        if status.shows_line() && draw_at <= Instant::now() {
            draw_at = Instant::now() + REFRESH;
            let line = channels.describe();
            status.show(&line);
        }
    }
    Ok(())
}

/// Takes what a file of cameras has now; one that cannot be read changes nothing.
fn read_again(
    file: &mut CamerasFile,
    channels: &mut Channels,
    status: &Status,
) -> Result<(), String> {
    if !file.has_changed() {
        return Ok(());
    }
    match file.read() {
        Ok(cameras) => {
            status.say(&format!(
                "{} cameras in the file, which has changed",
                cameras.len()
            ));
            channels.set(cameras, status)
        }
        Err(error) => {
            status.say(&format!("{error}; the cameras stay as they were"));
            Ok(())
        }
    }
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
    let page = server.url().replacen("ws", "http", 1);
    status.tell(&format!("single pictures at {page}snapshot/NAME.jpg"));
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
        snapshots: Snapshots,
        status: &Status,
    ) -> Result<Self, PublishError> {
        let failed = |error: &dyn ToString| PublishError::Failed(error.to_string());
        let mut config = Config {
            host: arguments.host.clone(),
            port: arguments.port,
            allowed_origins: arguments.allowed_origins.clone(),
            allowed_hosts: arguments.allowed_hosts.clone(),
            ..Config::default()
        };
        let access = BrowserAccess::from_environment().map_err(|error| failed(&error))?;
        access.add_to(&mut config);
        let server = runtime.block_on(Server::bind(config));
        let server = server.map_err(|error| failed(&error))?;
        let server = server.with_routes(snapshots.routes());
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
