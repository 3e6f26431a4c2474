//! Stopping a signaller, in whatever state it is.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use wigwag_client::{
    Candidate, NativeConfig, NativeLimits, NativeSignaller, Signaller, SignallerEvent,
};

use crate::running::{Client, DEADLINE, HandMade, Running, producer, quick};

fn candidate(text: &str) -> Candidate {
    Candidate {
        candidate: text.to_owned(),
        m_line: Some(1),
        mid: None,
    }
}

#[test]
fn stopping_says_what_was_to_be_said_and_unregisters_at_once() {
    let server = Running::new();
    let (client, id) = Client::connected(NativeConfig {
        limits: NativeLimits {
            // The connection is not just dropped.
            stop_timeout: DEADLINE * 2,
            ..quick()
        },
        ..producer(server.uri())
    });
    let mut viewer = server.peer();
    let session = viewer.call(&id);
    let ours = client.next_session();
    client.signaller.end_session(&ours, None);
    client.signaller.stop();
    client
        .signaller
        .send_candidate(&ours, candidate("too late"));
    client.stopped();
    assert_eq!(
        viewer.receive(),
        json!({"type": "endSession", "sessionId": session})
    );
    assert_eq!(viewer.list(), json!([]));
    client.signaller.stop();
}

#[test]
fn a_signaller_that_is_dropped_stops() {
    let server = Running::new();
    let mut listener = server.peer();
    listener.send(&json!({"type": "setPeerStatus", "roles": ["listener"]}));
    listener.receive();
    let (client, id) = Client::connected(producer(server.uri()));
    assert_eq!(listener.receive()["roles"], json!(["producer"]));
    let runtime = tokio::runtime::Handle::try_current();
    assert!(runtime.is_err(), "dropped from any thread");
    let Client { signaller, .. } = client;
    drop(signaller);
    let gone = listener.receive();
    assert_eq!(gone["peerId"], id.as_str());
    assert_eq!(gone["roles"], json!([]));
}

#[test]
fn stopping_does_not_wait_for_a_server_that_does_not_play_along() {
    let limits = NativeLimits {
        stop_timeout: Duration::from_millis(200),
        ..quick()
    };
    // One that was never heard of, one that does not answer the close, and one that is gone.
    let server = HandMade::new();
    let config = NativeConfig {
        limits: limits.clone(),
        ..producer(server.uri())
    };
    let unheard = Client::start(config.clone()).expect("it starts");
    unheard.signaller.stop();
    unheard.stopped();
    let server = HandMade::new();
    let config = NativeConfig {
        limits: NativeLimits {
            back_off_min: DEADLINE * 2,
            back_off_max: DEADLINE * 2,
            ..limits
        },
        ..producer(server.uri())
    };
    let client = Client::start(config.clone()).expect("it starts");
    let stuck = server.registered();
    client.next_connected();
    client.signaller.stop();
    client.stopped();
    drop(stuck);
    let client = Client::start(config).expect("it starts");
    drop(server.registered());
    client.next_connected();
    client.next_disconnected();
    client.signaller.stop();
    client.stopped();
}

#[test]
fn whoever_wants_to_wait_for_ever_may() {
    let server = Running::new();
    let (client, _) = Client::connected(NativeConfig {
        limits: NativeLimits {
            connect_timeout: Duration::MAX,
            stop_timeout: Duration::MAX,
            back_off_min: Duration::MAX,
            back_off_max: Duration::MAX,
            ping_interval: Duration::MAX,
            pong_timeout: Duration::MAX,
            ..NativeLimits::default()
        },
        ..producer(server.uri())
    });
    drop(server);
    client.next_disconnected();
    client.signaller.stop();
    client.stopped();
}

#[test]
fn the_closure_may_call_the_signaller() {
    let server = Running::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let signaller = Arc::new(OnceLock::<NativeSignaller>::new());
    let (told, events) = std::sync::mpsc::channel();
    let same = Arc::clone(&signaller);
    let started = NativeSignaller::start(producer(server.uri()), runtime.handle(), move |event| {
        if let SignallerEvent::SessionRequested { session, .. } = &event {
            let signaller = same.wait();
            signaller.send_candidate(session, candidate("at once"));
            signaller.stop();
        }
        let _ = told.send(event);
        Ok(())
    });
    assert!(signaller.set(started.expect("it starts")).is_ok());
    let mut viewer = server.peer();
    match events.recv_timeout(DEADLINE) {
        Ok(SignallerEvent::Connected { peer_id }) => viewer.call(peer_id.as_str()),
        other => panic!("not connected: {other:?}"),
    };
    assert_eq!(viewer.receive()["ice"]["candidate"], "at once");
    assert_eq!(viewer.receive()["type"], "endSession");
    let rest: Vec<_> = events
        .iter()
        .take(2)
        .map(|event| format!("{event:?}"))
        .collect();
    assert!(rest[0].starts_with("SessionRequested"), "{rest:?}");
    assert_eq!(rest[1], "Stopped");
}
