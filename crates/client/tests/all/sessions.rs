//! A producer at our server: what it and its viewers notice of each other.

use std::time::Duration;

use serde_json::json;
use wigwag_client::{
    Candidate, Description, NativeConfig, NativeLimits, SessionId, Signaller, SignallerEvent,
};
use wigwag_server::{Config, Limits};

use crate::running::{Client, HandMade, Running, any_port, producer, quick};

fn candidate(text: &str) -> Candidate {
    Candidate {
        candidate: text.to_owned(),
        m_line: Some(1),
        mid: None,
    }
}

#[test]
fn a_producer_is_listed_with_its_meta() {
    let server = Running::new();
    let (_client, id) = Client::connected(producer(server.uri()));
    assert_eq!(
        server.peer().list(),
        json!([{"id": id, "meta": {"name": "cam"}}])
    );
}

#[test]
fn descriptions_and_candidates_go_both_ways() {
    let server = Running::new();
    let (client, id) = Client::connected(producer(server.uri()));
    let mut viewer = server.peer();
    let session = viewer.call(&id);
    match client.next() {
        SignallerEvent::SessionRequested {
            session: requested,
            peer,
            offer,
        } => {
            assert_eq!(requested.as_str(), session);
            assert_eq!(peer.as_str(), viewer.id);
            assert_eq!(offer, None);
        }
        other => panic!("no session: {other:?}"),
    }
    let id = SessionId::from(session.as_str());
    let offer = Description::Offer("v=0 offer".into());
    client.signaller.send_description(&id, offer);
    client
        .signaller
        .send_candidate(&id, candidate("candidate:1"));
    assert_eq!(
        viewer.receive(),
        json!({"type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": "v=0 offer"}})
    );
    assert_eq!(
        viewer.receive(),
        json!({"type": "peer", "sessionId": session,
            "ice": {"candidate": "candidate:1", "sdpMLineIndex": 1}})
    );
    viewer.send(
        &json!({"type": "peer", "sessionId": session, "sdp": {"type": "answer", "sdp": "v=0 answer"}}),
    );
    viewer.send(&json!({"type": "peer", "sessionId": session,
        "ice": {"candidate": "candidate:2", "sdpMLineIndex": 1}}));
    match client.next() {
        SignallerEvent::Description {
            session,
            description,
        } => {
            assert_eq!(session, id);
            assert_eq!(description, Description::Answer("v=0 answer".into()));
        }
        other => panic!("no answer: {other:?}"),
    }
    match client.next() {
        SignallerEvent::Candidate {
            session,
            candidate: received,
        } => {
            assert_eq!(session, id);
            assert_eq!(received, candidate("candidate:2"));
        }
        other => panic!("no candidate: {other:?}"),
    }
}

#[test]
fn a_viewer_may_make_the_offer() {
    let server = Running::new();
    let (client, id) = Client::connected(producer(server.uri()));
    let mut viewer = server.peer();
    viewer.send(&json!({"type": "startSession", "peerId": id, "offer": "v=0 theirs"}));
    match client.next() {
        SignallerEvent::SessionRequested { session, offer, .. } => {
            assert_eq!(offer, Some("v=0 theirs".into()));
            let answer = Description::Answer("v=0 ours".into());
            client.signaller.send_description(&session, answer);
        }
        other => panic!("no session: {other:?}"),
    }
    assert_eq!(viewer.receive()["type"], "sessionStarted");
    assert_eq!(
        viewer.receive()["sdp"],
        json!({"type": "answer", "sdp": "v=0 ours"})
    );
}

#[test]
fn either_side_ends_a_session_and_the_other_is_told() {
    let server = Running::new();
    let (client, id) = Client::connected(producer(server.uri()));
    let mut viewer = server.peer();
    let ours = viewer.call(&id);
    client
        .signaller
        .end_session(&client.next_session(), Some("no camera".to_owned()));
    assert_eq!(
        viewer.receive(),
        json!({"type": "endSession", "sessionId": ours})
    );
    let theirs = viewer.call(&id);
    assert_eq!(client.next_session().as_str(), theirs);
    viewer.send(&json!({"type": "endSessionV1_1", "sessionId": theirs, "error": "enough"}));
    match client.next() {
        SignallerEvent::SessionEnded { session, reason } => {
            assert_eq!(
                (session.as_str(), reason.as_deref()),
                (theirs.as_str(), Some("enough"))
            );
        }
        other => panic!("not ended: {other:?}"),
    }
    let left = viewer.call(&id);
    assert_eq!(client.next_session().as_str(), left);
    drop(viewer);
    match client.next() {
        SignallerEvent::SessionEnded { session, reason } => {
            assert_eq!((session.as_str(), reason), (left.as_str(), None));
        }
        other => panic!("not ended: {other:?}"),
    }
}

#[test]
fn a_viewer_that_can_hear_reasons_is_given_one() {
    let server = Running::new();
    let (client, id) = Client::connected(producer(server.uri()));
    let mut viewer = server.peer();
    viewer.send(&json!({"type": "setProtocolVersion", "version": "v1_1"}));
    let session = viewer.call(&id);
    client
        .signaller
        .end_session(&client.next_session(), Some("no camera".to_owned()));
    assert_eq!(
        viewer.receive(),
        json!({"type": "endSessionV1_1", "sessionId": session, "error": "no camera"})
    );
}

