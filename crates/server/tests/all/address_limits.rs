//! What one address may have, and how often: reached, told and counted, and others go on.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use tungstenite::Message;
use wigwag_server::{Config, Limits, Policy};

use crate::running::{DEADLINE, Running};

/// The loopback interface is as any other here.
fn config(mut limits: Limits) -> Config {
    limits.exempt_loopback = false;
    Config {
        limits,
        ..Config::default()
    }
}

/// The same, with the tests as a proxy.
fn behind_proxy(limits: Limits) -> Running {
    Running::start(Config {
        trusted_proxies: vec!["127.0.0.1".parse().expect("an address")],
        ..config(limits)
    })
}

fn by(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("")
}

const LIST: &str = r#"{"type":"list"}"#;

#[test]
fn connections_of_an_address_are_bounded() {
    let server = Running::start(config(Limits {
        max_connections_per_address: 2,
        ..Limits::default()
    }));
    let first = server.peer();
    let mut second = server.peer();
    let refused = server.get("/", "");
    assert_eq!(status(&refused), "429", "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert!(
        refused.ends_with("more than 2 connections at once from this address\n"),
        "{refused}"
    );
    let url = format!("ws://{}/", server.address);
    let error = tungstenite::client(url, server.connect()).expect_err("it is refused as well");
    assert!(error.to_string().contains("429"), "{error}");
    server.wait_for_metric(
        "wigwag_refused_total{reason=\"max_connections_per_address\"}",
        2,
    );
    second.send(LIST);
    assert_eq!(second.receive()["type"], "list");
    drop(first);
    let begin = Instant::now();
    while status(&server.get("/", "")) != "200" {
        assert!(begin.elapsed() < DEADLINE, "there is room again");
    }
}

#[test]
fn who_comes_too_often_is_told_so_and_then_not_answered() {
    let server = Running::start(config(Limits {
        address_connections_per_second: 1,
        address_connection_burst: 3,
        ..Limits::default()
    }));
    let mut peer = server.peer();
    let begin = Instant::now();
    let mut statuses: Vec<String> = Vec::new();
    while statuses.last().is_none_or(|status| !status.is_empty()) {
        let answer = server.get("/healthz", "");
        statuses.push(status(&answer).to_owned());
        assert!(begin.elapsed() < DEADLINE, "{statuses:?}");
    }
    assert_eq!(statuses[0], "200", "{statuses:?}");
    assert!(
        statuses.iter().any(|status| status == "429"),
        "{statuses:?}"
    );
    let metrics = server.handle.metrics();
    assert!(
        metrics.contains("wigwag_refused_unanswered_total 1\n"),
        "{metrics}"
    );
    assert!(!metrics.contains("{reason=\"address_connections_per_second\"} 0\n"));
    peer.send(LIST);
    assert_eq!(peer.receive()["type"], "list");
}

#[test]
fn a_peer_that_sends_too_much_is_closed_and_nobody_else_notices() {
    let server = Running::start(config(Limits {
        peer_messages_per_second: 1,
        peer_message_burst: 10,
        ..Limits::default()
    }));
    let mut modest = server.peer();
    let mut text = server.text_peer("a");
    for _ in 0..3 {
        let mut flood = server.peer();
        for _ in 0..20 {
            flood.send(LIST);
        }
        let (code, told) = flood.closed();
        assert_eq!(
            (code, told.as_str()),
            (1008, "more than 1 messages a second")
        );
    }
    for _ in 0..20 {
        text.send("SESSION b");
    }
    assert_eq!(text.closed().0, 1008);
    for protocol in [("json", 3), ("text", 1)] {
        let labels = format!(
            "protocol=\"{}\",reason=\"peer_messages_per_second\"",
            protocol.0
        );
        server.wait_for_metric(&format!("wigwag_closed_total{{{labels}}}"), protocol.1);
    }
    modest.sync();
}

#[test]
fn pings_count_as_messages() {
    let server = Running::start(config(Limits {
        peer_messages_per_second: 1,
        peer_message_burst: 10,
        ..Limits::default()
    }));
    let mut flood = server.peer();
    for _ in 0..20 {
        let ping = Message::Ping(Vec::new().into());
        flood.socket.send(ping).expect("sent");
    }
    assert_eq!(flood.closed().0, 1008);
}

