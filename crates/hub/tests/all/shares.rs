//! What two addresses that take all they can leave for a third.

use std::net::IpAddr;

use wigwag_hub::json::{PeerId, ServerMessage};
use wigwag_hub::text::Policy as TextPolicy;
use wigwag_hub::{Full, Hub, Payer, Policy, text};

use crate::collected::{disconnect, hub, send};

type Sent = (PeerId, ServerMessage);
use crate::text_collected;

fn at(last: u8) -> Payer {
    Payer::of(IpAddr::from([192, 0, 2, last]))
}

fn connect(hub: &mut Hub, last: u8) -> PeerId {
    hub.connect(at(last)).expect("there is room")
}

fn producer(hub: &mut Hub, last: u8, meta: &str) -> Result<PeerId, String> {
    let peer = connect(hub, last);
    let status = format!(r#"{{"type":"setPeerStatus","roles":["producer"],"meta":"{meta}"}}"#);
    match &send(hub, &peer, &status)[..] {
        [(_, ServerMessage::Error { details })] => {
            let details = details.clone();
            disconnect(hub, &peer);
            Err(details)
        }
        _ => Ok(peer),
    }
}

fn call(hub: &mut Hub, from: &PeerId, to: &PeerId) -> Vec<Sent> {
    let start = format!(r#"{{"type":"startSession","peerId":"{to}"}}"#);
    send(hub, from, &start)
}

fn is_error(sent: &[Sent]) -> bool {
    matches!(sent, [(_, ServerMessage::Error { .. })])
}

#[test]
fn peers_of_two_addresses_leave_room_for_a_third() {
    let mut hub = hub(Policy {
        max_peers: 1_000,
        ..Policy::default()
    });
    for last in [1, 2] {
        while hub.connect(at(last)).is_ok() {}
    }
    let refused = hub.connect(at(1)).expect_err("it has its share");
    assert!(matches!(refused, Full::PeersOfAddress { .. }), "{refused}");
    assert_eq!(refused.name(), "max_peers_per_address");
    assert!(!hub.is_full());
    for _ in 0..50 {
        connect(&mut hub, 3);
    }
}

#[test]
fn sessions_of_two_addresses_leave_room_for_a_third_and_close_nobody() {
    let mut hub = hub(Policy {
        max_sessions: 1_000,
        ..Policy::default()
    });
    let camera = producer(&mut hub, 9, "camera").expect("room");
    for last in [1, 2] {
        let peer = connect(&mut hub, last);
        while !is_error(&call(&mut hub, &peer, &camera)) {}
        // It is still there, and the address has no more by another connection.
        let second = connect(&mut hub, last);
        assert!(is_error(&call(&mut hub, &second, &camera)));
    }
    let viewer = connect(&mut hub, 3);
    for _ in 0..50 {
        assert!(!is_error(&call(&mut hub, &viewer, &camera)));
    }
    // Those of whom a camera is called pay, not the camera.
    let other = producer(&mut hub, 1, "camera").expect("room");
    assert!(!is_error(&call(&mut hub, &camera, &other)));
}

#[test]
fn sessions_that_end_are_given_back_to_their_address() {
    let mut hub = hub(Policy {
        max_sessions: 1_000,
        max_sessions_per_address: 8,
        ..Policy::default()
    });
    let camera = producer(&mut hub, 9, "camera").expect("room");
    let viewer = connect(&mut hub, 1);
    for _ in 0..8 {
        assert!(!is_error(&call(&mut hub, &viewer, &camera)));
    }
    assert!(is_error(&call(&mut hub, &viewer, &camera)));
    disconnect(&mut hub, &viewer);
    let viewer = connect(&mut hub, 1);
    assert!(!is_error(&call(&mut hub, &viewer, &camera)));
}

#[test]
fn metas_of_two_addresses_leave_room_for_a_third() {
    let mut hub = hub(Policy {
        max_meta_bytes_in_all: 100_000,
        ..Policy::default()
    });
    let long = "x".repeat(1_000);
    for last in [1, 2] {
        while producer(&mut hub, last, &long).is_ok() {}
    }
    let refused = producer(&mut hub, 1, &long).expect_err("it has its share");
    assert!(
        refused.contains("bytes of meta of this address"),
        "{refused}"
    );
    let door = producer(&mut hub, 3, "front door").expect("room");
    let long_door = format!(
        r#"{{"type":"setPeerStatus","roles":["producer"],"meta":"{}"}}"#,
        "x".repeat(5_000)
    );
    assert_eq!(send(&mut hub, &door, &long_door), []);
}

#[test]
fn rooms_of_two_addresses_leave_room_for_a_third() {
    let mut hub = text::Hub::new(TextPolicy {
        max_rooms: 100,
        ..TextPolicy::default()
    });
    let mut next = 0;
    let mut enter = |last: u8| {
        next += 1;
        let connection = hub.connect(at(last)).expect("room");
        text_collected::send(&mut hub, connection, &format!("HELLO p{next}"));
        let sent = text_collected::send(&mut hub, connection, &format!("ROOM r{next}"));
        sent == [(connection, text_collected::text("ROOM_OK "))]
    };
    for last in [1, 2] {
        while enter(last) {}
    }
    for _ in 0..5 {
        assert!(enter(3));
    }
}

#[test]
fn connections_of_the_text_protocol_of_two_addresses_leave_room_for_a_third() {
    let mut hub = text::Hub::new(TextPolicy {
        max_peers: 1_000,
        ..TextPolicy::default()
    });
    for last in [1, 2] {
        while hub.connect(at(last)).is_ok() {}
    }
    let refused = hub.connect(at(2)).expect_err("it has its share");
    assert!(matches!(refused, text::Full::PeersOfAddress { .. }));
    let first = hub.connect(at(3)).expect("room");
    text_collected::disconnect(&mut hub, first);
    hub.connect(at(3)).expect("room");
}
