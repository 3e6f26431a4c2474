//! What goes wrong: what is final, what is tried again, and what is said.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use wigwag_client::{
    Description, MetaValue, NativeConfig, NativeLimits, Role, Signaller, SignallerError,
    SignallerEvent,
};
use wigwag_server::{Config, Policy};

use crate::running::{
    Client, DEADLINE, HandMade, Running, any_port, failure, producer, quick, wait_for,
};

#[test]
fn a_server_that_is_not_there_is_a_failure() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let error = failure(producer(format!("ws://{address}")));
    assert!(matches!(error, SignallerError::Connect { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(
        text.contains("check that a signalling server runs"),
        "{text}"
    );
}

#[test]
fn a_name_without_an_address_is_a_failure() {
    // A label is 63 bytes long at the most (RFC 1035, section 2.3.4): nobody is asked for this one.
    let name = "camera".repeat(20);
    let error = failure(producer(format!("ws://{name}:8443")));
    assert!(matches!(error, SignallerError::Resolve { .. }), "{error:?}");
    assert!(error.to_string().contains(&name), "{error}");
}

#[test]
fn what_is_wrong_with_the_configuration_is_said_at_once() {
    let start = |config| Client::start(config).err().expect("refused");
    assert!(matches!(
        start(producer("http://127.0.0.1")),
        SignallerError::InvalidUri { .. }
    ));
    assert!(matches!(
        start(NativeConfig {
            headers: vec![("a b".to_owned(), String::new())],
            ..producer("ws://127.0.0.1")
        }),
        SignallerError::InvalidHeader { .. }
    ));
    assert!(matches!(
        start(NativeConfig {
            cafile: Some("/nowhere/authority.pem".into()),
            ..producer("wss://127.0.0.1")
        }),
        SignallerError::CaFile { .. }
    ));
    assert!(matches!(
        start(NativeConfig::new(
            "ws://127.0.0.1",
            Role::Producer {
                meta: f64::NAN.into()
            }
        )),
        SignallerError::InvalidMeta { .. }
    ));
}

/// How the signaller fails at a server that writes this and nothing else.
fn failure_at(answer: &str, config: impl FnOnce(String) -> NativeConfig) -> SignallerError {
    let server = HandMade::new();
    let client = Client::start(config(server.uri())).expect("it starts");
    let mut connection = server.accept();
    connection.write_all(answer.as_bytes()).expect("sent");
    client.failed()
}

#[test]
fn an_http_status_is_said_with_what_to_do() {
    for (status, advice) in [
        (401, "credentials"),
        (403, "credentials"),
        (404, "path"),
        (301, "redirects"),
        (503, "trouble"),
    ] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        let error = failure_at(&answer, producer);
        assert!(
            matches!(error, SignallerError::Http { status: said, .. } if said == status),
            "{error:?}"
        );
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn what_is_no_websocket_server_is_said_to_be_none() {
    let error = failure_at("220 mail ready\r\n\r\n", producer);
    assert!(
        matches!(error, SignallerError::NotWebSocket { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("wss://"), "{error}");
}

fn patient_for(connect_timeout: Duration, uri: String) -> NativeConfig {
    NativeConfig {
        limits: NativeLimits {
            connect_timeout,
            ..quick()
        },
        ..producer(uri)
    }
}

#[test]
fn a_server_that_does_not_answer_is_a_failure_after_a_while() {
    // The system accepts the connection, and that is all.
    let server = HandMade::new();
    let error = failure(patient_for(Duration::from_millis(100), server.uri()));
    assert!(
        matches!(error, SignallerError::TimedOut { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("no WebSocket from"), "{error}");
    let uri = server.uri().replace("ws:", "wss:");
    let error = failure(NativeConfig {
        insecure_tls: true,
        ..patient_for(Duration::from_millis(100), uri)
    });
    assert!(
        error.to_string().contains("no TLS handshake from"),
        "{error}"
    );
}

#[test]
fn a_server_without_a_welcome_is_a_failure_after_a_while() {
    let server = HandMade::new();
    let config = patient_for(Duration::from_secs(2), server.uri());
    let client = Client::start(config).expect("it starts");
    let _connection = server.websocket();
    let error = client.failed();
    assert!(error.to_string().contains("no welcome from"), "{error}");
}

#[test]
fn a_full_server_is_a_failure_at_first() {
    let server = Running::start(Config {
        policy: Policy {
            max_peers: 1,
            ..Policy::default()
        },
        ..any_port()
    });
    let _only = server.peer();
    let error = failure(producer(server.uri()));
    assert!(
        matches!(
            error,
            SignallerError::Closed {
                code: Some(1013),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("server is full"), "{error}");
}

#[test]
fn a_registration_that_the_server_refuses_is_a_failure() {
    let server = Running::start(Config {
        policy: Policy {
            max_meta_bytes: 1_000,
            ..Policy::default()
        },
        ..any_port()
    });
    let meta = MetaValue::from("m".repeat(2_000));
    let error = failure(NativeConfig::new(server.uri(), Role::Producer { meta }));
    assert!(error.to_string().contains("meta of 2002 bytes"), "{error}");
    let server = HandMade::new();
    let client = Client::start(producer(server.uri())).expect("it starts");
    let mut connection = server.websocket();
    connection.send(&json!({"type": "welcome", "peerId": "client"}));
    connection.receive();
    connection.send(&json!({"type": "error", "details": "not you"}));
    let error = client.failed();
    assert!(error.to_string().contains("not you"), "{error}");
}

#[test]
fn once_connected_whatever_happens_is_tried_again() {
    let server = HandMade::new();
    let client = Client::start(producer(server.uri())).expect("it starts");
    let mut connection = server.registered();
    client.next_connected();
    let reason = CloseFrame {
        code: CloseCode::Again,
        reason: "too many cameras".into(),
    };
    connection.socket.close(Some(reason)).expect("told");
    let reason = client.next_disconnected();
    assert!(reason.contains("too many cameras"), "{reason}");
    drop(connection);
    let mut connection = server.accept();
    let answer = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    connection.write_all(answer).expect("sent");
    let reason = client.next_disconnected();
    assert!(reason.contains("403"), "{reason}");
    drop(connection);
    // Not even a handshake.
    drop(server.accept());
    client.next_disconnected();
    let _connection = server.registered();
    client.next_connected();
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = HandMade::new();
    let client = Client::start(NativeConfig {
        limits: NativeLimits {
            ping_interval: Duration::from_millis(100),
            pong_timeout: Duration::from_secs(2),
            ..quick()
        },
        ..producer(server.uri())
    })
    .expect("it starts");
    let _silent = server.registered();
    client.next_connected();
    let reason = client.next_disconnected();
    assert!(reason.contains("did not answer a ping"), "{reason}");
}

#[test]
fn a_silent_server_is_pinged_and_kept_if_it_answers() {
    let server = HandMade::new();
    let client = Client::start(NativeConfig {
        limits: NativeLimits {
            ping_interval: Duration::from_millis(50),
            pong_timeout: DEADLINE,
            ..quick()
        },
        ..producer(server.uri())
    })
    .expect("it starts");
    let mut connection = server.registered();
    client.next_connected();
    for _ in 0..5 {
        let message = connection.socket.read().expect("pinged");
        assert!(matches!(message, Message::Ping(_)), "{message:?}");
        connection.socket.flush().expect("answered");
    }
    connection.send(&json!({"type": "startSession", "peerId": "p", "sessionId": "s"}));
    client.next_session();
}

#[test]
fn requests_without_end_cost_the_connection_and_no_memory() {
    let server = HandMade::new();
    let client = Client::start(NativeConfig {
        limits: NativeLimits {
            max_sessions: 0,
            max_queued_messages: 20,
            stop_timeout: Duration::from_millis(100),
            ..quick()
        },
        ..producer(server.uri())
    })
    .expect("it starts");
    let mut flooding = server.registered();
    client.next_connected();
    // Each is turned down, and the answers are never read.
    let session = "s".repeat(100_000);
    let request = json!({"type": "startSession", "peerId": "p", "sessionId": session}).to_string();
    while flooding.socket.send(Message::text(request.clone())).is_ok() {}
    let reason = client.next_disconnected();
    assert!(reason.contains("20 messages were waiting"), "{reason}");
}

#[test]
fn a_server_that_does_not_read_costs_the_connection_and_no_memory() {
    let server = HandMade::new();
    let client = Client::start(NativeConfig {
        limits: NativeLimits {
            max_queued_messages: 20,
            stop_timeout: Duration::from_millis(100),
            ..quick()
        },
        ..producer(server.uri())
    })
    .expect("it starts");
    let mut stuck = server.registered();
    client.next_connected();
    stuck.send(&json!({"type": "startSession", "peerId": "p", "sessionId": "s"}));
    let session = client.next_session();
    let mut reason = None;
    wait_for("the connection is given up", || {
        let offer = Description::Offer("v".repeat(100_000).into());
        client.signaller.send_description(&session, offer);
        if let Some(SignallerEvent::Disconnected { reason: said, .. }) = client.try_next() {
            reason = Some(said);
        }
        reason.is_some()
    });
    let reason = reason.expect("said");
    assert!(reason.contains("20 messages were waiting"), "{reason}");
}

#[test]
fn a_message_that_is_too_large_costs_the_connection() {
    let server = HandMade::new();
    let client = Client::start(NativeConfig {
        limits: NativeLimits {
            max_message_bytes: 10_000,
            ..quick()
        },
        ..producer(server.uri())
    })
    .expect("it starts");
    let mut connection = server.registered();
    client.next_connected();
    connection.send(&json!({"type": "error", "details": "d".repeat(20_000)}));
    let reason = client.next_disconnected();
    assert!(reason.contains("more than 10000 bytes"), "{reason}");
}

#[test]
fn the_largest_message_that_our_server_takes_reaches_a_client() {
    let limits = wigwag_server::Limits::default();
    let server = Running::start(any_port());
    let (client, id) = Client::connected(producer(server.uri()));
    let mut viewer = server.peer();
    let envelope = json!({"type": "startSession", "peerId": id, "offer": ""});
    let room = limits.max_message_bytes - envelope.to_string().len();
    let offer = "o".repeat(room);
    viewer.send(&json!({"type": "startSession", "peerId": id, "offer": offer}));
    client.next_session();
}
