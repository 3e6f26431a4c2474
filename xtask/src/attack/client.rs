//! What all attackers share: where they come from, whom they attack, and until when.

use std::cell::{Cell, OnceCell};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::raw::RawPeer;
use super::sources::Sources;
use crate::bench::load::Peer;

/// Connections that are being made at once: more would wait in the server's backlog.
const DIALLED_AT_ONCE: usize = 64;
/// After a connection that was refused or closed.
const BACK_OFF: Duration = Duration::from_millis(50);

pub(super) struct Crowd {
    pub(super) producers: Vec<String>,
    server: SocketAddr,
    sources: Sources,
    until: Instant,
    dialling: Semaphore,
    connected: Cell<u64>,
    broken: Cell<u64>,
    sent: Cell<u64>,
    misled: Cell<u64>,
    complaint: OnceCell<String>,
}

/// What attackers did.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Done {
    pub(super) connected: u64,
    /// Connections that were refused or closed, and requests that were.
    pub(super) broken: u64,
    /// Messages, or blocks of frames.
    pub(super) sent: u64,
    /// Datagrams that reached third parties.
    pub(super) misled: u64,
    /// Why the first was refused or closed.
    pub(super) complaint: Option<String>,
    /// Time on a processor.
    pub(super) processor_seconds: f64,
}

impl Crowd {
    pub(super) fn new(
        server: SocketAddr,
        sources: Sources,
        producers: Vec<String>,
        time: Duration,
    ) -> Self {
        Self {
            producers,
            server,
            sources,
            until: Instant::now() + time,
            dialling: Semaphore::new(DIALLED_AT_ONCE),
            connected: Cell::default(),
            broken: Cell::default(),
            sent: Cell::default(),
            misled: Cell::default(),
            complaint: OnceCell::default(),
        }
    }

    /// So many, or as many as there are addresses if these are more.
    pub(super) fn at_least(&self, clients: usize) -> usize {
        match self.sources {
            Sources::Ipv4(count) => clients.max(count),
            Sources::Ipv6Prefix => clients,
        }
    }

    /// So many clients do the same, each again and again until the time is over.
    pub(super) async fn all<F>(&self, clients: usize, act: impl Fn(usize) -> F)
    where
        F: Future<Output = Result<()>>,
    {
        let act = &act;
        join_all((0..clients).map(|client| async move {
            while let Ok(ended) = timeout_at(self.until, act(client)).await {
                if let Err(error) = ended {
                    add(&self.broken, 1);
                    self.complaint.get_or_init(|| format!("{error:#}"));
                }
                sleep(BACK_OFF).await;
            }
        }))
        .await;
    }

    /// The camera that a client attacks.
    pub(super) fn producer_of(&self, client: usize) -> &str {
        &self.producers[client % self.producers.len()]
    }

    /// The address that a client comes from.
    pub(super) fn source_of(&self, client: usize) -> IpAddr {
        self.sources.of_client(client)
    }

    /// A connection without anything on it.
    pub(super) async fn dial(&self, client: usize) -> Result<TcpStream> {
        let source = self.source_of(client);
        let socket = match self.server {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(SocketAddr::new(source, 0))?;
        let permit = self.dialling.acquire().await?;
        let stream = socket.connect(self.server).await?;
        drop(permit);
        stream.set_nodelay(true)?;
        add(&self.connected, 1);
        Ok(stream)
    }

    /// A peer that has been welcomed.
    pub(super) async fn peer(&self, client: usize) -> Result<Peer> {
        let stream = self.dial(client).await?;
        Peer::over(Box::new(stream), format!("ws://{}/", self.server)).await
    }

    /// A peer that writes frames by hand; at this path.
    pub(super) async fn raw_peer(&self, client: usize, path: &str) -> Result<RawPeer> {
        let stream = self.dial(client).await?;
        RawPeer::over(stream, &self.server.to_string(), path).await
    }

    pub(super) fn count_sent(&self, sent: u64) {
        add(&self.sent, sent);
    }

    pub(super) fn count_misled(&self, datagrams: u64) {
        add(&self.misled, datagrams);
    }

    pub(super) fn done(&self) -> Done {
        Done {
            connected: self.connected.get(),
            broken: self.broken.get(),
            sent: self.sent.get(),
            misled: self.misled.get(),
            complaint: self.complaint.get().cloned(),
            processor_seconds: 0.0,
        }
    }
}

/// Calls a peer, and returns the session.
pub(super) async fn call(peer: &mut Peer, callee: &str) -> Result<String> {
    let start = json!({"type": "startSession", "peerId": callee});
    peer.send(start.to_string()).await?;
    loop {
        let message: Value = serde_json::from_str(&peer.next_text().await?)?;
        match message["type"].as_str() {
            Some("sessionStarted") => {
                return Ok(message["sessionId"].as_str().context("an id")?.to_owned());
            }
            Some("error") => bail!("refused: {message}"),
            _ => {}
        }
    }
}

/// Reads and forgets, until the session ends or the connection does.
pub(super) async fn read_on(
    stream: &mut (impl StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin),
) -> Result<()> {
    while let Some(message) = stream.next().await {
        match message? {
            Message::Close(frame) => bail!("closed: {frame:?}"),
            Message::Text(text) if text.contains("\"endSession\"") => bail!("the session ended"),
            _ => {}
        }
    }
    bail!("the connection ended")
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}
