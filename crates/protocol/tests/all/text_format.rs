//! The exact texts of the text protocol, and properties of reading and writing.

use proptest::prelude::*;
use wigwag_protocol::text::{
    Command, Hello, IdleCommand, InvalidHello, PeerId, Refusal, RoomCommand, RoomName,
    ServerMessage,
};

fn id(text: &str) -> PeerId {
    PeerId::new(text).expect("one word")
}

#[test]
fn the_first_message() {
    for text in ["HELLO bob", " HELLO bob", "\tHELLO\u{a0}  bob"] {
        assert_eq!(Hello::read(text), Ok(Hello { id: "bob" }), "{text:?}");
    }
    // What follows is the id, whether it can be one or not.
    assert_eq!(Hello::read("HELLO a b "), Ok(Hello { id: "a b " }));
    for text in ["HELLO", "HELLO ", " HELLO\n"] {
        assert_eq!(Hello::read(text), Err(InvalidHello::NoId), "{text:?}");
    }
    for text in ["", " ", "FOO bar", "FOO", "hello bob", "HELLOO bob"] {
        assert_eq!(Hello::read(text), Err(InvalidHello::OtherWord), "{text:?}");
    }
}

#[test]
fn what_can_be_an_id_or_a_room() {
    for good in ["a", "1234", "Zoë", "\u{1f600}", "a\0b", "session"] {
        assert!(PeerId::new(good).is_some(), "{good:?}");
    }
    for bad in ["", " ", "a b", "a ", " a", "a\u{1d}b", "a\u{2003}b"] {
        assert!(PeerId::new(bad).is_none(), "{bad:?}");
        assert!(RoomName::new(bad).is_none(), "{bad:?}");
    }
    assert!(RoomName::new("session").is_none());
    assert!(RoomName::new("sessions").is_some());
}

#[test]
fn commands_of_an_idle_peer() {
    use IdleCommand::{Room, Session, Unknown};
    let session = |callee| Ok(Session { callee });
    for (text, read) in [
        ("SESSION bob", session("bob")),
        ("SESSION  a b ", session("a b ")),
        ("SESSIONS bob", session("bob")),
        ("ROOM r", Ok(Room { name: "r" })),
        ("ROOM\tr s", Ok(Room { name: "r s" })),
        ("SESSION", Err(Refusal::MissingArgument(Command::Session))),
        ("ROOM ", Err(Refusal::MissingArgument(Command::Room))),
        ("ROOM_PEER_LIST", Err(Refusal::OutsideRoom)),
        ("ROOM_PEER_MSG a b", Err(Refusal::OutsideRoom)),
        (" SESSION bob", Ok(Unknown)),
        ("session bob", Ok(Unknown)),
        ("OFFER_REQUEST", Ok(Unknown)),
        ("", Ok(Unknown)),
    ] {
        assert_eq!(IdleCommand::read(text), read, "{text:?}");
    }
}

#[test]
fn commands_in_a_room() {
    use RoomCommand::{PeerList, PeerMessage, Unknown};
    let missing = || Err(Refusal::MissingArgument(Command::RoomPeerMessage));
    let message = |to, text| Ok(PeerMessage { to, text });
    for (text, read) in [
        ("ROOM_PEER_MSG a hello", message("a", "hello")),
        ("ROOM_PEER_MSG  a\t x  y ", message("a", "x  y ")),
        ("ROOM_PEER_MSG", missing()),
        ("ROOM_PEER_MSG a", missing()),
        ("ROOM_PEER_MSG a  ", missing()),
        ("ROOM_PEER_LIST", Ok(PeerList)),
        ("ROOM r", Ok(Unknown)),
        ("SESSION a", Ok(Unknown)),
        ("", Ok(Unknown)),
    ] {
        assert_eq!(RoomCommand::read(text), read, "{text:?}");
    }
}

