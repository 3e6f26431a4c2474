//! The text protocol over real WebSockets: where it is spoken, what the server does for it, and its limits.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tungstenite::Message;
use wigwag_server::{Config, Limits, TextPolicy};

use crate::running;
use crate::running::{DEADLINE, Running};

fn server() -> Running {
    Running::start(Config::default())
}

fn with_limits(limits: Limits) -> Running {
    Running::start(Config {
        limits,
        ..Config::default()
    })
}

fn with_policy(text_policy: TextPolicy) -> Running {
    Running::start(Config {
        text_policy,
        ..Config::default()
    })
}

#[test]
fn it_is_spoken_at_its_path() {
    let server = server();
    for path in ["/text", "/text/", "/text?a=b"] {
        let mut socket = server.websocket(path);
        socket.send(Message::text("HELLO a")).expect("sent");
        let answer = socket.read().expect("answered");
        assert_eq!(answer, Message::text("HELLO"), "{path}");
        socket.close(None).expect("closed");
        while socket.read().is_ok() {}
    }
}

#[test]
fn it_is_spoken_at_every_path_of_its_port_and_the_peers_meet() {
    let server = Running::start(Config {
        text_port: Some(0),
        ..Config::default()
    });
    let mut here = server.text_peer("here");
    for path in ["/", "/text", "/any/path?x=y"] {
        let mut socket = server.text_websocket(path);
        socket.send(Message::text("HELLO here")).expect("sent");
        match socket.read().expect("answered") {
            Message::Close(Some(frame)) => {
                assert_eq!(u16::from(frame.code), 1002);
                assert_eq!(frame.reason.as_str(), "invalid peer uid", "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    let mut there = running::TextPeer(server.text_websocket("/"));
    assert_eq!(there.ask("HELLO there"), "HELLO");
    assert_eq!(there.ask("SESSION here"), "SESSION_OK");
    there.send("offer");
    assert_eq!(here.receive(), "offer");
}

#[test]
fn the_port_of_the_text_protocol_answers_its_health_check_and_wants_a_websocket() {
    let server = Running::start(Config {
        text_port: Some(0),
        ..Config::default()
    });
    let address = server.text_address.expect("it has such a port");
    for (path, status, end) in [
        ("/health", "200", "\r\n\r\nOK\n"),
        ("/healthz", "200", "\r\n\r\nok\n"),
        ("/", "426", "over a WebSocket\n"),
    ] {
        let mut stream = TcpStream::connect(address).expect("accepted");
        stream.set_read_timeout(Some(DEADLINE)).expect("an option");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.ends_with(end), "{answer}");
    }
}

#[test]
fn the_two_protocols_do_not_meet() {
    let server = server();
    let mut text = server.text_peer("a");
    let mut json = server.peer();
    assert_eq!(
        text.ask(&format!("SESSION {}", json.id)),
        format!("ERROR peer '{}' not found", json.id)
    );
    json.send(r#"{"type":"startSession","peerId":"a"}"#);
    assert_eq!(json.receive()["type"], "error");
}

#[test]
fn a_session_passes_on_everything_as_it_came_and_then_ends_for_both() {
    let server = server();
    let mut caller = server.text_peer("a");
    let mut called = server.text_peer("b");
    assert_eq!(caller.ask("SESSION b"), "SESSION_OK");
    let messages = [
        Message::text(r#"{"sdp":{"type":"offer","sdp":"v=0"}}"#),
        Message::binary(vec![0, 255, 1]),
        Message::text(""),
        Message::text("SESSION x  "),
        Message::text("x".repeat(900_000)),
    ];
    for message in &messages {
        caller.0.send(message.clone()).expect("sent");
    }
    // What was said before the end is heard.
    caller.0.close(None).expect("closed");
    for message in messages {
        assert_eq!(called.receive_message(), message);
    }
    assert_eq!(called.closed(), (1000, String::new()));
    // Both ids are free.
    server.text_peer("a");
    server.text_peer("b");
}

#[test]
fn a_first_message_that_is_no_hello_closes() {
    let server = server();
    let mut other = server.text_connection();
    other.send("{}");
    assert_eq!(other.closed(), (1002, "invalid protocol".to_owned()));
    let mut binary = server.text_connection();
    let hello = Message::binary(b"HELLO a".to_vec());
    binary.0.send(hello).expect("sent");
    assert_eq!(binary.closed(), (1002, "invalid protocol".to_owned()));
    let mut spaced = server.text_connection();
    spaced.send("HELLO a b");
    assert_eq!(spaced.closed(), (1002, "invalid peer uid".to_owned()));
}

#[test]
fn who_does_not_say_hello_in_time_is_closed() {
    let server = with_limits(Limits {
        hello_timeout: Duration::from_millis(300),
        ping_interval: Duration::from_millis(50),
        ..Limits::default()
    });
    let mut slow = server.text_connection();
    let mut quick = server.text_peer("a");
    // Neither a pong nor a HELLO without an id is enough.
    assert_eq!(slow.ask("HELLO"), "ERROR HELLO needs an id");
    assert_eq!(slow.closed(), (1008, "no HELLO for 0 s".to_owned()));
    assert_eq!(quick.ask("ROOM r"), "ROOM_OK ");
}

#[test]
fn a_silent_peer_is_pinged_and_then_closed() {
    let server = with_limits(Limits {
        ping_interval: Duration::from_millis(50),
        pong_timeout: Duration::from_millis(500),
        ..Limits::default()
    });
    let mut listening = server.text_peer("a");
    assert_eq!(listening.ask("ROOM r"), "ROOM_OK ");
    let mut dead = server.text_peer("b");
    dead.send("ROOM r");
    // The first reads, and so answers; the second does not.
    assert_eq!(listening.receive(), "ROOM_PEER_JOINED b");
    assert_eq!(listening.receive(), "ROOM_PEER_LEFT b");
    assert_eq!(listening.ask("ROOM_PEER_LIST"), "ROOM_PEER_LIST ");
}

#[test]
fn a_message_that_is_too_large_closes_with_1009() {
    let server = with_limits(Limits {
        max_message_bytes: 1_000,
        ..Limits::default()
    });
    let mut caller = server.text_peer("a");
    let mut called = server.text_peer("b");
    assert_eq!(caller.ask("SESSION b"), "SESSION_OK");
    caller.send(&"x".repeat(1_000));
    assert_eq!(called.receive().len(), 1_000);
    caller.send(&"x".repeat(1_001));
    let said = "a message of more than 1000 bytes".to_owned();
    assert_eq!(caller.closed(), (1009, said));
    assert_eq!(called.closed(), (1000, String::new()));
}

#[test]
fn a_member_that_stops_reading_is_closed_and_nobody_else_notices() {
    let server = with_limits(Limits {
        max_queued_bytes: 256 * 1024,
        close_timeout: DEADLINE,
        ..Limits::default()
    });
    let mut sending = server.text_peer("sending");
    let mut stuck = server.text_peer("stuck");
    let mut reading = server.text_peer("reading");
    assert_eq!(sending.ask("ROOM r"), "ROOM_OK ");
    assert_eq!(stuck.ask("ROOM r"), "ROOM_OK sending");
    assert_eq!(reading.ask("ROOM r"), "ROOM_OK sending stuck");
    assert_eq!(sending.receive(), "ROOM_PEER_JOINED stuck");
    assert_eq!(sending.receive(), "ROOM_PEER_JOINED reading");
    let offer = format!("ROOM_PEER_MSG stuck {}", "x".repeat(64 * 1024));
    let told = loop {
        sending.send(&offer);
        // Said to everyone else too, in between.
        sending.send("ROOM_PEER_MSG reading hello");
        let answer = sending.ask("ROOM_PEER_LIST");
        if answer != "ROOM_PEER_LIST stuck reading" {
            break answer;
        }
    };
    assert_eq!(told, "ROOM_PEER_LEFT stuck");
    let (code, text) = stuck.closed();
    assert_eq!(code, 1008);
    assert!(text.contains("does not read"), "{text}");
    while reading.receive() != "ROOM_PEER_LEFT stuck" {}
}

#[test]
fn full_room_is_an_error_and_full_server_closes_with_1013() {
    let server = with_policy(TextPolicy {
        max_peers: 3,
        max_rooms: 1,
        max_room_members: 1,
        ..TextPolicy::default()
    });
    let mut first = server.text_peer("a");
    assert_eq!(first.ask("ROOM r"), "ROOM_OK ");
    let mut second = server.text_peer("b");
    let full = "ERROR the room is full (1 members); try again later";
    assert_eq!(second.ask("ROOM r"), full);
    let mut third = server.text_peer("c");
    let full = "ERROR the server is full (1 rooms); try again later";
    assert_eq!(third.ask("ROOM s"), full);
    let mut refused = server.text_connection();
    let full = "the server is full (3 peers); try again later".to_owned();
    assert_eq!(refused.closed(), (1013, full));
    // Nobody in the room noticed.
    assert_eq!(first.ask("ROOM_PEER_LIST"), "ROOM_PEER_LIST ");
}

#[test]
fn a_name_that_is_too_long_closes_with_1008() {
    let server = server();
    let mut peer = server.text_connection();
    peer.send(&format!("HELLO {}", "x".repeat(257)));
    let said = "an id or a name of 257 bytes; 256 at the most".to_owned();
    assert_eq!(peer.closed(), (1008, said));
}

#[test]
fn both_ports_share_the_limit_of_connections() {
    let server = Running::start(Config {
        text_port: Some(0),
        limits: Limits {
            max_connections: 2,
            ..Limits::default()
        },
        ..Config::default()
    });
    // Either port may have all of them.
    for round in 0..2 {
        let mut first = server.text_peer(&format!("a{round}"));
        let mut second = server.text_peer(&format!("b{round}"));
        assert_eq!(first.ask(&format!("SESSION b{round}")), "SESSION_OK");
        drop(first);
        assert_eq!(second.closed(), (1000, String::new()));
        drop(second);
        server.wait_for_metric("wigwag_connections", 0);
        let mut first = running::TextPeer(server.text_websocket("/"));
        let mut second = running::TextPeer(server.text_websocket("/"));
        assert_eq!(first.ask(&format!("HELLO c{round}")), "HELLO");
        assert_eq!(second.ask(&format!("HELLO d{round}")), "HELLO");
        drop((first, second));
        server.wait_for_metric("wigwag_connections", 0);
    }
}

#[test]
fn a_server_that_stops_tells_everyone() {
    let mut server = server();
    let mut peers: Vec<_> = (0..4)
        .map(|number| server.text_peer(&number.to_string()))
        .collect();
    peers.push(server.text_connection());
    assert_eq!(peers[0].ask("ROOM r"), "ROOM_OK ");
    server.tell_to_stop();
    for peer in &mut peers {
        let said = "the server is shutting down".to_owned();
        assert_eq!(peer.closed(), (1001, said));
    }
    drop(peers);
    server.join();
}

#[test]
fn a_close_is_answered_in_either_protocol() {
    let server = server();
    for path in ["/", "/text"] {
        let mut socket = server.websocket(path);
        socket.close(None).expect("sent");
        let mut answered = false;
        while let Ok(message) = socket.read() {
            answered |= matches!(message, Message::Close(_));
        }
        assert!(answered, "{path}");
    }
}
