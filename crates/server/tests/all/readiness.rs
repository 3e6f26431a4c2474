//! `/readyz`: whether newcomers should be sent here.

use std::time::{Duration, Instant};

use wigwag_server::{Config, Limits, Policy, TextPolicy};

use crate::running::{DEADLINE, Running};

fn ready(server: &Running) -> (String, String) {
    let answer = server.get("/readyz", "");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head[9..12].to_owned(), body.to_owned())
}

fn says(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
}

#[test]
fn a_server_is_ready_until_it_is_full() {
    let server = Running::start(Config {
        policy: Policy {
            max_peers: 1,
            ..Policy::default()
        },
        ..Config::default()
    });
    assert_eq!(ready(&server), says("200", "ready\n"));
    let only = server.peer();
    let full = says("503", "full: limits.max_peers is reached\n");
    assert_eq!(ready(&server), full);
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
    drop(only);
    let begin = Instant::now();
    while ready(&server).0 != "200" {
        assert!(begin.elapsed() < DEADLINE, "there is room again");
    }
}

#[test]
fn protocol_that_is_full_not_ready_on_its_own_port_alone() {
    let server = Running::start(Config {
        text_port: Some(0),
        text_policy: TextPolicy {
            max_peers: 1,
            ..TextPolicy::default()
        },
        ..Config::default()
    });
    let _only = server.text_peer("a");
    assert_eq!(ready(&server), says("200", "ready\n"));
    let answer = server.get_text_port("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("full: text_limits.max_peers is reached\n"));
}

#[test]
fn the_last_connection_may_see_that_there_are_no_more() {
    let server = Running::start(Config {
        limits: Limits {
            max_connections: 2,
            ..Limits::default()
        },
        ..Config::default()
    });
    let _one = server.peer();
    let full = says("503", "full: limits.max_connections is reached\n");
    assert_eq!(ready(&server), full);
}

#[test]
fn a_server_that_will_stop_is_not_ready_and_serves_on() {
    let mut server = Running::start(Config {
        limits: Limits {
            shutdown_delay: DEADLINE,
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut before = server.peer();
    server.tell_to_stop();
    let begin = Instant::now();
    while ready(&server) != says("503", "stopping\n") {
        assert!(begin.elapsed() < DEADLINE / 2, "it was told to stop");
    }
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
    before.sync();
    server.peer().sync();
}

#[test]
fn after_the_delay_everyone_is_told() {
    let delay = Duration::from_millis(200);
    let mut server = Running::start(Config {
        limits: Limits {
            shutdown_delay: delay,
            ..Limits::default()
        },
        ..Config::default()
    });
    let mut peer = server.peer();
    let begin = Instant::now();
    server.tell_to_stop();
    assert_eq!(peer.closed().0, 1001);
    assert!(begin.elapsed() >= delay);
    drop(peer);
    server.join();
}