#[test]
fn a_reason_that_the_server_gives_is_told() {
    let server = HandMade::new();
    let client = Client::start(producer(server.uri())).expect("it starts");
    let mut connection = server.registered();
    client.next_connected();
    connection.send(&json!({"type": "startSession", "peerId": "p", "sessionId": "s"}));
    connection.send(&json!({"type": "endSessionV1_1", "sessionId": "s", "error": "enough"}));
    client.next_session();
    match client.next() {
        SignallerEvent::SessionEnded { reason, .. } => {
            assert_eq!(reason.as_deref(), Some("enough"));
        }
        other => panic!("not ended: {other:?}"),
    }
}

#[test]
fn an_error_of_the_server_is_told_and_the_connection_goes_on() {
    let server = HandMade::new();
    let client = Client::start(producer(server.uri())).expect("it starts");
    let mut connection = server.registered();
    client.next_connected();
    connection.send(&json!({"type": "error", "details": "not like this"}));
    connection.send(&json!({"type": "ofTheFuture"}));
    connection.send(&json!({"type": "startSession", "peerId": "p", "sessionId": "s"}));
    match client.next() {
        SignallerEvent::ServerError { details } => assert_eq!(details, "not like this"),
        other => panic!("no error: {other:?}"),
    }
    assert_eq!(client.next_session().as_str(), "s");
}

#[test]
fn headers_path_and_query_arrive() {
    use tungstenite::handshake::server::{ErrorResponse, Request, Response};
    let server = HandMade::new();
    let config = NativeConfig {
        headers: vec![
            ("Authorization".to_owned(), "Bearer token".to_owned()),
            ("X-Camera".to_owned(), "front".to_owned()),
        ],
        ..producer(format!("{}/signalling?room=7", server.uri()))
    };
    let _client = Client::start(config).expect("it starts");
    let mut seen = Vec::new();
    #[allow(clippy::result_large_err, reason = "the library's callback")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        seen.push(request.uri().to_string());
        for name in ["authorization", "x-camera"] {
            let value = request.headers().get(name).expect(name);
            seen.push(value.to_str().expect("text").to_owned());
        }
        Ok(response)
    };
    let _socket = tungstenite::accept_hdr(server.accept(), look).expect("a request");
    assert_eq!(seen, ["/signalling?room=7", "Bearer token", "front"]);
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let mut server = Running::start(Config {
        // The viewer below does not read why it is closed.
        limits: Limits {
            close_timeout: Duration::from_millis(200),
            ..Limits::default()
        },
        ..any_port()
    });
    let (client, first_id) = Client::connected(producer(server.uri()));
    let old_session = {
        let mut viewer = server.peer();
        viewer.call(&first_id);
        let session = client.next_session();
        // The viewer must not leave first: then the session would end.
        server.join();
        session
    };
    let port = server.address.port();
    let lost = client.next_disconnected();
    assert!(lost.contains("shutting down"), "{lost}");
    // While there is none, what is said is dropped, however much it is.
    for _ in 0..10_000 {
        client
            .signaller
            .send_candidate(&old_session, candidate("nowhere"));
    }
    let server = Running::start(Config { port, ..any_port() });
    let (_, second_id) = client.reconnected();
    assert_ne!(second_id, first_id);
    let mut viewer = server.peer();
    assert_eq!(viewer.list()[0]["id"], second_id.as_str());
    // The server knows nothing of the old session, and is told nothing of it.
    client
        .signaller
        .send_candidate(&old_session, candidate("old"));
    client.signaller.end_session(&old_session, None);
    let session = viewer.call(&second_id);
    assert_eq!(client.next_session().as_str(), session);
    client
        .signaller
        .send_candidate(&SessionId::from(session), candidate("new"));
    assert_eq!(viewer.receive()["ice"]["candidate"], "new");
}

#[test]
fn a_viewer_that_floods_is_heard_in_order_and_others_as_well() {
    const CANDIDATES: usize = 20_000;
    let server = Running::new();
    let (client, id) = Client::connected(producer(server.uri()));
    let mut flooding = server.peer();
    let session = flooding.call(&id);
    assert_eq!(client.next_session().as_str(), session);
    for number in 0..CANDIDATES {
        flooding.send(&json!({"type": "peer", "sessionId": session,
            "ice": {"candidate": number.to_string(), "sdpMLineIndex": 0}}));
    }
    let other = server.peer().call(&id);
    let mut heard = 0;
    loop {
        match client.next() {
            SignallerEvent::Candidate { candidate, .. } => {
                assert_eq!(candidate.candidate, heard.to_string());
                heard += 1;
            }
            SignallerEvent::SessionRequested { session, .. } => assert_eq!(session.as_str(), other),
            // The other viewer is gone by then.
            SignallerEvent::SessionEnded { session, .. } => {
                assert_eq!(session.as_str(), other);
                break;
            }
            event => panic!("{event:?}"),
        }
    }
    while heard < CANDIDATES {
        match client.next() {
            SignallerEvent::Candidate { candidate, .. } => {
                assert_eq!(candidate.candidate, heard.to_string());
                heard += 1;
            }
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn sessions_beyond_the_limit_are_turned_down() {
    let server = Running::new();
    let (client, id) = Client::connected(NativeConfig {
        limits: NativeLimits {
            max_sessions: 2,
            ..quick()
        },
        ..producer(server.uri())
    });
    let mut viewer = server.peer();
    let sessions: Vec<_> = (0..2).map(|_| viewer.call(&id)).collect();
    let third = viewer.call(&id);
    assert_eq!(
        viewer.receive(),
        json!({"type": "endSession", "sessionId": third})
    );
    for session in sessions {
        assert_eq!(client.next_session().as_str(), session);
    }
    assert!(client.try_next().is_none());
}
