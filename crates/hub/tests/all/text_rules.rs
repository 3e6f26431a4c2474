//! Rules of the text protocol that the recorded conversations do not show, and every limit, reached.

use wigwag_hub::Payer;
use wigwag_hub::text::{Full, Hub, Incoming, Policy, Violation};

use crate::text_collected::{Sent, disconnect, peer, send, text, try_handle, try_send};

fn hub() -> Hub {
    Hub::new(Policy::default())
}

#[test]
fn a_hello_without_an_id_may_be_said_again() {
    let mut hub = hub();
    let connection = hub.connect(Payer::NOBODY).expect("there is room");
    for hello in ["HELLO", "HELLO  "] {
        let answer = send(&mut hub, connection, hello);
        assert_eq!(answer, [(connection, text("ERROR HELLO needs an id"))]);
    }
    assert!(hub.peer_id(connection).is_none());
    send(&mut hub, connection, "HELLO a");
    assert_eq!(hub.peer_id(connection).expect("registered").as_str(), "a");
}

#[test]
fn who_does_not_begin_with_hello_is_closed() {
    let mut hub = hub();
    let connection = hub.connect(Payer::NOBODY).expect("there is room");
    for first in ["", "FOO", "FOO bar", "SESSION a"] {
        let refused = try_send(&mut hub, connection, first);
        assert_eq!(refused, Err(Violation::InvalidProtocol), "{first:?}");
    }
    let refused = try_handle(&mut hub, connection, Incoming::Binary);
    assert_eq!(refused, Err(Violation::InvalidProtocol));
}

#[test]
fn an_id_is_free_again_when_its_peer_is_gone() {
    let mut hub = hub();
    let first = peer(&mut hub, "a");
    let second = hub.connect(Payer::NOBODY).expect("there is room");
    let refused = try_send(&mut hub, second, "HELLO a");
    assert_eq!(refused, Err(Violation::InvalidPeerId));
    disconnect(&mut hub, second);
    disconnect(&mut hub, first);
    peer(&mut hub, "a");
}

#[test]
fn missing_arguments_are_answered_and_the_peer_stays() {
    let mut hub = hub();
    let a = peer(&mut hub, "a");
    let mut answered = |command: &str, error: &str| {
        assert_eq!(send(&mut hub, a, command), [(a, text(error))], "{command}");
    };
    answered("SESSION", "ERROR SESSION needs the id of a peer");
    answered("ROOM ", "ERROR ROOM needs the name of a room");
    answered("ROOM r", "ROOM_OK ");
    let needed = "ERROR ROOM_PEER_MSG needs the id of a peer and a text";
    answered("ROOM_PEER_MSG", needed);
    answered("ROOM_PEER_MSG a ", needed);
    answered("ROOM_PEER_MSG a b", "ROOM_PEER_MSG a b");
}

#[test]
fn what_is_for_rooms_is_refused_outside_of_one() {
    let mut hub = hub();
    let a = peer(&mut hub, "a");
    for command in ["ROOM_PEER_LIST", "ROOM_PEER_MSG x", "ROOM_PEER_MSG x y"] {
        let answer = send(&mut hub, a, command);
        assert_eq!(answer, [(a, text("ERROR not in a room"))], "{command}");
    }
    assert_eq!(hub.room_count(), 0);
}

#[test]
fn binary_messages_are_for_sessions() {
    let mut hub = hub();
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    let error = [(a, text("ERROR commands are text, not binary"))];
    assert_eq!(
        try_handle(&mut hub, a, Incoming::Binary),
        Ok(error.to_vec())
    );
    send(&mut hub, a, "SESSION b");
    let relayed = vec![(b, Sent::Relayed)];
    assert_eq!(try_handle(&mut hub, a, Incoming::Binary), Ok(relayed));
    let c = peer(&mut hub, "c");
    send(&mut hub, c, "ROOM r");
    let error = [(c, text("ERROR commands are text, not binary"))];
    assert_eq!(
        try_handle(&mut hub, c, Incoming::Binary),
        Ok(error.to_vec())
    );
}

#[test]
fn only_an_idle_peer_can_be_called() {
    let mut hub = hub();
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    let (c, d) = (peer(&mut hub, "c"), peer(&mut hub, "d"));
    assert_eq!(send(&mut hub, a, "SESSION b"), [(a, text("SESSION_OK"))]);
    send(&mut hub, d, "ROOM r");
    for busy in ["a", "b", "d"] {
        let answer = send(&mut hub, c, &format!("SESSION {busy}"));
        assert_eq!(answer, [(c, text(&format!("ERROR peer '{busy}' busy")))]);
    }
    // In a session nothing is a command any more.
    for said in ["SESSION c", "ROOM r", "HELLO x", ""] {
        assert_eq!(send(&mut hub, b, said), [(a, Sent::Relayed)], "{said}");
    }
}

#[test]
fn the_partner_of_who_leaves_is_closed_and_its_id_is_free() {
    let mut hub = hub();
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    send(&mut hub, a, "SESSION b");
    assert_eq!(hub.session_count(), 1);
    assert_eq!(disconnect(&mut hub, b), [(a, Sent::Closed)]);
    assert_eq!(hub.session_count(), 0);
    // It may still speak, and its owner will find it gone.
    assert_eq!(send(&mut hub, a, "hello?"), []);
    assert_eq!(disconnect(&mut hub, a), []);
    assert_eq!(hub.peer_count(), 0);
    peer(&mut hub, "a");
    peer(&mut hub, "b");
}

