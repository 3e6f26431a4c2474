//! `/metrics`: who may read it, and that it tells what happens.

use std::io::Write;

use wigwag_server::{Config, ForwardedHeader, Limits, Network};

use crate::running::Running;

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

#[test]
fn it_is_for_the_machine_itself_and_for_those_who_are_named() {
    let server = Running::start(Config::default());
    let answer = server.get("/metrics", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(answer.contains("\nwigwag_connections 1\n"), "{answer}");
    assert!(answer.ends_with("# EOF\n"));
    // A proxy that nobody declared: whoever it is, it is no neighbour.
    for head in [
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "Via: 1.1 proxy",
    ] {
        let answer = server.get("/metrics", &format!("{head}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    server.wait_for_metric("wigwag_refused_total{reason=\"metrics_from\"}", 3);

    let server = Running::start(Config {
        trusted_proxies: vec![network("127.0.0.1")],
        metrics_from: vec![network("192.0.2.0/24")],
        ..Config::default()
    });
    for (address, status) in [("192.0.2.1", 200), ("203.0.113.1", 403), ("127.0.0.1", 403)] {
        let answer = server.get("/metrics", &format!("X-Forwarded-For: {address}\r\n"));
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{address}: {answer}");
    }
}

#[test]
fn a_proxy_that_does_not_say_who_asks_does_not_make_neighbours_of_strangers() {
    let behind = |forwarded_header| {
        Running::start(Config {
            trusted_proxies: vec![network("127.0.0.1")],
            forwarded_header,
            ..Config::default()
        })
    };
    let server = behind(ForwardedHeader::XForwardedFor);
    for head in [
        "X-Forwarded-For: unknown",
        "X-Forwarded-For: unix:",
        "X-Forwarded-For:",
        "X-Forwarded-For: 192.0.2.1",
        "X-Real-IP: 192.0.2.1",
        "Via: 1.1 proxy",
    ] {
        let answer = server.get("/metrics", &format!("{head}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{head}: {answer}");
    }
    let from_here = ["", "X-Forwarded-For: 127.0.0.1\r\n"];
    for head in from_here {
        let answer = server.get("/metrics", head);
        assert!(answer.starts_with("HTTP/1.1 200"), "{head}: {answer}");
    }

    let server = behind(ForwardedHeader::Forwarded);
    for node in ["_hidden", "unknown", "\"unix:\""] {
        let answer = server.get("/metrics", &format!("Forwarded: for={node}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{node}: {answer}");
    }
}

#[test]
fn it_tells_who_is_there() {
    let server = Running::start(Config::default());
    let mut producer = server.peer();
    producer.send(r#"{"type":"setPeerStatus","roles":["producer","listener"],"meta":"12345678"}"#);
    producer.sync();
    let mut consumer = server.peer();
    consumer.send(r#"{"type":"setPeerStatus","roles":["consumer"]}"#);
    let call = format!(r#"{{"type":"startSession","peerId":"{}"}}"#, producer.id);
    consumer.send(call);
    consumer.sync();
    let [mut a, mut b, mut c] = ["a", "b", "c"].map(|id| server.text_peer(id));
    assert_eq!(a.ask("SESSION b"), "SESSION_OK");
    assert_eq!(c.ask("ROOM lobby"), "ROOM_OK ");
    for (sample, value) in [
        ("connections", 5),
        ("addresses", 0),
        ("peers{protocol=\"json\"}", 2),
        ("peers{protocol=\"text\"}", 3),
        ("sessions{protocol=\"json\"}", 1),
        ("sessions{protocol=\"text\"}", 1),
        ("producers", 1),
        ("consumers", 1),
        ("listeners", 1),
        ("meta_bytes", 10),
        ("rooms", 1),
        ("peers_connected_total{protocol=\"json\"}", 2),
        ("connections_accepted_total", 5),
    ] {
        server.wait_for_metric(&format!("wigwag_{sample}"), value);
    }
    drop((producer, consumer));
    a.0.close(None).expect("closed");
    assert_eq!(b.closed().0, 1000);
    drop(c);
    for (sample, value) in [
        ("peers{protocol=\"json\"}", 0),
        ("peers{protocol=\"text\"}", 0),
        ("sessions{protocol=\"json\"}", 0),
        ("sessions{protocol=\"text\"}", 0),
        ("producers", 0),
        ("meta_bytes", 0),
        ("rooms", 0),
        ("closed_total{protocol=\"json\",reason=\"by_peer\"}", 2),
        ("closed_total{protocol=\"text\",reason=\"by_peer\"}", 2),
        ("closed_total{protocol=\"text\",reason=\"partner_left\"}", 1),
    ] {
        server.wait_for_metric(&format!("wigwag_{sample}"), value);
    }
}

#[test]
fn it_counts_messages_and_their_bytes() {
    let server = Running::start(Config::default());
    let mut peer = server.peer();
    let welcome = format!(r#"{{"type":"welcome","peerId":"{}"}}"#, peer.id);
    peer.send(r#"{"type":"list"}"#);
    assert_eq!(peer.receive()["type"], "list");
    peer.send("no message");
    peer.socket
        .send(tungstenite::Message::binary(vec![0; 5]))
        .expect("sent");
    peer.sync();
    let mut text = server.text_peer("a");
    assert!(text.ask("SESSION nobody").starts_with("ERROR"));
    for (sample, value) in [
        ("messages_received_total{protocol=\"json\"}", 4),
        ("received_bytes_total{protocol=\"json\"}", 15 + 10 + 5 + 24),
        ("messages_malformed_total{protocol=\"json\"}", 2),
        ("messages_sent_total{protocol=\"json\"}", 3),
        (
            "sent_bytes_total{protocol=\"json\"}",
            welcome.len() as u64 + 30 + 39,
        ),
        ("messages_received_total{protocol=\"text\"}", 2),
        ("messages_sent_total{protocol=\"text\"}", 2),
        ("messages_malformed_total{protocol=\"text\"}", 1),
    ] {
        server.wait_for_metric(&format!("wigwag_{sample}"), value);
    }
    let metrics = server.handle.metrics();
    let high_water = metrics.lines().find_map(|line| {
        let value = line.strip_prefix("wigwag_queue_bytes_high_water ")?;
        value.parse::<usize>().ok()
    });
    assert!(high_water.is_some_and(|bytes| bytes >= welcome.len()));
}

#[test]
fn it_tells_that_connections_had_to_wait() {
    let server = Running::start(Config {
        limits: Limits {
            max_connections: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let peer = server.peer();
    server.wait_for_metric("wigwag_accept_waits_total", 1);
    drop(peer);
    server.peer().sync();
}

#[test]
fn it_counts_tls_handshakes_that_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let tls = wigwag_server::TlsFiles {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(&tls.certificate, made.cert.pem()).expect("written");
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).expect("written");
    let server = Running::start(Config {
        tls: Some(tls.into()),
        ..Config::default()
    });
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    server.wait_for_metric("wigwag_tls_handshakes_failed_total", 1);
}
