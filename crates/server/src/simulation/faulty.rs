//! Peers that do what they should not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::conditions::NetworkConditions;
use super::link::Quality;
use super::room::ROOM;
use super::running::{SOON, Simulation};
use super::steady::candidate;
use super::wire::{Heard, Wire, text};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Is not heard any more, and the server is told nothing.
    Vanishes,
    /// Breaks off in the middle of a frame.
    BreaksOff,
    /// Sends its request a byte a second.
    IsSlow,
    /// Asks for the state of the server, and keeps the connection.
    Lingers,
    /// Says nothing where a HELLO is due.
    SaysNothing,
    /// Enters a room and vanishes.
    VanishesFromARoom,
    /// Does not read for a time.
    Stalls,
    /// Sends as much as it can.
    Floods,
    /// Sends what is no WebSocket frame.
    TalksNonsense,
    /// Sends a message that is too large.
    SendsTooMuch,
    /// Changes again and again, and hears nothing of it: it is no listener.
    IsRestless,
}

impl Fault {
    pub(super) fn random(conditions: NetworkConditions, random: &mut StdRng) -> Self {
        let kinds = match conditions {
            NetworkConditions::Calm => 6,
            NetworkConditions::Wild => 11,
        };
        match random.random_range(0..kinds) {
            0 => Self::Vanishes,
            1 => Self::BreaksOff,
            2 => Self::IsSlow,
            3 => Self::Lingers,
            4 => Self::SaysNothing,
            5 => Self::VanishesFromARoom,
            6 => Self::Stalls,
            7 => Self::Floods,
            8 => Self::TalksNonsense,
            9 => Self::SendsTooMuch,
            _ => Self::IsRestless,
        }
    }
}

/// Does the same again and again until the run is over.
pub(super) async fn live(simulation: Arc<Simulation>, fault: Fault, mut random: StdRng) {
    while !simulation.is_over() {
        let mut faulty = Faulty {
            simulation: Arc::clone(&simulation),
            epoch: simulation.epoch(),
            random: &mut random,
        };
        faulty.act(fault).await;
        let pause = Duration::from_millis(random.random_range(10..5_000));
        simulation.pause(pause).await;
    }
}

struct Faulty<'a> {
    simulation: Arc<Simulation>,
    epoch: u64,
    random: &'a mut StdRng,
}

