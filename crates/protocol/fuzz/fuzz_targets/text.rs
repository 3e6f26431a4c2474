//! Whatever text comes: it is refused, or it is read, and then writing and reading it again yields
//! the same command; and what the server would say of it is one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_protocol::text::{
    Hello, IdleCommand, PeerId, Refusal, RoomCommand, RoomName, ServerMessage,
};

fuzz_target!(|text: &str| {
    if let Ok(hello) = Hello::read(text) {
        assert_eq!(Hello::read(&hello.to_string()), Ok(hello));
        if let Some(id) = PeerId::new(hello.id) {
            let joined = ServerMessage::RoomPeerJoined(id).to_string();
            assert_eq!(joined.split_whitespace().count(), 2);
        }
    }
    match IdleCommand::read(text) {
        Ok(IdleCommand::Unknown) => {}
        Ok(command) => {
            assert_eq!(IdleCommand::read(&command.to_string()), Ok(command));
            if let IdleCommand::Room { name } = command
                && let Some(room) = RoomName::new(name)
            {
                assert_eq!(room.as_str(), name);
            }
        }
        Err(refusal) => one_line(refusal),
    }
    match RoomCommand::read(text) {
        Ok(RoomCommand::Unknown) => {}
        Ok(command) => assert_eq!(RoomCommand::read(&command.to_string()), Ok(command)),
        Err(refusal) => one_line(refusal),
    }
    one_line(Refusal::PeerNotFound(text.to_owned()));
});

fn one_line(refusal: Refusal) {
    let error = ServerMessage::Error(refusal).to_string();
    assert!(!error.contains(char::is_control), "{error:?}");
}
