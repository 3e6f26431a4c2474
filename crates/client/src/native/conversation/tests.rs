//! A conversation against what real servers were recorded to say.

use std::collections::HashMap;

use serde_json::{Value, json};
use wigwag_conversations::{Step, json_protocol};

use super::*;

fn producer(max_sessions: usize) -> Conversation {
    let status = PeerStatus {
        roles: json::Roles::from([json::Role::Producer]),
        ..PeerStatus::default()
    };
    Conversation::new(status, max_sessions)
}

/// What is put out for a text: messages as they go out, everything else as its `Debug`.
fn hear(conversation: &mut Conversation, message: &Value) -> Vec<String> {
    let mut outputs = Vec::new();
    conversation.on_text(&message.to_string(), &mut outputs);
    outputs.iter().map(shown).collect()
}

fn shown(output: &Output) -> String {
    match output {
        Output::Send(message) => message.to_json(),
        other => format!("{other:?}"),
    }
}

fn registered(max_sessions: usize) -> Conversation {
    let mut conversation = producer(max_sessions);
    hear(
        &mut conversation,
        &json!({"type": "welcome", "peerId": "me"}),
    );
    conversation.on_pong(REGISTRATION_PING, &mut Vec::new());
    assert_eq!(conversation.awaits(), None);
    conversation
}

fn start(conversation: &mut Conversation, session: &str) -> Vec<String> {
    let message = json!({"type": "startSession", "peerId": "viewer", "sessionId": session});
    hear(conversation, &message)
}

/// What a producer of ours makes of what `peer` received in a recording. The server is taken to answer
/// the ping at once.
fn recorded(name: &str, peer: &str) -> Vec<String> {
    let conversations = json_protocol();
    let conversation = conversations
        .iter()
        .find(|conversation| conversation.name == name)
        .expect("recorded");
    let mut ours = producer(10);
    let mut heard = Vec::new();
    for step in &conversation.steps {
        if let Step::Receive(to, message) = step
            && to == peer
        {
            heard.extend(hear(&mut ours, message));
            let mut outputs = Vec::new();
            ours.on_pong(REGISTRATION_PING, &mut outputs);
            heard.extend(outputs.iter().map(shown));
        }
    }
    heard
}

#[test]
fn the_whole_life_of_a_recorded_session() {
    let heard = recorded("pull", "P");
    let expected = [
        r#"{"type":"setProtocolVersion","version":"v1_1"}"#,
        r#"{"type":"setPeerStatus","roles":["producer"],"meta":null,"peerId":"$P"}"#,
        "AskWhetherRegistered",
        r#"Tell(Connected { peer_id: "$P" })"#,
        r#"Tell(SessionRequested { session: "$S1", peer: "$K", offer: None })"#,
    ];
    assert_eq!(heard[..5], expected, "{heard:#?}");
    let rest = heard[5..].join("\n");
    for event in [
        "Description { session: \"$S1\", description: Answer(",
        "Candidate {",
        "SessionEnded",
    ] {
        assert!(rest.contains(event), "{rest}");
    }
}

#[test]
fn a_recorded_consumer_that_offers() {
    let heard = recorded("consumer-offer", "P").join("\n");
    assert!(heard.contains("offer: Some("), "{heard}");
}

#[test]
fn no_recorded_message_does_harm() {
    for conversation in json_protocol() {
        let mut peers = HashMap::<String, Conversation>::new();
        for step in conversation.steps {
            if let Step::Receive(to, message) = step {
                hear(peers.entry(to).or_insert_with(|| producer(1)), &message);
            }
        }
    }
}

#[test]
fn a_session_before_the_pong_says_as_well_that_we_are_registered() {
    let mut conversation = producer(10);
    hear(
        &mut conversation,
        &json!({"type": "welcome", "peerId": "me"}),
    );
    let heard = start(&mut conversation, "s");
    assert!(heard[0].contains("Connected"), "{heard:?}");
    assert!(heard[1].contains("SessionRequested"), "{heard:?}");
    let mut outputs = Vec::new();
    conversation.on_pong(REGISTRATION_PING, &mut outputs);
    assert!(outputs.is_empty(), "told once");
}

#[test]
fn an_error_is_a_refusal_only_before_we_are_registered() {
    let error = json!({"type": "error", "details": "no"});
    let mut conversation = producer(10);
    assert!(hear(&mut conversation, &error)[0].contains("GiveUp(Refused"));
    let mut conversation = registered(10);
    assert!(hear(&mut conversation, &error)[0].contains("ServerError"));
}

#[test]
fn what_is_unknown_is_ignored() {
    let mut conversation = registered(10);
    for message in [
        json!({"type": "ofTheFuture"}),
        json!(["no object"]),
        json!({"type": "welcome", "peerId": "another"}),
        json!({"type": "endSession", "sessionId": "unknown"}),
        json!({"type": "peer", "sessionId": "unknown", "sdp": {"type": "answer", "sdp": "v=0"}}),
        json!({"type": "sessionStarted", "sessionId": "s", "peerId": "p"}),
    ] {
        assert!(hear(&mut conversation, &message).is_empty(), "{message}");
    }
    let mut unwelcomed = producer(10);
    assert!(start(&mut unwelcomed, "s").is_empty());
}

#[test]
fn only_live_sessions_are_spoken_of() {
    let mut conversation = registered(10);
    start(&mut conversation, "s");
    assert!(start(&mut conversation, "s").is_empty(), "it lives already");
    let session = SessionId::from("s");
    let candidate = Command::Candidate {
        session: session.clone(),
        candidate: Candidate {
            candidate: "candidate:1".to_owned(),
            m_line: None,
            mid: Some("video0".to_owned()),
        },
    };
    let say = |conversation: &mut Conversation, command: &Command| {
        let said = conversation.say(command.clone()).into_iter().flatten();
        said.map(|message| message.to_json()).collect::<Vec<_>>()
    };
    assert_eq!(
        say(&mut conversation, &candidate),
        [r#"{"type":"peer","sessionId":"s","ice":{"candidate":"candidate:1","sdpMLineIndex":0}}"#]
    );
    let end = Command::End {
        session,
        reason: Some("enough".to_owned()),
    };
    assert_eq!(
        say(&mut conversation, &end),
        [
            r#"{"type":"endSessionV1_1","sessionId":"s","error":"enough"}"#,
            r#"{"type":"endSession","sessionId":"s"}"#
        ]
    );
    assert!(say(&mut conversation, &end).is_empty());
    assert!(say(&mut conversation, &candidate).is_empty());
    let ended = json!({"type": "endSession", "sessionId": "s"});
    assert!(hear(&mut conversation, &ended).is_empty());
}

#[test]
fn a_reason_of_version_1_1_is_told() {
    let mut conversation = registered(10);
    start(&mut conversation, "s");
    let ended = json!({"type": "endSessionV1_1", "sessionId": "s", "error": "no codec"});
    assert_eq!(
        hear(&mut conversation, &ended),
        [r#"Tell(SessionEnded { session: "s", reason: Some("no codec") })"#]
    );
}

#[test]
fn sessions_are_bounded_and_one_too_many_is_turned_down() {
    let mut conversation = registered(2);
    start(&mut conversation, "1");
    start(&mut conversation, "2");
    assert_eq!(
        start(&mut conversation, "3"),
        [r#"{"type":"endSession","sessionId":"3"}"#]
    );
    hear(
        &mut conversation,
        &json!({"type": "endSession", "sessionId": "1"}),
    );
    assert!(start(&mut conversation, "4")[0].contains("SessionRequested"));
}
