//! Members of a room of the text protocol that read and answer pings, and find fault with what they hear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::timeout;

use super::link::Quality;
use super::running::{SOON, Simulation};
use super::wire::{Heard, Wire};

pub(super) const ROOM: &str = "lobby";

/// Enters, talks, leaves and comes back until the run is over.
pub(super) async fn live(simulation: Arc<Simulation>, number: usize, mut random: StdRng) {
    let mut visit = 0;
    while !simulation.is_over() {
        let epoch = simulation.epoch();
        visit += 1;
        let name = format!("member-{number}-{visit}");
        match timeout(SOON, Member::enter(&simulation, name, &mut random)).await {
            Ok(Some(member)) => member.stay(&mut random).await,
            Ok(None) => assert_ne!(simulation.epoch(), epoch, "a newcomer was sent away"),
            Err(_) => assert_ne!(simulation.epoch(), epoch, "a newcomer had to wait"),
        }
        let pause = Duration::from_millis(random.random_range(0..3_000));
        simulation.pause(pause).await;
    }
}

struct Member {
    simulation: Arc<Simulation>,
    wire: Wire,
    epoch: u64,
    others: BTreeSet<String>,
    was_there: BTreeSet<String>,
    sent: BTreeMap<String, u64>,
    received: BTreeMap<String, u64>,
}

impl Member {
    async fn enter(
        simulation: &Arc<Simulation>,
        name: String,
        random: &mut StdRng,
    ) -> Option<Self> {
        let epoch = simulation.epoch();
        let quality = Quality::good(random);
        let mut wire = Wire::connect(simulation, "/text", quality, random).await?;
        wire.send(format!("HELLO {name}")).await;
        if wire.next().await != Heard::Text("HELLO".to_owned()) {
            return None;
        }
        wire.send(format!("ROOM {ROOM}")).await;
        let Heard::Text(entered) = wire.next().await else {
            return None;
        };
        let others = entered.strip_prefix("ROOM_OK").expect("it may enter");
        Some(Self {
            simulation: Arc::clone(simulation),
            wire,
            epoch,
            others: others.split_whitespace().map(str::to_owned).collect(),
            was_there: BTreeSet::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
        })
    }

    async fn stay(mut self, random: &mut StdRng) {
        let leaves = self.simulation.now() + Duration::from_secs(random.random_range(3..60));
        loop {
            let simulation = Arc::clone(&self.simulation);
            let rest = Duration::from_millis(random.random_range(100..3_000));
            tokio::select! {
                biased;
                heard = self.wire.next() => match heard {
                    Heard::Text(text) => self.hear(&text),
                    Heard::End(reason) => {
                        assert_ne!(simulation.epoch(), self.epoch, "a member was closed: {reason:?}");
                        return;
                    }
                },
                () = simulation.pause(rest) => {
                    if simulation.now() >= leaves || simulation.is_over() {
                        let closed = timeout(SOON, self.wire.close()).await;
                        return closed.expect("a close is answered");
                    }
                    self.act(random).await;
                }
            }
        }
    }

    async fn act(&mut self, random: &mut StdRng) {
        if self.others.is_empty() || random.random_bool(0.2) {
            return self.wire.send("ROOM_PEER_LIST").await;
        }
        let place = random.random_range(0..self.others.len());
        let other = self.others.iter().nth(place).expect("a place in it");
        let number = self.sent.entry(other.clone()).or_default();
        *number += 1;
        let at = self.simulation.now().as_millis();
        let message = format!("ROOM_PEER_MSG {other} {number}/{at}");
        self.wire.send(message).await;
    }

    fn hear(&mut self, text: &str) {
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        match command {
            "ROOM_PEER_JOINED" => {
                assert!(self.others.insert(rest.to_owned()), "{rest} joined twice");
                assert!(!self.was_there.contains(rest), "{rest} came back");
            }
            "ROOM_PEER_LEFT" => {
                assert!(self.others.remove(rest), "{rest} left without being there");
                self.was_there.insert(rest.to_owned());
            }
            "ROOM_PEER_MSG" => {
                let (from, told) = rest.split_once(' ').expect("a sender");
                assert!(self.others.contains(from), "{from} is not there");
                let (number, at) = told.split_once('/').expect("ours");
                let number = number.parse().expect("a number");
                let before = self.received.insert(from.to_owned(), number);
                assert_eq!(before.unwrap_or(0) + 1, number, "messages in a wrong order");
                let at = Duration::from_millis(at.parse().expect("a time"));
                assert!(self.simulation.now() - at < SOON, "a message came late");
            }
            "ROOM_PEER_LIST" => {
                let listed: BTreeSet<_> = rest.split_whitespace().map(str::to_owned).collect();
                assert_eq!(listed, self.others, "the list differs from what was told");
            }
            // Of one who left while the message was on its way.
            "ERROR" => {}
            other => panic!("heard {other}"),
        }
    }
}