impl Faulty<'_> {
    async fn act(&mut self, fault: Fault) {
        match fault {
            Fault::Vanishes => self.vanish().await,
            Fault::BreaksOff => self.break_off().await,
            Fault::IsSlow => self.be_slow().await,
            Fault::Lingers => self.linger().await,
            Fault::SaysNothing => self.say_nothing().await,
            Fault::VanishesFromARoom => self.vanish_from_a_room().await,
            Fault::Stalls => self.stall().await,
            Fault::Floods => self.flood().await,
            Fault::TalksNonsense => self.talk_nonsense().await,
            Fault::SendsTooMuch => self.send_too_much().await,
            Fault::IsRestless => self.be_restless().await,
        }
    }

    async fn vanish(&mut self) {
        let Some((wire, id)) = self.join().await else {
            return;
        };
        let pause = Duration::from_millis(self.random.random_range(0..9_000));
        self.simulation.pause(pause).await;
        wire.link.swallow();
        self.simulation
            .departed(&id, self.epoch, self.simulation.patience());
        self.simulation.pause(self.simulation.patience() * 2).await;
    }

    async fn break_off(&mut self) {
        let Some((mut wire, id)) = self.join().await else {
            return;
        };
        let beginning = &[0x81, 0xfe, 0x01][..self.random.random_range(0..=3)];
        let _ = wire.socket.get_mut().write_all(beginning).await;
        let pause = Duration::from_millis(self.random.random_range(0..3_000));
        self.simulation.pause(pause).await;
        wire.link.cut();
        self.simulation.departed(&id, self.epoch, Duration::ZERO);
    }

    async fn be_slow(&mut self) {
        let quality = Quality::good(self.random);
        let (mut stream, _) = self.simulation.connect(quality, self.random).await;
        let head = b"GET / HTTP/1.1\r\nHost: simulated\r\nUpgrade: websocket\r\n";
        let deadline = self.simulation.now() + self.simulation.limits.handshake_timeout + SOON;
        for byte in head {
            let mut answer = [0; 64];
            let written = stream.write_all(&[*byte]).await.is_ok();
            let read = timeout(Duration::from_secs(1), stream.read(&mut answer)).await;
            // Whatever the server answers, it ends the connection.
            if !written || read.is_ok_and(|read| read.unwrap_or(0) == 0) {
                return;
            }
            assert!(self.simulation.now() < deadline || self.is_other_server());
        }
    }

    async fn linger(&mut self) {
        let quality = Quality::good(self.random);
        let (mut stream, _) = self.simulation.connect(quality, self.random).await;
        let request = b"GET /healthz HTTP/1.1\r\nHost: simulated\r\n\r\n";
        let _ = stream.write_all(request).await;
        let mut answer = [0; 12];
        let read = timeout(SOON, stream.read_exact(&mut answer)).await;
        let read = read.expect("it is answered soon");
        let is_well = read.is_ok() && answer == *b"HTTP/1.1 200";
        assert!(is_well || self.is_other_server());
        let patience = self.simulation.limits.handshake_timeout + SOON;
        let rest = async { while stream.read(&mut answer).await.unwrap_or(0) > 0 {} };
        let ended = timeout(patience, rest).await;
        assert!(ended.is_ok(), "an idle HTTP connection is kept");
    }

    async fn say_nothing(&mut self) {
        let Some(mut wire) = self.connect("/text").await else {
            return;
        };
        let patience = self.simulation.limits.hello_timeout + SOON;
        let ended = timeout(patience, wire.next()).await;
        let ended = ended.expect("who says nothing is closed");
        let told = matches!(&ended, Heard::End(Some((1008, text))) if text.contains("HELLO"));
        assert!(told || self.is_other_server(), "{ended:?}");
    }

    async fn vanish_from_a_room(&mut self) {
        let Some(mut wire) = self.connect("/text").await else {
            return;
        };
        let name = format!("ghost-{}", self.random.next_u64());
        wire.feed(format!("HELLO {name}")).await;
        wire.send(format!("ROOM {ROOM}")).await;
        let pause = Duration::from_millis(self.random.random_range(0..5_000));
        let _ = timeout(pause, async {
            while let Heard::Text(_) = wire.next().await {}
        })
        .await;
        wire.link.swallow();
        self.simulation.pause(self.simulation.patience() * 2).await;
    }

    async fn stall(&mut self) {
        let Some((mut wire, id)) = self.join().await else {
            return;
        };
        let pause = Duration::from_millis(self.random.random_range(0..40_000));
        self.simulation.pause(pause).await;
        let reads = async { while let Heard::Text(_) = wire.next().await {} };
        let _ = timeout(SOON, reads).await;
        self.simulation
            .departed(&id, self.epoch, self.simulation.patience());
    }

    async fn flood(&mut self) {
        let Some((mut wire, id)) = self.join().await else {
            return;
        };
        let reads = self.random.random_bool(0.5);
        let mut change = 1;
        for _ in 0..self.random.random_range(1..4) {
            let kind = self.random.random_range(0..5);
            let mut callee = None;
            if kind == 4 {
                wire.feed(r#"{"type":"list"}"#).await;
                callee = self.next_producer(&mut wire, &id).await;
            }
            let send = async {
                for _ in 0..self.random.random_range(1..400) {
                    change += 1;
                    wire.feed(match kind {
                        0 => status(&BOTH, change),
                        1 => r#"{"type":"list"}"#.to_owned(),
                        2 => candidate("no session", "flood", 1, Duration::ZERO, false),
                        3 => "nonsense".repeat(self.random.random_range(0..64)),
                        _ => match &callee {
                            Some(peer) => {
                                json!({"type": "startSession", "peerId": peer}).to_string()
                            }
                            None => status(&BOTH, change),
                        },
                    })
                    .await;
                }
                let _ = wire.socket.flush().await;
            };
            // The server need not take all of it.
            if timeout(SOON, send).await.is_err() {
                break;
            }
            let pause = Duration::from_millis(self.random.random_range(0..3_000));
            if reads {
                let read = async { while let Heard::Text(_) = wire.next().await {} };
                let _ = timeout(pause, read).await;
            } else {
                self.simulation.pause(pause).await;
            }
        }
        self.simulation
            .departed(&id, self.epoch, self.simulation.patience());
    }

    async fn talk_nonsense(&mut self) {
        let Some((mut wire, _)) = self.join().await else {
            return;
        };
        let mut nonsense = vec![0; self.random.random_range(1..4_000)];
        self.random.fill_bytes(&mut nonsense);
        let stream = wire.socket.get_mut();
        let ends = async {
            let _ = stream.write_all(&nonsense).await;
            let mut answer = [0; 1024];
            while stream.read(&mut answer).await.unwrap_or(0) > 0 {}
        };
        let patience = self.simulation.patience() + self.simulation.limits.close_timeout + SOON;
        let ended = timeout(patience, ends).await;
        assert!(ended.is_ok(), "who talks nonsense is closed");
    }

    async fn send_too_much(&mut self) {
        // Over a bad link, the server gives up before the reason has arrived.
        let Some(mut wire) = self.connect("/").await else {
            return;
        };
        let most = self.simulation.limits.max_message_bytes;
        let patience = self.simulation.limits.close_timeout + SOON;
        let told = timeout(patience, async {
            wire.send("m".repeat(most + 1)).await;
            loop {
                if let Heard::End(told) = wire.next().await {
                    return told;
                }
            }
        });
        let told = told.await.expect("who sends too much is closed");
        let is_size = told.as_ref().is_some_and(|(code, _)| *code == 1009);
        assert!(is_size || self.is_other_server(), "{told:?}");
    }

    async fn be_restless(&mut self) {
        let Some(mut wire) = self.connect("/").await else {
            return;
        };
        let welcome = timeout(self.simulation.patience(), wire.next_json()).await;
        let Ok(Ok(welcome)) = welcome else {
            return;
        };
        let id = text(&welcome, "peerId").to_owned();
        // More than may wait for anybody.
        let changes = self.random.random_range(300..1_500);
        let send = async {
            for change in 1..=changes {
                wire.feed(status(&["producer"], change)).await;
            }
            let _ = wire.socket.flush().await;
        };
        let _ = timeout(SOON, send).await;
        let pause = Duration::from_millis(self.random.random_range(0..3_000));
        self.simulation.pause(pause).await;
        self.simulation
            .departed(&id, self.epoch, self.simulation.patience());
    }

    async fn connect(&mut self, path: &str) -> Option<Wire> {
        let quality = Quality::good(self.random);
        Wire::connect(&self.simulation, path, quality, self.random).await
    }

    /// A producer and listener, over a link of any quality.
    async fn join(&mut self) -> Option<(Wire, String)> {
        let quality = if self.random.random_bool(0.5) {
            Quality::good(self.random)
        } else {
            Quality::bad(self.random)
        };
        let mut wire = Wire::connect(&self.simulation, "/", quality, self.random).await?;
        let welcome = timeout(self.simulation.patience(), wire.next_json()).await;
        let welcome = welcome.ok()?.ok()?;
        let id = text(&welcome, "peerId").to_owned();
        let announce = timeout(SOON, wire.send(status(&BOTH, 1)));
        let _ = announce.await;
        sleep(Duration::from_millis(1)).await;
        Some((wire, id))
    }

    /// Somebody who produces.
    async fn next_producer(&mut self, wire: &mut Wire, but: &str) -> Option<String> {
        let list = async {
            let _ = wire.socket.flush().await;
            loop {
                let message = wire.next_json().await.ok()?;
                if message["type"] == "list" {
                    return message["producers"].as_array().cloned();
                }
            }
        };
        let producers = timeout(SOON, list).await.ok()??;
        let ids = producers.iter().map(|producer| text(producer, "id"));
        let others: Vec<&str> = ids.filter(|id| *id != but).collect();
        let place = self.random.random_range(0..others.len().max(1));
        others.get(place).map(|id| (*id).to_owned())
    }

    fn is_other_server(&self) -> bool {
        self.simulation.epoch() != self.epoch
    }
}

const BOTH: [&str; 2] = ["producer", "listener"];

fn status(roles: &[&str], change: u64) -> String {
    let meta = json!({"name": "faulty", "change": change});
    json!({"type": "setPeerStatus", "roles": roles, "meta": meta}).to_string()
}
