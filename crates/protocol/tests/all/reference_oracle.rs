//! The published types of the reference implementation as an oracle: whatever either side writes,
//! the other reads as the same, and what one refuses the other refuses.

use gst_plugin_webrtc_signalling_protocol::{IncomingMessage, OutgoingMessage};
use proptest::prelude::*;
use serde_json::{Value, json};
use wigwag_protocol::json::{ClientMessage, ServerMessage};

use crate::strategies;

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("written JSON can be read")
}

/// Optional members may be null or absent; for comparing, they are absent.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    value
}

fn read_by_both(text: &str) -> (Option<Value>, Option<Value>) {
    let reference = serde_json::from_str::<IncomingMessage>(text)
        .ok()
        .map(|message| without_nulls(serde_json::to_value(message).expect("writable")));
    let ours = ClientMessage::from_json(text)
        .ok()
        .map(|message| without_nulls(value(&message.to_json())));
    (reference, ours)
}

proptest! {
    #[test]
    fn reference_reads_what_our_clients_write(message in strategies::client_message_v1_0()) {
        let text = message.to_json();
        let read: IncomingMessage = serde_json::from_str(&text).expect("the reference reads it");
        let back = serde_json::to_string(&read).expect("writable");
        prop_assert_eq!(ClientMessage::from_json(&back).expect("we read it"), message);
    }

    #[test]
    fn reference_clients_read_what_our_server_writes(message in strategies::server_message_v1_0()) {
        let text = message.to_json();
        let read: OutgoingMessage = serde_json::from_str(&text).expect("the reference reads it");
        // Written in full: null members stand where the reference has them.
        prop_assert_eq!(value(&text), serde_json::to_value(&read).expect("writable"));
        let back = serde_json::to_string(&read).expect("writable");
        prop_assert_eq!(ServerMessage::from_json(&back).expect("we read it"), message);
    }

    /// Members replaced, removed and added at random: both refuse, or both read the same.
    #[test]
    fn both_refuse_the_same(
        message in strategies::client_message_v1_0(),
        member in prop_oneof![
            Just("type"), Just("roles"), Just("meta"), Just("peerId"), Just("sessionId"),
            Just("offer"), Just("sdp"), Just("ice"), Just("extra"),
        ],
        replacement in proptest::option::of(strategies::json_value()),
    ) {
        let mut mutated = value(&message.to_json());
        let members = mutated.as_object_mut().expect("an object");
        match replacement {
            Some(replacement) => { members.insert(member.to_owned(), replacement); }
            None => { members.remove(member); }
        }
        let (reference, ours) = read_by_both(&mutated.to_string());
        prop_assert_eq!(reference, ours);
    }
}

#[test]
fn both_read_these_the_same() {
    let candidate = r#"{"candidate":"c","sdpMLineIndex":0,"sdpMid":"0","usernameFragment":"u"}"#;
    let texts = [
        // The type may stand last, and unknown members are ignored.
        r#"{"roles":[],"extra":1,"type":"setPeerStatus"}"#.to_owned(),
        // The first of sdp and ice counts.
        format!(
            r#"{{"type":"peer","sessionId":"s","ice":{candidate},"sdp":{{"type":"offer","sdp":""}}}}"#
        ),
        format!(
            r#"{{"type":"peer","sessionId":"s","sdp":{{"type":"offer","sdp":""}},"ice":{candidate}}}"#
        ),
        // Unknown members of descriptions and candidates do not survive.
        format!(r#"{{"type":"peer","sessionId":"s","ice":{candidate}}}"#),
        r#"{"type":"peer","sessionId":"s","sdp":{"type":"answer","sdp":"v","x":1}}"#.to_owned(),
        r#"{"type":"startSession","peerId":"p","offer":null}"#.to_owned(),
        r#"{"type":"setPeerStatus","roles":[],"meta":null,"peerId":null}"#.to_owned(),
    ];
    for text in texts {
        let (reference, ours) = read_by_both(&text);
        assert!(reference.is_some(), "the reference refuses {text}");
        assert_eq!(reference, ours, "{text}");
    }
}

#[test]
fn both_refuse_these() {
    let texts = [
        "",
        "{nope",
        "[]",
        "null",
        "7",
        r#"{"type":"List"}"#,
        r#"{"type":"list","type":"list"}"#,
        r#"{"type":"frobnicate"}"#,
        r#"{"type":"setPeerStatus"}"#,
        r#"{"type":"setPeerStatus","roles":null}"#,
        r#"{"type":"setPeerStatus","roles":["Producer"]}"#,
        r#"{"type":"setPeerStatus","roles":["viewer"]}"#,
        r#"{"type":"startSession"}"#,
        r#"{"type":"startSession","peerId":7}"#,
        r#"{"type":"peer","sessionId":"s"}"#,
        r#"{"type":"peer","sessionId":"s","ice":null}"#,
        r#"{"type":"peer","sessionId":"s","ice":{"candidate":null,"sdpMLineIndex":0}}"#,
        r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c"}}"#,
        r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":-1}}"#,
        r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":4294967296}}"#,
        r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":"0"}}"#,
        r#"{"type":"peer","sessionId":"s","sdp":{"type":"pranswer","sdp":"v"}}"#,
        r#"{"type":"peer","sessionId":"s","sdp":"v"}"#,
    ];
    for text in texts {
        assert_eq!(read_by_both(text), (None, None), "{text}");
    }
}

/// Differences that are meant.
#[test]
fn we_differ_here_and_mean_it() {
    // An internal event of the reference that leaked onto its wire.
    let (reference, ours) = read_by_both(r#"{"type":"newPeer"}"#);
    assert!(reference.is_some() && ours.is_none());

    // A role counts once; the reference keeps and repeats an array of any length.
    let (reference, ours) =
        read_by_both(r#"{"type":"setPeerStatus","roles":["listener","listener"]}"#);
    assert_eq!(
        reference.expect("read")["roles"],
        json!(["listener", "listener"])
    );
    assert_eq!(ours.expect("read")["roles"], json!(["listener"]));

    // A meta whose nesting would make the lists that hold it unreadable to others.
    let deep = format!("{}{}", "[".repeat(126), "]".repeat(126));
    let (reference, ours) = read_by_both(&format!(
        r#"{{"type":"setPeerStatus","roles":["producer"],"meta":{deep}}}"#
    ));
    assert!(reference.is_some() && ours.is_none());
}