#[test]
fn all_that_an_address_sends_counts_together() {
    let server = behind_proxy(Limits {
        address_messages_per_second: 1,
        address_message_burst: 30,
        ..Limits::default()
    });
    let mut elsewhere = server.peer_by(&by("192.0.2.2"));
    let mut first = server.peer_by(&by("192.0.2.1"));
    let mut second = server.peer_by(&by("192.0.2.1"));
    for _ in 0..20 {
        first.send(LIST);
    }
    for _ in 0..20 {
        assert_eq!(first.receive()["type"], "list");
    }
    for _ in 0..20 {
        second.send(LIST);
    }
    let (code, told) = second.closed();
    let expected = "more than 1 messages a second from this address";
    assert_eq!((code, told.as_str()), (1008, expected));
    // A request is worth a message. One may have become possible meanwhile.
    let answers = [(); 5].map(|()| server.get("/", &by("192.0.2.1")));
    let refused = answers.iter().find(|answer| status(answer) == "429");
    let refused = refused.expect("there is nothing left");
    assert!(refused.ends_with("too many messages from this address\n"));
    elsewhere.sync();
    assert_eq!(status(&server.get("/", &by("192.0.2.2"))), "200");
}

#[test]
fn the_addresses_that_are_remembered_are_bounded() {
    let server = behind_proxy(Limits {
        max_addresses: 2,
        ..Limits::default()
    });
    let _first = server.peer_by(&by("192.0.2.1"));
    let second = server.peer_by(&by("192.0.2.2"));
    let refused = server.get("/", &by("192.0.2.3"));
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    server.wait_for_metric("wigwag_refused_total{reason=\"max_addresses\"}", 1);
    server.wait_for_metric("wigwag_addresses", 2);
    assert_eq!(status(&server.get("/", &by("192.0.2.1"))), "200");
    drop(second);
    let begin = Instant::now();
    while status(&server.get("/", &by("192.0.2.3"))) != "200" {
        assert!(begin.elapsed() < DEADLINE, "there is room again");
    }
}

#[test]
fn clients_of_a_trusted_proxy_count_for_themselves() {
    let server = behind_proxy(Limits {
        max_connections_per_address: 1,
        ..Limits::default()
    });
    let mut one = server.peer_by(&by("192.0.2.1"));
    let mut other = server.peer_by(&by("spoofed, 192.0.2.2"));
    // Of one network of IPv6.
    let mut third = server.peer_by(&by("2001:db8::1"));
    for taken in ["192.0.2.1", "203.0.113.9, 192.0.2.2", "2001:db8::ffff:2"] {
        assert_eq!(status(&server.get("/", &by(taken))), "429", "{taken}");
    }
    for peer in [&mut one, &mut other, &mut third] {
        peer.sync();
    }
}

#[test]
fn a_client_that_a_proxy_on_this_machine_does_not_name_is_not_exempt() {
    let server = Running::start(Config {
        limits: Limits {
            max_connections_per_address: 1,
            ..Limits::default()
        },
        trusted_proxies: vec!["127.0.0.1".parse().expect("an address")],
        ..Config::default()
    });
    let _stranger = server.peer_by("X-Forwarded-For: unknown");
    let hidden = server.get("/", &by("_hidden"));
    assert_eq!(status(&hidden), "429", "{hidden}");
    // What comes from the machine itself, and says so, is.
    for head in ["", &by("127.0.0.1")] {
        assert_eq!(status(&server.get("/", head)), "200", "{head}");
    }
}

#[test]
fn what_others_than_trusted_proxies_claim_counts_for_nothing() {
    let server = Running::start(config(Limits {
        max_connections_per_address: 1,
        ..Limits::default()
    }));
    let _peer = server.peer_by(&by("192.0.2.1"));
    assert_eq!(status(&server.get("/", &by("192.0.2.2"))), "429");
}

