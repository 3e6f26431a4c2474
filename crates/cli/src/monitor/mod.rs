//! `wigwag monitor`: a server at work, on a terminal.
//!
//! A task asks the admin API again and again (`admin_client`) and hands over what it saw; keys and what was seen change
//! the state (`state`), and the state is drawn (`view`). Whatever comes from the server is made fit to be shown where it
//! is drawn.

mod admin_client;
mod arguments;
mod once;
mod snapshot;
mod state;
mod text;
mod view;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval};

use crate::client::Way;
use admin_client::AdminClient;
pub use arguments::MonitorArguments;
use snapshot::Snapshot;
use state::{Removal, State, Wish};

/// Removals that wait for the server; more keys are passed over.
const MAX_ORDERS: usize = 8;

/// What was seen and waits to be drawn.
const MAX_SEEN: usize = 2;

/// What the task that asks has to tell.
enum Told {
    Seen(Box<Snapshot>),
    Lost(String),
    Removed(Result<Removal, String>),
}

/// Shows the server until whoever watches has seen enough.
pub(crate) fn run(arguments: &MonitorArguments) -> Result<(), String> {
    let way = match &arguments.admin_socket {
        Some(path) => Way::by_socket(&arguments.admin, path.clone()),
        None => Way::new(&arguments.admin, &arguments.trust())?,
    };
    let token = arguments.token()?;
    let client = AdminClient::new(arguments.admin.clone(), way, token.as_deref())?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let admin = match &arguments.admin_socket {
        Some(path) => path.display().to_string(),
        None => arguments.admin.to_string(),
    };
    let shown = if arguments.once {
        runtime.block_on(show_once(&admin, client))
    } else {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err("this is no terminal; --once prints one picture".to_owned());
        }
        runtime.block_on(show(admin, client, arguments.interval()))
    };
    // Whoever still asks is not waited for.
    runtime.shutdown_background();
    shown
}

async fn show_once(admin: &str, mut client: AdminClient) -> Result<(), String> {
    let snapshot = client.look().await?;
    let picture = once::picture(admin, &snapshot);
    match io::stdout().write_all(picture.as_bytes()) {
        // Whoever read a part had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| error.to_string()),
    }
}

async fn show(admin: String, client: AdminClient, every: Duration) -> Result<(), String> {
    let (orders, ordered) = mpsc::channel(MAX_ORDERS);
    let (tell, told) = mpsc::channel(MAX_SEEN);
    tokio::spawn(ask(client, every, ordered, tell));
    // From here on they end the process by way of `restore`.
    let signals = Signals::new().map_err(|error| error.to_string())?;
    // A panic, too, leaves the terminal as it was.
    let terminal = ratatui::try_init().map_err(|error| {
        // It may have failed half-way, when keys were not echoed any more.
        let _ = ratatui::try_restore();
        format!("cannot use the terminal: {error}")
    })?;
    let ended = watch(terminal, signals, State::new(admin), &orders, told).await;
    ratatui::restore();
    ended.map_err(|error| format!("the terminal failed: {error}"))
}

/// Those that end it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when one came.
    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

async fn watch(
    mut terminal: DefaultTerminal,
    mut signals: Signals,
    mut state: State,
    orders: &Sender<Removal>,
    mut told: Receiver<Told>,
) -> io::Result<()> {
    let mut keys = EventStream::new();
    loop {
        terminal.draw(|frame| view::draw(frame, &state))?;
        tokio::select! {
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    match state.press(key) {
                        Some(Wish::End) => return Ok(()),
                        Some(Wish::Remove(removal)) => {
                            let ordered = orders.try_send(removal);
                            if ordered.is_err() {
                                let busy = "the server is busy with what was asked before";
                                state.removed(Err(busy.to_owned()));
                            }
                        }
                        None => {}
                    }
                }
                // The terminal is drawn in its new size.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(told) = told.recv() => match told {
                Told::Seen(snapshot) => state.seen(*snapshot, Instant::now()),
                Told::Lost(reason) => state.lost(reason),
                Told::Removed(result) => state.removed(result),
            },
            () = signals.received() => return Ok(()),
        }
    }
}

/// Looks again and again, and does what is ordered in between.
async fn ask(
    mut client: AdminClient,
    every: Duration,
    mut orders: Receiver<Removal>,
    tell: Sender<Told>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            order = orders.recv() => {
                let Some(removal) = order else {
                    return;
                };
                let (list, id) = match &removal {
                    Removal::Peer(id) => ("peers", id),
                    Removal::Session(id) => ("sessions", id),
                };
                let done = client.remove(list, id).await;
                if tell.send(Told::Removed(done.map(|()| removal))).await.is_err() {
                    return;
                }
            }
        }
        let told = match client.look().await {
            Ok(snapshot) => Told::Seen(Box::new(snapshot)),
            Err(reason) => Told::Lost(reason),
        };
        if tell.send(told).await.is_err() {
            return;
        }
    }
}
