//! The exact texts of the protocol, version 1.1 included, and properties of reading and writing.

use proptest::prelude::*;
use wigwag_protocol::json::{
    ClientMessage, MalformedKind, PeerId, PeerStatusChange, ProtocolVersion, Role, Roles,
    ServerMessage, SessionId,
};

use crate::strategies;

#[test]
fn version_1_1_client_messages() {
    let choose = r#"{"type":"setProtocolVersion","version":"v1_1"}"#;
    let message = ClientMessage::SetProtocolVersion {
        version: ProtocolVersion::V1_1,
    };
    assert_eq!(ClientMessage::from_json(choose), Ok(message.clone()));
    assert_eq!(message.to_json(), choose);

    let end = ClientMessage::EndSessionV1_1 {
        session_id: SessionId::from("s"),
        error: None,
    };
    for text in [
        r#"{"type":"endSessionV1_1","sessionId":"s","error":null}"#,
        r#"{"type":"endSessionV1_1","sessionId":"s"}"#,
    ] {
        assert_eq!(ClientMessage::from_json(text), Ok(end.clone()));
    }
    assert!(ClientMessage::from_json(r#"{"type":"endSessionv11","sessionId":"s"}"#).is_err());
    assert!(ClientMessage::from_json(r#"{"type":"setProtocolVersion","version":"1.1"}"#).is_err());
}

#[test]
fn absent_members_of_server_messages_are_written_as_null() {
    let change = ServerMessage::PeerStatusChanged(PeerStatusChange {
        roles: Roles::from([Role::Producer]),
        meta: None,
        peer_id: PeerId::from("p"),
    });
    assert_eq!(
        change.to_json(),
        r#"{"type":"peerStatusChanged","roles":["producer"],"meta":null,"peerId":"p"}"#
    );
    let start = ServerMessage::StartSession {
        peer_id: PeerId::from("p"),
        session_id: SessionId::from("s"),
        offer: None,
    };
    assert_eq!(
        start.to_json(),
        r#"{"type":"startSession","peerId":"p","sessionId":"s","offer":null}"#
    );
    let end = ServerMessage::EndSessionV1_1 {
        session_id: SessionId::from("s"),
        error: None,
    };
    assert_eq!(
        end.to_json(),
        r#"{"type":"endSessionV1_1","sessionId":"s","error":null}"#
    );
}

#[test]
fn what_is_said_of_a_malformed_text_quotes_nothing_of_it() {
    let text = r#"{"type":"peer","sessionId":"s","sdp":"a=ice-pwd:secret"}"#;
    let malformed = ClientMessage::from_json(text).expect_err("sdp must be an object");
    assert_eq!(malformed.kind, MalformedKind::Content);
    assert!(!format!("{malformed} {malformed:?}").contains("secret"));
    assert_eq!(
        ClientMessage::from_json("{nope").expect_err("no JSON").kind,
        MalformedKind::Syntax
    );
}

proptest! {
    #[test]
    fn client_messages_survive_writing_and_reading(message in strategies::client_message()) {
        prop_assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
    }

    #[test]
    fn server_messages_survive_writing_and_reading(message in strategies::server_message()) {
        prop_assert_eq!(ServerMessage::from_json(&message.to_json()), Ok(message));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = ClientMessage::from_json(&text);
        let _ = ServerMessage::from_json(&text);
    }
}
