//! Every conversation that was recorded with the original server of the text protocol, replayed against
//! the hub.

use std::collections::HashMap;

use serde_json::Value;
use wigwag_conversations::{Peers, replay, text_protocol};
use wigwag_hub::Payer;
use wigwag_hub::text::{ConnectionId, Hub, Incoming, Policy, Violation};

use crate::text_collected::{Collected, Sent};

struct PeersOfHub {
    hub: Hub,
    connections: HashMap<String, ConnectionId>,
    received: Vec<(String, Value)>,
    closed: Vec<(String, u16)>,
}

impl PeersOfHub {
    fn name_of(&self, connection: ConnectionId) -> String {
        let found = self
            .connections
            .iter()
            .find(|(_, known)| **known == connection);
        found.expect("a connected peer").0.clone()
    }

    fn deliver(&mut self, out: Collected, in_hand: &str) {
        for (to, sent) in out.0 {
            let name = self.name_of(to);
            match sent {
                Sent::Text(text) => self.received.push((name, text.into())),
                Sent::Relayed => self.received.push((name, in_hand.into())),
                Sent::Closed => self.closed.push((name, 1000)),
            }
        }
    }

    fn disconnect(&mut self, connection: ConnectionId) {
        let mut out = Collected::default();
        self.hub.disconnect(connection, &mut out);
        self.deliver(out, "");
    }
}

impl Peers for PeersOfHub {
    fn connect(&mut self, peer: &str) {
        let connection = self.hub.connect(Payer::NOBODY).expect("there is room");
        self.connections.insert(peer.to_owned(), connection);
    }

    fn send(&mut self, peer: &str, text: &str) {
        let from = self.connections[peer];
        let mut out = Collected::default();
        match self.hub.handle(from, Incoming::Text(text), &mut out) {
            Ok(()) => self.deliver(out, text),
            Err(Violation::InvalidProtocol | Violation::InvalidPeerId) => {
                self.closed.push((peer.to_owned(), 1002));
                self.disconnect(from);
            }
            Err(violation) => panic!("{violation}"),
        }
    }

    fn close(&mut self, peer: &str) {
        let connection = self.connections.remove(peer).expect("is connected");
        self.disconnect(connection);
    }

    fn receive_all(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.received)
    }

    fn closed(&mut self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.closed)
    }
}

#[test]
fn recorded_conversations() {
    let conversations = text_protocol();
    assert!(conversations.len() >= 11);
    for conversation in conversations {
        let mut peers = PeersOfHub {
            hub: Hub::new(Policy::default()),
            connections: HashMap::new(),
            received: Vec::new(),
            closed: Vec::new(),
        };
        if let Err(difference) = replay(&conversation, &mut peers) {
            panic!("{difference}");
        }
    }
}
