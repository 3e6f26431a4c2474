//! Every conversation that was recorded with the reference servers, replayed over real WebSockets.

use wigwag_conversations::{Barrier, WebSocketPeers, json_protocol, replay, text_protocol};
use wigwag_server::Config;

use crate::running::Running;

#[test]
fn recorded_conversations() {
    for conversation in json_protocol() {
        let server = Running::start(Config::default());
        let mut peers = WebSocketPeers::new(server.address, Barrier::Ping);
        if let Err(difference) = replay(&conversation, &mut peers) {
            panic!("{difference}");
        }
    }
}

#[test]
fn recorded_conversations_of_the_text_protocol() {
    for conversation in text_protocol() {
        for has_own_port in [false, true] {
            // Each with a server of its own: the peers of a replay may still be there for a moment.
            let server = Running::start(Config {
                text_port: Some(0),
                ..Config::default()
            });
            let own_port = server.text_address.expect("it has such a port");
            let (address, path) = match has_own_port {
                false => (server.address, "/text"),
                true => (own_port, "/"),
            };
            let mut peers = WebSocketPeers::text(address, path);
            if let Err(difference) = replay(&conversation, &mut peers) {
                panic!("{path}: {difference}");
            }
        }
    }
}