#[test]
fn the_machine_itself_is_exempt_unless_told_otherwise() {
    let server = Running::start(Config {
        limits: Limits {
            max_connections_per_address: 1,
            address_connections_per_second: 1,
            address_connection_burst: 1,
            peer_messages_per_second: 1,
            peer_message_burst: 1,
            address_messages_per_second: 1,
            address_message_burst: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut peers = [(); 5].map(|()| server.peer());
    for peer in &mut peers {
        for _ in 0..20 {
            peer.sync();
        }
    }
}

#[test]
fn new_limits_count_for_those_who_come() {
    let server = Running::start(config(Limits::default()));
    let mut before = server.peer();
    let limits = Limits {
        peer_messages_per_second: 1,
        peer_message_burst: 3,
        ..Limits::default()
    };
    server.handle.reload(config(limits)).expect("in order");
    let mut after = server.peer();
    for _ in 0..10 {
        before.sync();
        after.send(LIST);
    }
    assert_eq!(after.closed().0, 1008);
    before.sync();
}

#[test]
fn who_takes_too_long_for_a_request_is_counted() {
    let server = Running::start(Config {
        limits: Limits {
            handshake_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut slow = server.connect();
    slow.write_all(b"GET / HT").expect("sent");
    let _ = slow.read_to_end(&mut Vec::new());
    server.wait_for_metric("wigwag_refused_total{reason=\"handshake_timeout\"}", 1);
}

#[test]
fn who_is_refused_and_says_nothing_is_counted_once() {
    let server = Running::start(config(Limits {
        max_connections_per_address: 1,
        handshake_timeout: Duration::from_secs(1),
        ..Limits::default()
    }));
    let _peer = server.peer();
    let mut refused = server.connect();
    let _ = refused.read_to_end(&mut Vec::new());
    let reason = |name: &str| format!("wigwag_refused_total{{reason=\"{name}\"}}");
    server.wait_for_metric(&reason("max_connections_per_address"), 1);
    server.wait_for_metric("wigwag_connections", 1);
    server.wait_for_metric(&reason("handshake_timeout"), 0);
}

#[test]
fn who_does_not_take_the_reason_of_its_end_is_cut_off_and_counted() {
    let server = Running::start(Config {
        limits: Limits {
            close_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        policy: Policy {
            max_meta_bytes: 1,
            ..Policy::default()
        },
        ..Config::default()
    });
    let mut peer = server.peer();
    peer.send(r#"{"type":"setPeerStatus","roles":[],"meta":"long"}"#);
    server.wait_for_metric("wigwag_close_timeouts_total", 1);
    let labels = "protocol=\"json\",reason=\"max_meta_bytes\"";
    server.wait_for_metric(&format!("wigwag_closed_total{{{labels}}}"), 1);
    server.wait_for_metric("wigwag_connections", 0);
}

/// Half of a proxy's set-up: the proxy passes requests on, and the server does not know of it.
#[test]
fn forwarded_request_of_an_undeclared_proxy_on_this_machine_limited() {
    let server = Running::start(Config {
        limits: Limits {
            max_connections_per_address: 2,
            peer_message_burst: 5,
            peer_messages_per_second: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut flooding = server.peer_by("X-Forwarded-For: 192.0.2.1");
    for _ in 0..20 {
        let _ = flooding.socket.send(Message::text(r#"{"type":"list"}"#));
    }
    let (code, reason) = flooding.closed();
    assert_eq!(
        (code, reason.as_str()),
        (1008, "more than 1 messages a second")
    );
    drop(flooding);
    server.wait_for_metric("wigwag_connections", 0);
    let _held =
        ["X-Real-IP: 192.0.2.2", "Forwarded: for=192.0.2.3"].map(|head| server.peer_by(head));
    for head in ["X-Forwarded-For: 127.0.0.1\r\n", "Via: 1.1 proxy\r\n"] {
        let answer = server.get("/", head);
        assert_eq!(status(&answer), "429", "{head} {answer}");
        let metrics = server.get("/metrics", head);
        assert_ne!(status(&metrics), "200", "{head}");
    }
    // What does not come by the proxy is of this machine.
    let _own = [(); 5].map(|()| server.peer());
    assert_eq!(status(&server.get("/metrics", "")), "200");
}
