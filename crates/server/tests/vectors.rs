//! Every conversation that was recorded with the reference server, replayed over real WebSockets.

use running::Running;
use wigwag_conversations::{Barrier, WebSocketPeers, json_protocol, replay};
use wigwag_server::Config;

mod running;

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
