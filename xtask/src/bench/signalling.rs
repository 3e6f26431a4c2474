//! `cargo xtask bench signalling`.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::load::Peer;
use super::server_process::ServerProcess;
use super::stalled::{self, Stalled};
use super::table::{Row, print};
use crate::commands::say;
use crate::peers;

const IDLE_CONNECTIONS: usize = 4_000;
const LISTENERS: usize = 200;
const CHANGES: usize = 500;
/// Producers that change at the same moment, as after a restart.
const BURST: usize = 20;
const SESSIONS: usize = 200;
const MESSAGES_PER_SESSION: usize = 500;
/// Between two messages of one session: all together 10,000 a second.
const PACE: Duration = Duration::from_millis(20);

struct Measured {
    per_connect: Duration,
    memory_per_idle: f64,
    per_listener_told: Duration,
    per_listener_told_in_burst: Duration,
    relayed: Relayed,
}

struct Relayed {
    per_message: Duration,
    p50: Duration,
    p99: Duration,
}

pub(crate) fn run() -> Result<ExitCode> {
    let ours = peers::our_server()?;
    let reference = peers::reference_server()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        say("Measuring the reference");
        let theirs = measure(&reference, &[]).await?;
        say("Measuring wigwag");
        let mine = measure(&ours, &["serve"]).await?;
        print(&rows(&theirs, &mine));

        say("Three listeners stop reading while 2,500 status changes of 16 KiB pass");
        let theirs = stalled::measure(&reference, &[]).await?;
        let mine = stalled::measure(&ours, &["serve"]).await?;
        print(&stalled_rows(&theirs, &mine));
        Ok(ExitCode::SUCCESS)
    })
}

async fn measure(program: &Path, arguments: &[&str]) -> Result<Measured> {
    let (per_connect, memory_per_idle) = idle(&ServerProcess::start(program, arguments)?).await?;
    let per_listener_told = listeners(&ServerProcess::start(program, arguments)?, 1).await?;
    let per_listener_told_in_burst =
        listeners(&ServerProcess::start(program, arguments)?, BURST).await?;
    let relayed = sessions(&ServerProcess::start(program, arguments)?).await?;
    Ok(Measured {
        per_connect,
        memory_per_idle,
        per_listener_told,
        per_listener_told_in_burst,
        relayed,
    })
}

/// Connections that do nothing: what each costs to make, and to keep.
async fn idle(server: &ServerProcess) -> Result<(Duration, f64)> {
    // What the first connections make the server set up is not theirs.
    let mut connections = connect_many(server, 50).await?;
    let memory = server.memory()?;
    let before = server.processor_time()?;
    connections.extend(connect_many(server, IDLE_CONNECTIONS).await?);
    let spent = server.processor_time()? - before;
    let grown = server.memory()?.saturating_sub(memory);
    Ok((
        spent / IDLE_CONNECTIONS as u32,
        grown as f64 / 1024.0 / IDLE_CONNECTIONS as f64,
    ))
}

async fn connect_many(server: &ServerProcess, count: usize) -> Result<Vec<Peer>> {
    let mut peers = Vec::with_capacity(count);
    while peers.len() < count {
        let some = (0..16.min(count - peers.len())).map(|_| Peer::connect(server.address));
        peers.extend(try_join_all(some).await?);
    }
    Ok(peers)
}

/// Listeners that are told of changes, so many producers changing at the same moment.
async fn listeners(server: &ServerProcess, at_once: usize) -> Result<Duration> {
    let mut listeners = connect_many(server, LISTENERS).await?;
    for listener in &mut listeners {
        listener.set_roles("\"listener\"").await?;
    }
    let mut producers = connect_many(server, at_once).await?;
    for listener in &mut listeners {
        listener.sync().await?;
    }
    let before = server.processor_time()?;
    for change in 0..CHANGES / at_once {
        let meta = json!({"name": "bench camera", "change": change});
        let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
        for producer in &mut producers {
            producer.send(status.to_string()).await?;
        }
        for listener in &mut listeners {
            for _ in 0..at_once {
                listener.receive("peerStatusChanged").await?;
            }
        }
    }
    let spent = server.processor_time()? - before;
    Ok(spent / (LISTENERS * CHANGES) as u32)
}

