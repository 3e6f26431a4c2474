//! Settings that change while the server runs: who is connected stays, and who comes meets the new ones.

use wigwag_server::{Config, Limits, Policy, TextPolicy};

use crate::running::Running;

fn meta(bytes: usize) -> String {
    let meta = "m".repeat(bytes);
    format!(r#"{{"type":"setPeerStatus","roles":["producer"],"meta":"{meta}"}}"#)
}

#[test]
fn policies_count_at_once_for_those_who_are_connected() {
    let server = Running::start(Config::default());
    let mut json = server.peer();
    let mut text = server.text_peer("a");
    json.send(meta(20));
    json.sync();
    let reloaded = server.handle.reload(Config {
        policy: Policy {
            max_meta_bytes: 10,
            ..Policy::default()
        },
        text_policy: TextPolicy {
            max_id_bytes: 4,
            ..TextPolicy::default()
        },
        ..server.config.clone()
    });
    assert!(reloaded.expect("it is in order").needs_restart.is_empty());
    json.sync();
    json.send(meta(21));
    assert_eq!(json.closed().0, 1008);
    text.send("ROOM lobby");
    assert_eq!(text.closed().0, 1008);
}

#[test]
fn limits_of_connections_count_for_those_who_come() {
    let server = Running::start(Config::default());
    let mut before = server.peer();
    let limits = Limits {
        max_message_bytes: 1_000,
        ..Limits::default()
    };
    let reloaded = server.handle.reload(Config {
        limits,
        ..server.config.clone()
    });
    reloaded.expect("it is in order");
    before.send(meta(2_000));
    before.sync();
    let mut after = server.peer();
    after.send(meta(2_000));
    assert_eq!(after.closed().0, 1009);
}

#[test]
fn more_connections_are_let_in_at_once() {
    let mut config = Config {
        limits: Limits {
            max_connections: 1,
            ..Limits::default()
        },
        ..Config::default()
    };
    let server = Running::start(config.clone());
    let mut first = server.peer();
    config.limits.max_connections = 2;
    server.handle.reload(config).expect("it is in order");
    let mut second = server.peer();
    first.sync();
    second.sync();
}

#[test]
fn what_needs_a_restart_is_named() {
    let server = Running::start(Config::default());
    let reloaded = server.handle.reload(Config {
        text_port: Some(0),
        ..server.config.clone()
    });
    let needs_restart = reloaded.expect("the rest is in order").needs_restart;
    assert_eq!(needs_restart, ["text_port"]);
}