#[test]
fn who_calls_itself_hears_itself() {
    let mut hub = hub();
    let a = peer(&mut hub, "a");
    assert_eq!(send(&mut hub, a, "SESSION a"), [(a, text("SESSION_OK"))]);
    assert_eq!(send(&mut hub, a, "x"), [(a, Sent::Relayed)]);
    assert_eq!(hub.session_count(), 1);
    assert_eq!(disconnect(&mut hub, a), []);
    assert_eq!(hub.session_count(), 0);
}

#[test]
fn members_are_listed_in_the_order_of_entering() {
    let mut hub = hub();
    let members: Vec<_> = ["zoe", "bob", "amy", "kim"]
        .map(|id| {
            let member = peer(&mut hub, id);
            send(&mut hub, member, "ROOM r");
            member
        })
        .to_vec();
    let list = send(&mut hub, members[1], "ROOM_PEER_LIST");
    assert_eq!(list, [(members[1], text("ROOM_PEER_LIST zoe amy kim"))]);
    for member in &members[1..] {
        disconnect(&mut hub, *member);
    }
    let list = send(&mut hub, members[0], "ROOM_PEER_LIST");
    assert_eq!(list, [(members[0], text("ROOM_PEER_LIST "))]);
}

#[test]
fn a_room_ends_with_its_last_member() {
    let mut hub = hub();
    let a = peer(&mut hub, "a");
    send(&mut hub, a, "ROOM r");
    assert_eq!(hub.room_count(), 1);
    disconnect(&mut hub, a);
    assert_eq!(hub.room_count(), 0);
}

#[test]
fn messages_stay_within_their_room() {
    let mut hub = hub();
    let a = peer(&mut hub, "a");
    send(&mut hub, a, "ROOM r");
    let b = peer(&mut hub, "b");
    send(&mut hub, b, "ROOM s");
    peer(&mut hub, "c");
    for (to, error) in [
        ("b", "ERROR peer 'b' is not in the room"),
        ("c", "ERROR peer 'c' is not in the room"),
        ("d", "ERROR peer 'd' not found"),
    ] {
        let answer = send(&mut hub, a, &format!("ROOM_PEER_MSG {to} hi"));
        assert_eq!(answer, [(a, text(error))]);
    }
}

#[test]
fn peers_are_bounded() {
    let mut hub = Hub::new(Policy {
        max_peers: 2,
        ..Policy::default()
    });
    let first = peer(&mut hub, "a");
    hub.connect(Payer::NOBODY).expect("there is room");
    assert!(hub.is_full());
    assert_eq!(hub.connect(Payer::NOBODY), Err(Full::Peers { limit: 2 }));
    disconnect(&mut hub, first);
    hub.connect(Payer::NOBODY).expect("there is room again");
}

#[test]
fn a_policy_that_changes_counts_for_what_comes() {
    let mut hub = hub();
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    hub.set_policy(Policy {
        max_peers: 1,
        max_rooms: 1,
        ..Policy::default()
    });
    assert_eq!(hub.connect(Payer::NOBODY), Err(Full::Peers { limit: 1 }));
    send(&mut hub, a, "ROOM one");
    let refused = send(&mut hub, b, "ROOM two");
    assert_eq!(
        refused,
        [(b, text(&format!("ERROR {}", Full::Rooms { limit: 1 })))]
    );
}

#[test]
fn rooms_are_bounded() {
    let mut hub = Hub::new(Policy {
        max_rooms: 1,
        ..Policy::default()
    });
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    send(&mut hub, a, "ROOM r");
    let full = text(&format!("ERROR {}", Full::Rooms { limit: 1 }));
    assert_eq!(send(&mut hub, b, "ROOM s"), [(b, full)]);
    // As if it had not been said.
    assert_eq!(
        send(&mut hub, b, "ROOM r"),
        [(b, text("ROOM_OK a")), (a, text("ROOM_PEER_JOINED b")),]
    );
}

#[test]
fn members_of_a_room_are_bounded() {
    let mut hub = Hub::new(Policy {
        max_room_members: 1,
        ..Policy::default()
    });
    let (a, b) = (peer(&mut hub, "a"), peer(&mut hub, "b"));
    send(&mut hub, a, "ROOM r");
    let full = text(&format!("ERROR {}", Full::Room { limit: 1 }));
    assert_eq!(send(&mut hub, b, "ROOM r"), [(b, full)]);
    assert_eq!(send(&mut hub, b, "ROOM s"), [(b, text("ROOM_OK "))]);
}

#[test]
fn names_are_bounded() {
    let mut hub = Hub::new(Policy {
        max_id_bytes: 4,
        ..Policy::default()
    });
    let connection = hub.connect(Payer::NOBODY).expect("there is room");
    let too_long = Violation::NameTooLong { bytes: 5, limit: 4 };
    let refused = try_send(&mut hub, connection, "HELLO abcde");
    assert_eq!(refused, Err(too_long));
    let a = peer(&mut hub, "abcd");
    for command in ["SESSION abcde", "SESSION a c e", "ROOM abcde", "ROOM a c e"] {
        let refused = try_send(&mut hub, a, command);
        assert_eq!(refused, Err(too_long), "{command}");
    }
    send(&mut hub, a, "ROOM r");
    let refused = try_send(&mut hub, a, "ROOM_PEER_MSG abcde hello");
    assert_eq!(refused, Err(too_long));
    let long_text = "x".repeat(1_000);
    let said = send(&mut hub, a, &format!("ROOM_PEER_MSG abcd {long_text}"));
    assert_eq!(said.len(), 1);
}