/// Sessions that are all busy at once.
async fn sessions(server: &ServerProcess) -> Result<Relayed> {
    let mut pairs = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let mut producer = Peer::connect(server.address).await?;
        producer.set_roles("\"producer\"").await?;
        let mut consumer = Peer::connect(server.address).await?;
        let call = json!({"type": "startSession", "peerId": producer.id});
        consumer.send(call.to_string()).await?;
        let session = consumer.receive("sessionStarted").await?["sessionId"].clone();
        producer.receive("startSession").await?;
        let session = session.as_str().context("an id")?.to_owned();
        pairs.push((producer, consumer, session));
    }
    let before = server.processor_time()?;
    let start = Instant::now();
    let tasks = pairs
        .into_iter()
        .enumerate()
        .map(|(number, (producer, consumer, session))| {
            tokio::spawn(talk(producer, consumer, session, number, start))
        });
    let mut delays = Vec::new();
    // Each pair is kept to the end, so that no disconnection is measured.
    let mut pairs = Vec::new();
    for task in try_join_all(tasks).await? {
        let (pair, measured) = task?;
        pairs.push(pair);
        delays.extend(measured);
    }
    let spent = server.processor_time()? - before;
    delays.sort_unstable();
    let quantile = |part: f64| delays[((delays.len() - 1) as f64 * part) as usize];
    Ok(Relayed {
        per_message: spent / delays.len() as u32,
        p50: quantile(0.5),
        p99: quantile(0.99),
    })
}

/// One session: candidates from the consumer to the producer, evenly paced, their delays measured.
async fn talk(
    producer: Peer,
    consumer: Peer,
    session: String,
    number: usize,
    start: Instant,
) -> Result<((impl Sized, impl Sized), Vec<Duration>)> {
    let (mut sink, stream) = consumer.socket.split();
    let (producer_sink, mut producer) = producer.socket.split();
    let send = async {
        // Sessions are out of step with each other, as in life.
        tokio::time::sleep(PACE * number as u32 / SESSIONS as u32).await;
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..MESSAGES_PER_SESSION {
            ticks.tick().await;
            let sent = start.elapsed().as_nanos();
            let candidate =
                format!("candidate:{sent} 1 UDP 2122260223 192.0.2.1 50000 typ host generation 0");
            let ice = json!({"candidate": candidate, "sdpMLineIndex": 0});
            let message = json!({"type": "peer", "sessionId": session, "ice": ice});
            sink.send(Message::text(message.to_string())).await?;
        }
        anyhow::Ok(())
    };
    let receive = async {
        let mut delays = Vec::with_capacity(MESSAGES_PER_SESSION);
        while delays.len() < MESSAGES_PER_SESSION {
            let message = timeout(Duration::from_secs(60), producer.next()).await?;
            let message = message.context("the server closed")??;
            let received = start.elapsed();
            let text = message.to_text()?;
            let Some((_, rest)) = text.split_once("candidate:") else {
                continue;
            };
            let (sent, _) = rest.split_once(' ').context("a candidate")?;
            delays.push(received.saturating_sub(Duration::from_nanos(sent.parse()?)));
        }
        anyhow::Ok(delays)
    };
    let ((), delays) = tokio::try_join!(send, receive)?;
    Ok((((sink, stream), (producer_sink, producer)), delays))
}

fn rows(reference: &Measured, ours: &Measured) -> Vec<Row> {
    let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
    let row = |what, unit, target, value: &dyn Fn(&Measured) -> f64| Row {
        what,
        unit,
        reference: Some(value(reference)),
        ours: value(ours),
        target,
    };
    vec![
        row(
            "processor time per relayed message",
            "us",
            Some(8.0),
            &|m| microseconds(m.relayed.per_message),
        ),
        row("processor time per listener told", "us", Some(1.5), &|m| {
            microseconds(m.per_listener_told)
        }),
        row("the same, 20 changes at once", "us", Some(1.5), &|m| {
            microseconds(m.per_listener_told_in_burst)
        }),
        row("processor time per connect", "us", None, &|m| {
            microseconds(m.per_connect)
        }),
        row("memory per idle connection", "KiB", Some(10.0), &|m| {
            m.memory_per_idle
        }),
        row("relay time, 200 busy sessions, p50", "us", None, &|m| {
            microseconds(m.relayed.p50)
        }),
        row("relay time, 200 busy sessions, p99", "us", None, &|m| {
            microseconds(m.relayed.p99)
        }),
    ]
}

fn stalled_rows(reference: &Stalled, ours: &Stalled) -> Vec<Row> {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let mebibytes = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    vec![
        Row {
            what: "a new session, at worst",
            unit: "ms",
            reference: reference.worst_session.map(milliseconds),
            // A session that was never made counts as the whole deadline.
            ours: milliseconds(ours.worst_session.unwrap_or(stalled::DEADLINE)),
            target: Some(200.0),
        },
        Row {
            what: "the server grows by",
            unit: "MiB",
            reference: Some(mebibytes(reference.grown)),
            ours: mebibytes(ours.grown),
            target: Some(64.0),
        },
    ]
}
