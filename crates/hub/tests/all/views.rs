//! What an operator sees of a hub, and the ends that an operator makes.

use wigwag_hub::json::{PeerId, Role, Roles, ServerMessage, SessionId};
use wigwag_hub::text::Activity;
use wigwag_hub::{Hub, Payer, Policy};

use crate::collected::{Collected, disconnect, hub, send};
use crate::text_collected as text;

const PRODUCER: &str = r#"{"type":"setPeerStatus","roles":["producer"],"meta":{"name":"yard"}}"#;
const VERSION_1_1: &str = r#"{"type":"setProtocolVersion","version":"v1_1"}"#;

fn call(hub: &mut Hub, from: &PeerId, to: &PeerId) -> SessionId {
    let sent = send(
        hub,
        from,
        &format!(r#"{{"type":"startSession","peerId":"{to}"}}"#),
    );
    match &sent[0] {
        (_, ServerMessage::SessionStarted { session_id, .. }) => session_id.clone(),
        other => panic!("no session but {other:?}"),
    }
}

fn terminate(
    hub: &mut Hub,
    session: &SessionId,
    reason: Option<&str>,
) -> (bool, Vec<(PeerId, ServerMessage)>) {
    let mut out = Collected::default();
    let ended = hub.terminate_session(session, reason.map(str::to_owned), &mut out);
    (ended, out.0)
}

#[test]
fn peers_are_seen_in_the_order_of_connecting_from_any_place() {
    let mut hub = hub(Policy::default());
    let ids: Vec<_> = (0..20)
        .map(|_| hub.connect(Payer::NOBODY).expect("room"))
        .collect();
    send(&mut hub, &ids[3], PRODUCER);
    let seen: Vec<_> = hub.peers_after(None).collect();
    assert_eq!(
        seen.iter().map(|peer| &peer.id).collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>()
    );
    assert_eq!(seen[3].roles, Roles::from([Role::Producer]));
    let meta = seen[3].meta.as_ref().expect("it has one");
    assert_eq!(meta.as_json(), r#"{"name":"yard"}"#);
    // The peer that a walk stopped at may be gone when it goes on.
    disconnect(&mut hub, &ids[9]);
    let rest: Vec<_> = hub
        .peers_after(Some(seen[9].number))
        .map(|peer| peer.id)
        .collect();
    assert_eq!(rest, ids[10..]);
    assert!(hub.peer(ids[9].as_str()).is_none());
    assert_eq!(
        hub.peer(ids[19].as_str()).expect("there").number,
        seen[19].number
    );
}

#[test]
fn a_session_that_is_terminated_is_over_for_both() {
    let mut hub = hub(Policy::default());
    let producer = hub.connect(Payer::NOBODY).expect("room");
    send(&mut hub, &producer, PRODUCER);
    let consumer = hub.connect(Payer::NOBODY).expect("room");
    send(&mut hub, &consumer, VERSION_1_1);
    let (first, second) = (
        call(&mut hub, &consumer, &producer),
        call(&mut hub, &consumer, &producer),
    );
    let seen: Vec<_> = hub.sessions_after(None).collect();
    assert_eq!([&seen[0].id, &seen[1].id], [&first, &second]);
    assert_eq!(hub.session_id(seen[0].number), Some(&first));
    let members = [&seen[0].producer, &seen[0].consumer, &seen[0].caller];
    assert_eq!(members, [&producer, &consumer, &consumer]);
    assert_eq!(hub.peer(producer.as_str()).expect("there").sessions, 2);

    let (ended, told) = terminate(&mut hub, &first, Some("too loud"));
    assert!(ended);
    let to_consumer = ServerMessage::EndSessionV1_1 {
        session_id: first.clone(),
        error: Some("too loud".to_owned()),
    };
    let to_producer = ServerMessage::EndSession {
        session_id: first.clone(),
    };
    assert_eq!(
        told,
        [
            (consumer.clone(), to_consumer),
            (producer.clone(), to_producer)
        ]
    );
    assert_eq!(terminate(&mut hub, &first, None), (false, vec![]));
    assert!(hub.session(first.as_str()).is_none());
    assert_eq!(hub.session_id(seen[0].number), None);
    let rest: Vec<_> = hub
        .sessions_after(Some(seen[0].number))
        .map(|session| session.id)
        .collect();
    assert_eq!(rest, [second]);
    assert_eq!(hub.peer(producer.as_str()).expect("there").sessions, 1);
    // Nothing is left behind.
    disconnect(&mut hub, &producer);
    assert_eq!(
        (hub.session_count(), hub.sessions_after(None).count()),
        (0, 0)
    );
}

#[test]
fn whoever_called_itself_is_told_once_of_a_terminated_session() {
    let mut hub = hub(Policy::default());
    let producer = hub.connect(Payer::NOBODY).expect("room");
    send(&mut hub, &producer, PRODUCER);
    let session = call(&mut hub, &producer, &producer);
    let (ended, told) = terminate(&mut hub, &session, None);
    assert!(ended);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn connections_of_the_text_protocol_are_seen_with_what_they_do() {
    let mut hub = wigwag_hub::text::Hub::new(wigwag_hub::text::Policy::default());
    let silent = hub.connect(Payer::NOBODY).expect("room");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|id| text::peer(&mut hub, id));
    text::send(&mut hub, a, "SESSION b");
    text::send(&mut hub, c, "ROOM yard");
    text::send(&mut hub, d, "ROOM yard");
    let seen: Vec<_> = hub.connections_after(None).collect();
    let order: Vec<_> = seen.iter().map(|view| view.connection).collect();
    assert_eq!(order, [silent, a, b, c, d]);
    assert!(seen[0].id.is_none());
    assert_eq!(seen[1].id.as_ref().expect("registered").as_str(), "a");
    assert_eq!(
        seen[1].activity,
        Activity::Session {
            partner: b,
            called: true
        }
    );
    assert_eq!(
        seen[2].activity,
        Activity::Session {
            partner: a,
            called: false
        }
    );
    let rest: Vec<_> = hub
        .connections_after(Some(b))
        .map(|view| view.connection)
        .collect();
    assert_eq!(rest, [c, d]);
    assert_eq!(
        hub.connection(c.number().into()).expect("there").connection,
        c
    );
    assert!(hub.connection(99.into()).is_none());
}

#[test]
fn rooms_are_seen_in_the_order_of_their_names() {
    let mut hub = wigwag_hub::text::Hub::new(wigwag_hub::text::Policy::default());
    let members: Vec<_> = (0..6)
        .map(|id| text::peer(&mut hub, &format!("p{id}")))
        .collect();
    for (member, room) in members.iter().zip(["b", "a", "b", "c", "b", "a"]) {
        text::send(&mut hub, *member, &format!("ROOM {room}"));
    }
    let rooms: Vec<_> = hub.rooms_after(None, 2).collect();
    let names: Vec<_> = rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(rooms[1].member_count, 3);
    assert_eq!(
        rooms[1].members,
        [members[0], members[2]],
        "no more than asked for"
    );
    let rest: Vec<_> = hub
        .rooms_after(Some("aa"), 9)
        .map(|room| room.name.to_string())
        .collect();
    assert_eq!(rest, ["b", "c"]);
    assert_eq!(
        hub.room("b").expect("there").members,
        [members[0], members[2], members[4]]
    );
    assert!(hub.room("nowhere").is_none());
}
