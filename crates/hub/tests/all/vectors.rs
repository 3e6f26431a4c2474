//! Every conversation that was recorded with the reference server, replayed against the hub.

use std::collections::HashMap;

use serde_json::Value;
use wigwag_conversations::{Peers, json_protocol, replay};
use wigwag_hub::json::{ClientMessage, PeerId, ServerMessage};
use wigwag_hub::{Hub, Payer, Policy};

use crate::collected;

struct PeersOfHub {
    hub: Hub,
    ids: HashMap<String, PeerId>,
    out: collected::Collected,
}

impl PeersOfHub {
    fn name_of(&self, id: &PeerId) -> String {
        let found = self.ids.iter().find(|(_, known)| *known == id);
        found.expect("a connected peer").0.clone()
    }
}

impl Peers for PeersOfHub {
    fn connect(&mut self, peer: &str) {
        let id = self.hub.connect(Payer::NOBODY).expect("there is room");
        self.ids.insert(peer.to_owned(), id.clone());
        let welcome = ServerMessage::Welcome {
            peer_id: id.clone(),
        };
        self.out.0.push((id, welcome));
    }

    fn send(&mut self, peer: &str, text: &str) {
        if let Ok(message) = ClientMessage::from_json(text) {
            let handled = self.hub.handle(&self.ids[peer], message, &mut self.out);
            handled.expect("within the limits");
        }
    }

    fn close(&mut self, peer: &str) {
        let id = self.ids.remove(peer).expect("is connected");
        self.hub.disconnect(&id, &mut self.out);
    }

    fn receive_all(&mut self) -> Vec<(String, Value)> {
        let sent = std::mem::take(&mut self.out.0);
        sent.into_iter()
            .map(|(to, message)| {
                let message = serde_json::from_str(&message.to_json()).expect("JSON");
                (self.name_of(&to), message)
            })
            .collect()
    }
}

#[test]
fn recorded_conversations() {
    let conversations = json_protocol();
    assert!(conversations.len() >= 26);
    for conversation in conversations {
        let mut peers = PeersOfHub {
            hub: collected::hub(Policy::default()),
            ids: HashMap::new(),
            out: collected::Collected::default(),
        };
        if let Err(difference) = replay(&conversation, &mut peers) {
            panic!("{difference}");
        }
    }
}
