//! The process that makes the load: a crowd of peers, and orders to them on the standard input, a line each. Each is
//! answered by a line.

use std::io::{BufRead, stdin};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::SignallingLoad;
use super::certificate::connector;
use super::crowd_churn::{churn, count_late_notices};
use super::dialer::Dialer;
use crate::bench::load::Peer;

/// How long nothing may come where something must.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// The longest an order may take.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Peers that are asked at the same time whether they are still there.
const REFRESHED_AT_ONCE: usize = 64;

/// What the crowd is to do, and how.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Order {
    pub(super) task: Task,
    /// This process never sleeps meanwhile.
    pub(super) awake: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum Task {
    /// So many more connect.
    Connect(usize),
    /// All are paired up to sessions.
    Pair,
    /// In each session, so many candidates are sent, one each so many microseconds.
    Talk { messages: usize, pace: u64 },
    /// So many become listeners, of those in sessions first, and so many producers come.
    Listen { listeners: usize, producers: usize },
    /// Of so many changes, so many are at the same moment.
    Change { changes: usize, at_once: usize },
    /// So many producers connect, set their status and leave, all at once.
    Churn { producers: usize },
    /// Notices that come after the last leave are counted.
    CountLateNotices,
    /// All peers send something, as a server closes connections that are silent for a minute.
    Refresh,
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Done {
    /// How many messages reached a peer, or how many peers connected.
    pub(super) count: usize,
    /// How long they took: the median, and what one of a hundred took longer than.
    pub(super) delays: Option<(Duration, Duration)>,
}

struct Crowd {
    dialer: Dialer,
    idle: Vec<Peer>,
    sessions: Vec<Session>,
    listeners: Vec<Peer>,
    producers: Vec<Peer>,
}

struct Session {
    id: String,
    producer: Peer,
    consumer: Peer,
}

pub(crate) fn run(load: &SignallingLoad) -> Result<ExitCode> {
    rlimit::increase_nofile_limit(rlimit::INFINITY)?;
    let tls = load.certificate.as_deref().map(connector).transpose()?;
    let mut crowd = Crowd {
        dialer: Dialer {
            address: load.address,
            tls,
        },
        idle: Vec::new(),
        sessions: Vec::new(),
        listeners: Vec::new(),
        producers: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for line in stdin().lock().lines() {
        let Order { task, awake } = serde_json::from_str(&line?)?;
        let done = runtime.block_on(async {
            let _awake = awake.then(KeptAwake::start);
            let done = timeout(LONGEST, crowd.act(task)).await;
            done.context("it took too long")?
        })?;
        println!("{}", serde_json::to_string(&done)?);
    }
    Ok(ExitCode::SUCCESS)
}

impl Crowd {
    async fn act(&mut self, task: Task) -> Result<Done> {
        match task {
            Task::Connect(count) => {
                self.idle.extend(self.dialer.connect(count).await?);
                Ok(Done::of(count))
            }
            Task::Pair => self.pair().await,
            Task::Talk { messages, pace } => self.talk(messages, Duration::from_micros(pace)).await,
            Task::Listen {
                listeners,
                producers,
            } => self.listen(listeners, producers).await,
            Task::Change { changes, at_once } => self.change(changes, at_once).await,
            Task::Churn { producers } => {
                let count = churn(&self.dialer, &mut self.listeners, producers).await?;
                Ok(Done::of(count))
            }
            Task::CountLateNotices => {
                let count = count_late_notices(&mut self.listeners).await?;
                Ok(Done::of(count))
            }
            Task::Refresh => self.refresh().await,
        }
    }

    async fn pair(&mut self) -> Result<Done> {
        while self.idle.len() >= 2 {
            let (Some(mut producer), Some(mut consumer)) = (self.idle.pop(), self.idle.pop())
            else {
                break;
            };
            producer.set_roles("\"producer\"").await?;
            let call = json!({"type": "startSession", "peerId": producer.id});
            consumer.send(call.to_string()).await?;
            let session = consumer.receive("sessionStarted").await?["sessionId"].clone();
            producer.receive("startSession").await?;
            self.sessions.push(Session {
                id: session.as_str().context("an id")?.to_owned(),
                producer,
                consumer,
            });
        }
        Ok(Done::default())
    }

    async fn talk(&mut self, messages: usize, pace: Duration) -> Result<Done> {
        let start = Instant::now();
        let count = self.sessions.len() as u32;
        let sessions = self.sessions.iter_mut().zip(0..);
        // Sessions are out of step with each other, as in life.
        let talks = sessions.map(|(session, number)| async move {
            tokio::time::sleep(pace * number / count).await;
            session.talk(messages, pace, start).await
        });
        let mut delays: Vec<Duration> = try_join_all(talks).await?.concat();
        delays.sort_unstable();
        let quantile = |part: f64| delays[((delays.len() - 1) as f64 * part) as usize];
        Ok(Done {
            count: delays.len(),
            delays: Some((quantile(0.5), quantile(0.99))),
        })
    }

    async fn listen(&mut self, listeners: usize, producers: usize) -> Result<Done> {
        for session in self.sessions.drain(..) {
            if self.listeners.len() < listeners {
                self.listeners.push(session.consumer);
            } else {
                self.idle.push(session.consumer);
            }
            self.idle.push(session.producer);
        }
        while self.listeners.len() < listeners
            && let Some(peer) = self.idle.pop()
        {
            self.listeners.push(peer);
        }
        for listener in &mut self.listeners {
            listener.set_roles("\"listener\"").await?;
        }
        self.producers = self.dialer.connect(producers).await?;
        for listener in &mut self.listeners {
            listener.sync().await?;
        }
        Ok(Done::default())
    }

    async fn change(&mut self, changes: usize, at_once: usize) -> Result<Done> {
        for change in 0..changes / at_once {
            let meta = json!({"name": "bench camera", "change": change, "of": at_once});
            let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
            for producer in &mut self.producers[..at_once] {
                producer.send(status.to_string()).await?;
            }
            for listener in &mut self.listeners {
                for _ in 0..at_once {
                    listener.receive("peerStatusChanged").await?;
                }
            }
        }
        Ok(Done::of(changes * self.listeners.len()))
    }

    async fn refresh(&mut self) -> Result<Done> {
        let in_sessions = self.sessions.iter_mut();
        let in_sessions =
            in_sessions.flat_map(|session| [&mut session.producer, &mut session.consumer]);
        let peers = [&mut self.idle, &mut self.listeners, &mut self.producers];
        let peers = peers.into_iter().flatten().chain(in_sessions);
        stream::iter(peers.map(anyhow::Ok))
            .try_for_each_concurrent(REFRESHED_AT_ONCE, Peer::sync)
            .await?;
        Ok(Done::default())
    }
}

impl Done {
    fn of(count: usize) -> Self {
        Self {
            count,
            delays: None,
        }
    }
}

/// A task that never lets its runtime sleep, until this is dropped.
struct KeptAwake(JoinHandle<()>);

impl KeptAwake {
    fn start() -> Self {
        Self(tokio::spawn(async {
            loop {
                yield_now().await;
            }
        }))
    }
}

impl Drop for KeptAwake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Candidates from the consumer to the producer, evenly paced, their delays measured.
    async fn talk(
        &mut self,
        messages: usize,
        pace: Duration,
        start: Instant,
    ) -> Result<Vec<Duration>> {
        let send = async {
            let mut ticks = interval(pace);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..messages {
                ticks.tick().await;
                let sent = start.elapsed().as_nanos();
                let candidate = format!(
                    "candidate:{sent} 1 UDP 2122260223 192.0.2.1 50000 typ host generation 0"
                );
                let ice = json!({"candidate": candidate, "sdpMLineIndex": 0});
                let message = json!({"type": "peer", "sessionId": self.id, "ice": ice});
                let message = Message::text(message.to_string());
                self.consumer.socket.send(message).await?;
            }
            anyhow::Ok(())
        };
        let receive = async {
            let mut delays = Vec::with_capacity(messages);
            while delays.len() < messages {
                let message = timeout(SILENCE, self.producer.socket.next()).await?;
                let message = message.context("the server closed")??;
                let received = start.elapsed();
                if message.is_close() {
                    bail!("the server closed: {message:?}");
                }
                let Some((_, rest)) = message.to_text()?.split_once("candidate:") else {
                    continue;
                };
                let (sent, _) = rest.split_once(' ').context("a candidate")?;
                delays.push(received.saturating_sub(Duration::from_nanos(sent.parse()?)));
            }
            anyhow::Ok(delays)
        };
        let ((), delays) = tokio::try_join!(send, receive)?;
        Ok(delays)
    }
}
