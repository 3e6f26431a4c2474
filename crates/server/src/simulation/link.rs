//! A link in memory between a client and the server, with what can go wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::watch;
use tokio::time::sleep;

/// What a link does to what passes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quality {
    /// The longest that a piece takes; each takes a time of its own.
    pub(super) delay: Duration,
    /// Bytes that are on their way at once, in each direction and at each end.
    pub(super) window: usize,
    /// The largest piece that arrives at once, in bytes.
    pub(super) piece: usize,
}

impl Quality {
    /// A link on which nothing is late.
    pub(super) fn good(random: &mut StdRng) -> Self {
        Self {
            delay: Duration::from_millis(random.random_range(0..30)),
            window: 64 * 1024,
            piece: random.random_range(16..64 * 1024),
        }
    }

    /// One on which things are slow and come in crumbs.
    pub(super) fn bad(random: &mut StdRng) -> Self {
        Self {
            delay: Duration::from_millis(random.random_range(0..800)),
            window: random.random_range(64..2048),
            piece: random.random_range(1..64),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Whatever is sent is lost, and nobody is told: a half-open connection.
    Swallows,
    /// Both ends are told.
    Cut,
}

/// What breaks a link. The link stays when this is dropped.
#[derive(Clone, Debug)]
pub(super) struct Link(Arc<watch::Sender<State>>);

impl Link {
    /// The client's end, the server's end, and what breaks it.
    pub(super) fn new(quality: Quality, random: &mut StdRng) -> (DuplexStream, DuplexStream, Self) {
        let (client, far_client) = duplex(quality.window);
        let (server, far_server) = duplex(quality.window);
        let (up_from, down_to) = split(far_client);
        let (down_from, up_to) = split(far_server);
        let link = Self(Arc::new(watch::Sender::new(State::Up)));
        for (from, to) in [(up_from, up_to), (down_from, down_to)] {
            let pump = Pump {
                quality,
                link: link.clone(),
                random: rand::SeedableRng::from_rng(random),
            };
            tokio::spawn(async move {
                let link = pump.link.clone();
                // An end that does not take anything is no reason to keep a link that is cut.
                tokio::select! {
                    biased;
                    () = link.until(State::Cut) => {}
                    () = pump.run(from, to) => {}
                }
            });
        }
        (client, server, link)
    }

    pub(super) fn cut(&self) {
        self.0.send_replace(State::Cut);
    }

    pub(super) fn swallow(&self) {
        self.0.send_if_modified(|state| {
            let is_up = *state == State::Up;
            if is_up {
                *state = State::Swallows;
            }
            is_up
        });
    }

    async fn until(&self, wanted: State) {
        // The sender is here.
        let _ = self.0.subscribe().wait_for(|state| *state == wanted).await;
    }

    fn swallows(&self) -> bool {
        *self.0.borrow() == State::Swallows
    }
}

/// One direction.
struct Pump {
    quality: Quality,
    link: Link,
    random: StdRng,
}

impl Pump {
    async fn run(mut self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut buffer = vec![0; self.quality.window];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            sleep(
                self.quality
                    .delay
                    .mul_f64(self.random.random_range(0.0..=1.0)),
            )
            .await;
            if self.link.swallows() {
                // Not even the end of what was sent arrives.
                return std::future::pending().await;
            }
            if read == 0 {
                let _ = to.shutdown().await;
                // The other direction may go on; the half that reads stays with it.
                return std::future::pending().await;
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let most = self.quality.piece.min(rest.len());
                let piece = self.random.random_range(1..=most);
                if to.write_all(&rest[..piece]).await.is_err() {
                    return self.link.cut();
                }
                rest = &rest[piece..];
                tokio::task::yield_now().await;
            }
        }
    }
}