#[test]
fn what_the_server_says() {
    let others = vec![id("a"), id("b")];
    for (message, text) in [
        (ServerMessage::Hello, "HELLO"),
        (ServerMessage::SessionOk, "SESSION_OK"),
        (
            ServerMessage::RoomOk {
                others: others.clone(),
            },
            "ROOM_OK a b",
        ),
        (ServerMessage::RoomOk { others: Vec::new() }, "ROOM_OK "),
        (ServerMessage::RoomPeerJoined(id("a")), "ROOM_PEER_JOINED a"),
        (ServerMessage::RoomPeerLeft(id("a")), "ROOM_PEER_LEFT a"),
        (ServerMessage::RoomPeerList { others }, "ROOM_PEER_LIST a b"),
        (
            ServerMessage::RoomPeerList { others: Vec::new() },
            "ROOM_PEER_LIST ",
        ),
        (
            ServerMessage::RoomPeerMessage {
                from: &id("a"),
                text: " x  y ",
            },
            "ROOM_PEER_MSG a  x  y ",
        ),
        (
            ServerMessage::Error(Refusal::PeerNotFound("it's".to_owned())),
            "ERROR peer \"it's\" not found",
        ),
        (
            ServerMessage::Error(Refusal::PeerBusy("a".to_owned())),
            "ERROR peer 'a' busy",
        ),
        (
            ServerMessage::Error(Refusal::PeerNotInRoom("a".to_owned())),
            "ERROR peer 'a' is not in the room",
        ),
        (
            ServerMessage::Error(Refusal::InvalidRoom("x y".to_owned())),
            "ERROR invalid room id 'x y'",
        ),
        (
            ServerMessage::Error(Refusal::AlreadyInRoom),
            "ERROR invalid msg, already in room",
        ),
    ] {
        assert_eq!(message.to_string(), text);
    }
}

#[test]
fn ids_are_escaped_for_logs() {
    assert_eq!(format!("{:?}", id("a\u{1b}[1m\"")), r#""a\u{1b}[1m\"""#);
}

/// Texts that come near the commands more often than plain chance.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("HELLO".to_owned()),
        Just("SESSION".to_owned()),
        Just("ROOM".to_owned()),
        Just("ROOM_PEER_MSG".to_owned()),
        Just("ROOM_PEER_LIST".to_owned()),
        "[ \t\r\n\u{1c}-\u{1f}\u{85}\u{a0}\u{3000}]{1,3}",
        ".{0,12}",
    ];
    proptest::collection::vec(word, 0..8).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn what_is_read_survives_writing_and_reading(text in text()) {
        if let Ok(hello) = Hello::read(&text) {
            let written = hello.to_string();
 prop_assert_eq!(Hello::read(&written), Ok(hello));
        }
        match IdleCommand::read(&text) {
            Ok(IdleCommand::Unknown) | Err(_) => {}
            Ok(command) => {
                let written = command.to_string();
 prop_assert_eq!(IdleCommand::read(&written), Ok(command));
            }
        }
        match RoomCommand::read(&text) {
            Ok(RoomCommand::Unknown) | Err(_) => {}
            Ok(command) => {
                let written = command.to_string();
 prop_assert_eq!(RoomCommand::read(&written), Ok(command));
            }
        }
    }

    /// An error is one line without anything that a terminal would obey, whatever a client sent.
    #[test]
    fn errors_hold_nothing_that_cannot_be_printed(text in "(.|[\0-\u{1f}\u{7f}-\u{a0}]){0,40}") {
        let error = ServerMessage::Error(Refusal::PeerNotFound(text)).to_string();
        prop_assert!(!error.contains(char::is_control), "{error:?}");
    }

    /// An id can stand in a list, in a command and in an answer and stays one word.
    #[test]
    fn an_id_stays_one_word(name in text()) {
        if let Some(id) = PeerId::new(&name) {
            let joined = ServerMessage::RoomPeerJoined(id.clone()).to_string();
            prop_assert_eq!(joined.split_whitespace().count(), 2);
            let call = IdleCommand::Session { callee: id.as_str() }.to_string();
            let expected = IdleCommand::Session { callee: &name };
            prop_assert_eq!(IdleCommand::read(&call), Ok(expected));
        }
    }
}
