//! Rules of the protocol that the recorded conversations do not show: version 1.1, limits, and where
//! this hub is meant to be better than the reference.

use wigwag_hub::json::{ClientMessage, PeerId, ServerMessage, SessionId};
use wigwag_hub::{Full, Hub, Payer, Policy, Violation};

use crate::collected::{Collected, disconnect, hub, send, try_send};

const PRODUCER: &str = r#"{"type":"setPeerStatus","roles":["producer"]}"#;
const CONSUMER: &str = r#"{"type":"setPeerStatus","roles":["consumer"]}"#;
const LISTENER: &str = r#"{"type":"setPeerStatus","roles":["listener"]}"#;
const NOTHING: &str = r#"{"type":"setPeerStatus","roles":[]}"#;
const VERSION_1_1: &str = r#"{"type":"setProtocolVersion","version":"v1_1"}"#;

fn connect(hub: &mut Hub) -> PeerId {
    hub.connect(Payer::NOBODY).expect("there is room")
}

fn producer(hub: &mut Hub) -> PeerId {
    let peer = connect(hub);
    assert_eq!(send(hub, &peer, PRODUCER), []);
    peer
}

fn call(hub: &mut Hub, from: &PeerId, to: &PeerId) -> SessionId {
    let sent = send(hub, from, &start(to));
    match &sent[..] {
        [
            (_, ServerMessage::SessionStarted { session_id, .. }),
            (_, ServerMessage::StartSession { .. }),
        ] => session_id.clone(),
        other => panic!("no session but {other:?}"),
    }
}

