//! Every limit, reached: what the offender hears, and that nobody else notices.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::Message;
use wigwag_server::{Config, Limits, Policy};

use crate::running::{DEADLINE, Running};

fn with_limits(limits: Limits) -> Running {
    Running::start(Config {
        limits,
        ..Config::default()
    })
}

fn status(roles: &str, meta_bytes: usize) -> String {
    let meta = "m".repeat(meta_bytes);
    format!(r#"{{"type":"setPeerStatus","roles":[{roles}],"meta":"{meta}"}}"#)
}

#[test]
fn a_listener_that_stops_reading_is_closed_and_nobody_else_notices() {
    let server = with_limits(Limits {
        max_queued_bytes: 1024 * 1024,
        close_timeout: DEADLINE,
        ..Limits::default()
    });
    let mut stuck = server.peer();
    stuck.send(status("\"listener\"", 0));
    let mut reading = server.peer();
    reading.send(status("\"listener\"", 0));
    reading.sync();
    // Many producers: the newest status of one would take the place of its older ones.
    let mut producers: Vec<_> = (0..100).map(|_| server.peer()).collect();
    let mut worst = Duration::ZERO;
    for round in 0..10 {
        for producer in &mut producers {
            producer.send(status("\"producer\"", 16 * 1024 + round));
            producer.sync();
        }
        let start = Instant::now();
        drop(server.peer());
        worst = worst.max(start.elapsed());
        reading.sync();
    }
    assert!(worst < DEADLINE / 4, "newcomers were welcomed meanwhile");
    let (code, text) = stuck.closed();
    assert_eq!(code, 1008);
    assert!(text.contains("does not read"), "{text}");
    // The others heard that it is gone: the last thing that happened to it.
    let mut told = false;
    reading.send(r#"{"type":"listConsumers"}"#);
    loop {
        let message = reading.receive();
        told |= message["peerId"] == stuck.id.as_str() && message["roles"] == serde_json::json!([]);
        if told || message["type"] == "listConsumers" {
            break;
        }
    }
}

#[test]
fn a_message_that_is_too_large_closes_with_1009() {
    let server = with_limits(Limits {
        max_message_bytes: 100_000,
        ..Limits::default()
    });
    let mut peer = server.peer();
    peer.send(status("", 99_000));
    peer.sync();
    peer.send(status("", 3_000_000));
    let (code, text) = peer.closed();
    assert_eq!(
        (code, text.as_str()),
        (1009, "a message of more than 100000 bytes")
    );
}

#[test]
fn frame_that_says_it_is_too_large_closes_before_any_of_it_comes() {
    let server = Running::start(Config::default());
    let mut peer = server.peer();
    // Not more than the WebSocket library takes by itself.
    let length = 16_u64 * 1024 * 1024;
    let mut head = vec![0x81, 0x80 | 127];
    head.extend(length.to_be_bytes());
    head.extend([0; 4]);
    peer.socket.get_mut().write_all(&head).expect("sent");
    let (code, text) = peer.closed();
    assert_eq!(
        (code, text.as_str()),
        (1009, "a message of more than 1048576 bytes")
    );
}

#[test]
fn a_client_may_send_a_lot_before_it_reads() {
    let server = Running::start(Config::default());
    let mut camera = server.peer();
    camera.send(status("\"producer\"", 100_000));
    camera.sync();
    // Each reply is far larger than its request, and the client reads none until all are sent.
    let mut peer = server.peer();
    let lists = 35;
    for _ in 0..lists {
        peer.send(r#"{"type":"list"}"#);
    }
    for _ in 0..lists {
        assert_eq!(peer.receive()["type"], "list");
    }
}

#[test]
fn a_silent_peer_is_pinged_and_then_closed() {
    let server = with_limits(Limits {
        ping_interval: Duration::from_millis(50),
        pong_timeout: Duration::from_secs(2),
        close_timeout: Duration::from_millis(200),
        ..Limits::default()
    });
    // One that reads but does not answer is closed, and told so.
    let mut dead = server.websocket("/").into_inner();
    let dead = thread::spawn(move || {
        let mut received = Vec::new();
        dead.read_to_end(&mut received).expect("closed");
        String::from_utf8_lossy(&received).into_owned()
    });
    // One that answers lives on meanwhile.
    let mut alive = server.peer();
    while !dead.is_finished() {
        assert!(matches!(alive.socket.read(), Ok(Message::Ping(_))));
        alive.socket.flush().expect("answered");
    }
    let text = dead.join().expect("no panic");
    assert!(text.contains("no answer to a ping"), "{text}");
    alive.sync();
}

#[test]
fn an_unfinished_handshake_is_dropped() {
    use std::io::Write;
    let server = with_limits(Limits {
        handshake_timeout: Duration::from_millis(200),
        ..Limits::default()
    });
    for beginning in ["", "GET / HTTP/1.1\r\nUpgrade: webso"] {
        let mut stream = server.connect();
        stream.write_all(beginning.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        // Closed, whether with an answer or a reset; a server that waits on would meet the deadline.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[test]
fn the_head_of_a_request_is_bounded() {
    let server = Running::start(Config::default());
    let cookie = |bytes| format!("Cookie: wigwag={}\r\n", "c".repeat(bytes));
    // As long as browsers send it, for what they are.
    server.peer_by(&cookie(8 * 1024)).sync();
    let answer = server.get("/healthz", &cookie(8 * 1024));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = server.get("/healthz", &cookie(20 * 1024));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn connection_above_the_limit_gets_health_checks_and_the_reason() {
    let server = with_limits(Limits {
        max_connections: 2,
        ..Limits::default()
    });
    let first = server.peer();
    let mut second = server.peer();
    let answer = server.get("/healthz", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = server.get("/readyz", "");
    assert!(answer.ends_with("full: limits.max_connections is reached\n"));
    let answer = server.get("/", "");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    assert!(answer.ends_with("the server is full; try again later\n"));
    let refused = tungstenite::client(format!("ws://{}/", server.address), server.connect());
    assert!(refused.is_err());
    server.wait_for_metric(r#"wigwag_refused_total{reason="max_connections"}"#, 2);
    second.sync();
    drop(first);
    server.wait_for_metric("wigwag_connections", 1);
    server.peer().sync();
}

#[test]
fn connections_above_the_limit_bounded_and_the_next_waits() {
    // As many as the server answers above the limit, for the time that each has.
    const ABOVE_LIMIT: usize = 32;
    let server = with_limits(Limits {
        max_connections: 1,
        ..Limits::default()
    });
    let only = server.peer();
    let _silent: Vec<_> = (0..ABOVE_LIMIT).map(|_| server.connect()).collect();
    let mut waiting = server.connect();
    waiting
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a socket option");
    use std::io::Write;
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    assert!(waiting.read(&mut [0; 1]).is_err(), "there is no room");
    drop(only);
    waiting
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("answered");
    assert!(answer.contains("200 OK"));
}

#[test]
fn a_full_server_says_so_with_1013() {
    let server = Running::start(Config {
        policy: Policy {
            max_peers: 1,
            ..Policy::default()
        },
        ..Config::default()
    });
    let _only = server.peer();
    let mut refused = server.websocket("/");
    match refused.read().expect("told") {
        Message::Close(Some(frame)) => {
            assert_eq!(u16::from(frame.code), 1013);
            assert!(frame.reason.contains("server is full"), "{frame:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_violation_of_the_protocols_limits_closes_with_1008() {
    let server = Running::start(Config {
        policy: Policy {
            max_meta_bytes: 10,
            ..Policy::default()
        },
        ..Config::default()
    });
    let mut peer = server.peer();
    peer.send(status("\"producer\"", 20));
    let (code, text) = peer.closed();
    assert_eq!(
        (code, text.as_str()),
        (1008, "meta of 22 bytes; 10 at the most")
    );
}

#[test]
fn binary_messages_are_ignored() {
    let server = Running::start(Config::default());
    let mut peer = server.peer();
    let binary = Message::binary(br#"{"type":"list"}"#.to_vec());
    peer.socket.send(binary).expect("sent");
    peer.send(r#"{"type":"listConsumers"}"#);
    assert_eq!(peer.receive()["type"], "listConsumers");
}

#[test]
fn a_server_that_stops_tells_everyone() {
    let mut server = Running::start(Config::default());
    let mut peers: Vec<_> = (0..10).map(|_| server.peer()).collect();
    server.tell_to_stop();
    for peer in &mut peers {
        assert_eq!(
            peer.closed(),
            (1001, "the server is shutting down".to_owned())
        );
    }
    drop(peers);
    server.join();
}

#[test]
fn a_peer_that_never_reads_does_not_hold_up_the_stop() {
    let mut server = with_limits(Limits {
        close_timeout: Duration::from_millis(200),
        ..Limits::default()
    });
    let _stuck = server.peer();
    let start = Instant::now();
    server.join();
    assert!(start.elapsed() < DEADLINE);
}