fn start(to: &PeerId) -> String {
    format!(r#"{{"type":"startSession","peerId":"{to}"}}"#)
}

fn end(session: &SessionId) -> String {
    format!(r#"{{"type":"endSession","sessionId":"{session}"}}"#)
}

fn end_because(session: &SessionId, error: &str) -> String {
    format!(r#"{{"type":"endSessionV1_1","sessionId":"{session}","error":{error}}}"#)
}

fn details(sent: &[(PeerId, ServerMessage)]) -> &str {
    match sent {
        [(_, ServerMessage::Error { details })] => details,
        other => panic!("no error but {other:?}"),
    }
}

#[test]
fn ids_are_uuids_in_the_form_that_clients_measure() {
    let mut hub = hub(Policy::default());
    let id = connect(&mut hub);
    let uuid = uuid::Uuid::parse_str(id.as_str()).expect("a UUID");
    assert_eq!(uuid.get_version_num(), 4);
    assert_eq!(id.as_str(), uuid.hyphenated().to_string());
}

#[test]
fn what_is_passed_on_as_it_is_goes_where_all_else_would() {
    let mut hub = hub(Policy::default());
    let camera = producer(&mut hub);
    let viewer = connect(&mut hub);
    let session = call(&mut hub, &viewer, &camera);
    let stranger = connect(&mut hub);
    for from in [&camera, &viewer, &stranger] {
        for is_offer in [true, false] {
            for id in [session.as_str(), "another"] {
                let kind = if is_offer { "offer" } else { "answer" };
                let sdp = format!(r#"{{"type":"{kind}","sdp":""}}"#);
                let text = format!(r#"{{"type":"peer","sessionId":"{id}","sdp":{sdp}}}"#);
                let handled = send(&mut hub, from, &text);
                let mut out = Collected::default();
                let to = hub.relay(from, id, is_offer, &mut out);
                let to = to.map(|relay| relay.to.clone());
                match &handled[..] {
                    [(receiver, ServerMessage::Peer(_))] => {
                        assert_eq!(to.as_ref(), Some(receiver));
                        assert_eq!(out.0, []);
                    }
                    told => {
                        assert_eq!(to, None);
                        assert_eq!(out.0, told);
                    }
                }
            }
        }
    }
    // It is a first message as any other.
    let mut out = Collected::default();
    let silent = connect(&mut hub);
    assert_eq!(hub.relay(&silent, "another", false, &mut out), None);
    let told = send(&mut hub, &silent, VERSION_1_1);
    assert!(details(&told).ends_with("must be first message"));
}

#[test]
fn a_list_is_in_the_order_of_registration() {
    let mut hub = hub(Policy::default());
    let peers: Vec<_> = (0..20).map(|_| connect(&mut hub)).collect();
    for peer in peers.iter().rev() {
        send(&mut hub, peer, PRODUCER);
    }
    // A new meta does not lose the place; leaving and returning does.
    send(
        &mut hub,
        &peers[19],
        r#"{"type":"setPeerStatus","roles":["producer"],"meta":{"n":1}}"#,
    );
    send(&mut hub, &peers[18], NOTHING);
    send(&mut hub, &peers[18], PRODUCER);
    let sent = send(&mut hub, &peers[0], r#"{"type":"list"}"#);
    let [(_, ServerMessage::List { producers })] = &sent[..] else {
        panic!("no list but {sent:?}")
    };
    let listed: Vec<_> = producers.iter().map(|producer| &producer.id).collect();
    let mut expected: Vec<_> = peers
        .iter()
        .rev()
        .filter(|peer| **peer != peers[18])
        .collect();
    expected.push(&peers[18]);
    assert_eq!(listed, expected);
}

#[test]
fn long_list_written_in_slices_whoever_comes_changes_and_goes() {
    let mut hub = hub(Policy::default());
    let peers: Vec<_> = (0..200).map(|_| producer(&mut hub)).collect();
    let assert_listed = |hub: &mut Hub, expected: &[PeerId]| {
        let mut out = Collected::default();
        let list = ClientMessage::List;
        let asking = connect(hub);
        hub.handle(&asking, list, &mut out)
            .expect("within the limits");
        disconnect(hub, &asking);
        let text = out.1.concat();
        let [(_, written)] = &out.0[..] else {
            panic!("no list but {:?}", out.0)
        };
        assert_eq!(ServerMessage::from_json(&text).ok().as_ref(), Some(written));
        let ServerMessage::List { producers } = written else {
            panic!("no list but {written:?}")
        };
        let listed: Vec<_> = producers.iter().map(|listed| listed.id.clone()).collect();
        assert_eq!(listed, expected);
    };
    assert_listed(&mut hub, &peers);
    // One of the first slice, all of the second, and most of the third.
    let mut left = peers.clone();
    for gone in [5..6, 63..127, 63..126] {
        let gone: Vec<_> = left.drain(gone).collect();
        for peer in gone {
            disconnect(&mut hub, &peer);
        }
        assert_listed(&mut hub, &left);
    }
    let change = r#"{"type":"setPeerStatus","roles":["producer"],"meta":{"n":1}}"#;
    send(&mut hub, &left[3], change);
    assert_listed(&mut hub, &left);
    left.push(producer(&mut hub));
    assert_listed(&mut hub, &left);
    for peer in left.drain(..) {
        disconnect(&mut hub, &peer);
    }
    assert_listed(&mut hub, &[]);
}

#[test]
fn a_peer_that_chose_1_1_hears_why_a_session_ended() {
    let mut hub = hub(Policy::default());
    let producer = producer(&mut hub);
    let viewer = connect(&mut hub);
    assert_eq!(send(&mut hub, &viewer, VERSION_1_1), []);
    let session_id = call(&mut hub, &viewer, &producer);
    let sent = send(
        &mut hub,
        &producer,
        &end_because(&session_id, "\"no codec\""),
    );
    let error = Some("no codec".to_owned());
    let told = ServerMessage::EndSessionV1_1 { session_id, error };
    assert_eq!(sent, [(viewer.clone(), told)]);

    // Plain ends and disconnections come in the same form, without a reason.
    let session_id = call(&mut hub, &viewer, &producer);
    let told = ServerMessage::EndSessionV1_1 {
        session_id,
        error: None,
    };
    assert_eq!(disconnect(&mut hub, &producer), [(viewer, told)]);
}

#[test]
fn a_peer_that_chose_nothing_hears_a_plain_end() {
    let mut hub = hub(Policy::default());
    let producer = producer(&mut hub);
    let viewer = connect(&mut hub);
    for error in ["null", "\"reason\""] {
        let session_id = call(&mut hub, &viewer, &producer);
        let sent = send(&mut hub, &producer, &end_because(&session_id, error));
        let told = ServerMessage::EndSession { session_id };
        assert_eq!(sent, [(viewer.clone(), told)]);
    }
}

#[test]
fn the_version_is_chosen_first_or_never() {
    let mut hub = hub(Policy::default());
    let peer = connect(&mut hub);
    send(&mut hub, &peer, r#"{"type":"list"}"#);
    assert_eq!(
        details(&send(&mut hub, &peer, VERSION_1_1)),
        format!("Protocol version selection for peer '{peer}' must be first message")
    );
    let twice = connect(&mut hub);
    send(&mut hub, &twice, VERSION_1_1);
    assert!(details(&send(&mut hub, &twice, VERSION_1_1)).contains("must be first message"));
}

#[test]
fn a_stranger_cannot_end_a_session() {
    let mut hub = hub(Policy::default());
    let producer = producer(&mut hub);
    let viewer = connect(&mut hub);
    let stranger = connect(&mut hub);
    let session = call(&mut hub, &viewer, &producer);
    assert_eq!(
        details(&send(&mut hub, &stranger, &end(&session))),
        format!("Peer {stranger} is not part of {session}")
    );
    let sent = send(&mut hub, &viewer, &end(&session));
    assert_eq!(sent.len(), 1, "the session was still there: {sent:?}");
}

#[test]
fn a_stranger_cannot_speak_in_a_session() {
    let mut hub = hub(Policy::default());
    let producer = producer(&mut hub);
    let viewer = connect(&mut hub);
    let stranger = connect(&mut hub);
    let session = call(&mut hub, &viewer, &producer);
    let offer = format!(
        r#"{{"type":"peer","sessionId":"{session}","sdp":{{"type":"offer","sdp":"v=0"}}}}"#
    );
    assert_eq!(
        details(&send(&mut hub, &stranger, &offer)),
        format!("Peer {stranger} is not part of {session}")
    );
}

#[test]
fn who_stops_producing_loses_only_the_sessions_it_produced() {
    let mut hub = hub(Policy::default());
    let camera = producer(&mut hub);
    let other = producer(&mut hub);
    let viewer = connect(&mut hub);
    let produced = call(&mut hub, &viewer, &camera);
    let consumed = call(&mut hub, &camera, &other);
    let told = ServerMessage::EndSession {
        session_id: produced,
    };
    assert_eq!(send(&mut hub, &camera, NOTHING), [(viewer, told)]);
    assert_eq!(send(&mut hub, &camera, &end(&consumed)).len(), 1);
    assert_eq!(hub.session_count(), 0);
}

#[test]
fn a_refused_status_changes_nothing() {
    let mut hub = hub(Policy::default());
    let camera = producer(&mut hub);
    let viewer = connect(&mut hub);
    let session = call(&mut hub, &viewer, &camera);
    let both = r#"{"type":"setPeerStatus","roles":["consumer","producer"]}"#;
    assert_eq!(
        details(&send(&mut hub, &camera, both)),
        format!("Cannot register peer {camera} as both producer and passive consumer")
    );
    assert_eq!(hub.producer_count(), 1);
    assert_eq!(send(&mut hub, &viewer, &end(&session)).len(), 1);
}

#[test]
fn status_that_changes_nothing_not_announced_whomever_it_names() {
    let mut hub = hub(Policy::default());
    let listener = connect(&mut hub);
    send(&mut hub, &listener, LISTENER);
    assert_eq!(send(&mut hub, &listener, LISTENER), []);
    let named = format!(r#"{{"type":"setPeerStatus","roles":["listener"],"peerId":"{listener}"}}"#);
    assert_eq!(send(&mut hub, &listener, &named), []);
    let other = r#"{"type":"setPeerStatus","roles":["listener"],"meta":1,"peerId":"x"}"#;
    let sent = send(&mut hub, &listener, other);
    let [(_, ServerMessage::PeerStatusChanged(change))] = &sent[..] else {
        panic!("no change but {sent:?}")
    };
    assert_eq!(change.peer_id, listener, "the server knows better");
}

#[test]
fn a_peer_that_declared_nothing_is_announced_when_it_leaves() {
    let mut hub = hub(Policy::default());
    let listener = connect(&mut hub);
    send(&mut hub, &listener, LISTENER);
    let silent = connect(&mut hub);
    assert_eq!(send(&mut hub, &silent, NOTHING), [], "nothing is no news");
    assert_eq!(disconnect(&mut hub, &silent).len(), 1);
}

#[test]
fn a_producer_may_call_itself() {
    let mut hub = hub(Policy::default());
    let camera = producer(&mut hub);
    let session_id = call(&mut hub, &camera, &camera);
    let told = ServerMessage::EndSession {
        session_id: session_id.clone(),
    };
    assert_eq!(
        send(&mut hub, &camera, &end(&session_id)),
        [(camera.clone(), told)]
    );
    call(&mut hub, &camera, &camera);
    assert_eq!(disconnect(&mut hub, &camera), []);
    assert_eq!(hub.session_count(), 0);
}

#[test]
fn an_offer_of_a_producer_that_calls_comes_back_to_it() {
    let mut hub = hub(Policy::default());
    let camera = producer(&mut hub);
    let screen = connect(&mut hub);
    send(&mut hub, &screen, CONSUMER);
    let text = format!(r#"{{"type":"startSession","peerId":"{screen}","offer":"v=0"}}"#);
    let sent = send(&mut hub, &camera, &text);
    let [
        (first, ServerMessage::SessionStarted { .. }),
        (second, start),
    ] = &sent[..]
    else {
        panic!("no session but {sent:?}")
    };
    assert_eq!((first, second), (&screen, &camera));
    assert!(matches!(
        start,
        ServerMessage::StartSession { offer: Some(_), .. }
    ));
}

#[test]
fn calls_to_passive_consumers_can_be_kept_to_producers() {
    let mut hub = hub(Policy {
        only_producers_call_consumers: true,
        ..Policy::default()
    });
    let screen = connect(&mut hub);
    send(&mut hub, &screen, CONSUMER);
    let anyone = connect(&mut hub);
    assert_eq!(
        details(&send(&mut hub, &anyone, &start(&screen))),
        format!(
            "Missing a producer or a consumer: id {anyone} roles [], id {screen} roles [Consumer]"
        )
    );
    let camera = producer(&mut hub);
    call(&mut hub, &camera, &screen);
}

#[test]
fn peers_are_bounded() {
    let mut hub = hub(Policy {
        max_peers: 3,
        ..Policy::default()
    });
    let first = connect(&mut hub);
    connect(&mut hub);
    connect(&mut hub);
    assert!(hub.is_full());
    assert_eq!(hub.connect(Payer::NOBODY), Err(Full::Peers { limit: 3 }));
    disconnect(&mut hub, &first);
    connect(&mut hub);
}

#[test]
fn a_policy_that_changes_counts_for_what_comes() {
    let mut hub = hub(Policy::default());
    connect(&mut hub);
    connect(&mut hub);
    hub.set_policy(Policy {
        max_peers: 2,
        ..Policy::default()
    });
    assert_eq!(hub.connect(Payer::NOBODY), Err(Full::Peers { limit: 2 }));
}

#[test]
fn roles_and_metas_are_counted() {
    let mut hub = hub(Policy::default());
    let peer = connect(&mut hub);
    let status = r#"{"type":"setPeerStatus","roles":["consumer","listener"],"meta":"abc"}"#;
    send(&mut hub, &peer, status);
    let counts = |hub: &Hub| (hub.consumer_count(), hub.listener_count(), hub.meta_bytes());
    assert_eq!(counts(&hub), (1, 1, 5));
    disconnect(&mut hub, &peer);
    assert_eq!(counts(&hub), (0, 0, 0));
}

#[test]
fn sessions_of_a_caller_are_bounded_and_those_of_the_called_are_not() {
    let mut hub = hub(Policy {
        max_sessions_per_caller: 2,
        ..Policy::default()
    });
    let camera = producer(&mut hub);
    let greedy = connect(&mut hub);
    let first = call(&mut hub, &greedy, &camera);
    call(&mut hub, &greedy, &camera);
    assert_eq!(
        try_send(&mut hub, &greedy, &start(&camera)),
        Err(Violation::TooManySessions { limit: 2 })
    );
    let modest = connect(&mut hub);
    call(&mut hub, &modest, &camera);
    // Whoever ends a session, its caller may start another.
    send(&mut hub, &camera, &end(&first));
    call(&mut hub, &greedy, &camera);
}

#[test]
fn sessions_in_all_are_bounded() {
    let mut hub = hub(Policy {
        max_sessions: 1,
        ..Policy::default()
    });
    let camera = producer(&mut hub);
    let session = call(&mut hub, &camera, &camera);
    let full = Full::Sessions { limit: 1 }.to_string();
    assert_eq!(details(&send(&mut hub, &camera, &start(&camera))), full);
    send(&mut hub, &camera, &end(&session));
    call(&mut hub, &camera, &camera);
}

#[test]
fn meta_is_bounded() {
    let mut hub = hub(Policy {
        max_meta_bytes: 10,
        ..Policy::default()
    });
    let peer = connect(&mut hub);
    let status =
        |meta: &str| format!(r#"{{"type":"setPeerStatus","roles":["producer"],"meta":"{meta}"}}"#);
    send(&mut hub, &peer, &status("12345678"));
    assert_eq!(
        try_send(&mut hub, &peer, &status("123456789")),
        Err(Violation::MetaTooLarge {
            bytes: 11,
            limit: 10
        })
    );
}

#[test]
fn a_meta_that_was_let_in_stays_under_a_stricter_policy() {
    let mut hub = hub(Policy::default());
    let peer = connect(&mut hub);
    let status = |roles: &str, meta: &str| {
        format!(r#"{{"type":"setPeerStatus","roles":{roles},"meta":"{meta}"}}"#)
    };
    send(&mut hub, &peer, &status("[]", "12345678"));
    hub.set_policy(Policy {
        max_meta_bytes: 5,
        ..Policy::default()
    });
    send(&mut hub, &peer, &status(r#"["producer"]"#, "12345678"));
    assert_eq!(hub.producer_count(), 1);
    assert_eq!(
        try_send(&mut hub, &peer, &status("[]", "123456789")),
        Err(Violation::MetaTooLarge {
            bytes: 11,
            limit: 5
        })
    );
    send(&mut hub, &peer, &status("[]", "123456"));
    send(&mut hub, &peer, &status("[]", "123"));
    assert_eq!(hub.meta_bytes(), 5);
}

#[test]
fn meta_in_all_is_bounded() {
    let mut hub = hub(Policy {
        max_meta_bytes_in_all: 20,
        ..Policy::default()
    });
    let status = |meta: &str| format!(r#"{{"type":"setPeerStatus","roles":[],"meta":"{meta}"}}"#);
    let (first, second) = (connect(&mut hub), connect(&mut hub));
    send(&mut hub, &first, &status("12345678"));
    send(&mut hub, &second, &status("12345678"));
    let full = Full::Meta { limit: 20 }.to_string();
    let refused = send(&mut hub, &second, &status("123456789"));
    assert_eq!(details(&refused), full);
    send(&mut hub, &second, &status("87654321"));
    disconnect(&mut hub, &first);
    send(&mut hub, &second, &status("123456789012345678"));
}

#[test]
fn a_peer_that_is_gone_is_silent() {
    let mut hub = hub(Policy::default());
    let peer = producer(&mut hub);
    disconnect(&mut hub, &peer);
    assert_eq!(send(&mut hub, &peer, r#"{"type":"list"}"#), []);
    assert_eq!(send(&mut hub, &peer, PRODUCER), []);
    assert_eq!(disconnect(&mut hub, &peer), []);
    assert_eq!((hub.peer_count(), hub.producer_count()), (0, 0));
}

#[test]
fn consumer_that_stops_consuming_loses_its_sessions() {
    let mut hub = hub(Policy::default());
    let (camera, screen) = (producer(&mut hub), connect(&mut hub));
    send(&mut hub, &screen, CONSUMER);
    let session = call(&mut hub, &camera, &screen);
    let ended = ServerMessage::EndSession {
        session_id: session,
    };
    assert_eq!(send(&mut hub, &screen, NOTHING), [(camera, ended)]);
}

#[test]
fn status_that_keeps_a_role_keeps_its_sessions() {
    let mut hub = hub(Policy::default());
    let (camera, screen) = (producer(&mut hub), connect(&mut hub));
    send(&mut hub, &screen, CONSUMER);
    let session = call(&mut hub, &camera, &screen);
    for (peer, role) in [(&camera, "producer"), (&screen, "consumer")] {
        let status = format!(r#"{{"type":"setPeerStatus","roles":["{role}"],"meta":1}}"#);
        assert_eq!(send(&mut hub, peer, &status), []);
    }
    assert_eq!(send(&mut hub, &screen, &end(&session)).len(), 1);
}

#[test]
fn message_in_a_session_is_an_answer_of_the_one_that_was_called() {
    let mut hub = hub(Policy::default());
    let (camera, viewer, other) = (producer(&mut hub), connect(&mut hub), connect(&mut hub));
    let session = call(&mut hub, &viewer, &camera);
    let candidate = format!(
        r#"{{"type":"peer","sessionId":"{session}","ice":{{"candidate":"","sdpMLineIndex":0}}}}"#
    );
    for text in [candidate, end(&session), end_because(&session, "null")] {
        let message = ClientMessage::from_json(&text).expect("a message of the protocol");
        assert!(hub.is_answer(&camera, &message), "{text}");
        assert!(!hub.is_answer(&viewer, &message), "{text}");
        assert!(!hub.is_answer(&other, &message), "{text}");
    }
    assert!(!hub.is_answer(&camera, &ClientMessage::List));
    for (from, is_answer) in [(&camera, true), (&viewer, false)] {
        let mut out = Collected::default();
        let relay = hub.relay(from, session.as_str(), false, &mut out);
        assert_eq!(relay.map(|relay| relay.is_answer), Some(is_answer));
    }
}
