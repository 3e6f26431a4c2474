//! Floods of others against a peer that does not read: each harms itself alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::in_memory::InMemoryServer;
use crate::limits::Limits;
use crate::simulation::peer::{self, Peer, text, websocket};

/// Where all are.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Bytes and messages that may wait for a peer.
const MAX_BYTES: usize = 32 * 1024;
const MAX_MESSAGES: usize = 256;

fn server() -> InMemoryServer {
    peer::server(Limits {
        max_queued_bytes: MAX_BYTES,
        max_queued_messages: MAX_MESSAGES,
        ..Limits::default()
    })
}

/// Two flood a camera that does not read, with many short messages or few long ones; a third calls it as usual.
async fn flood(length: usize, count: usize) {
    let server = server();
    let mut camera = Peer::connect(&server, LOCALHOST, 1024).await;
    let status = json!({"type": "setPeerStatus", "roles": ["producer"]});
    camera.send(status).await;
    let mut viewer = Peer::connect(&server, LOCALHOST, 64 * 1024).await;
    let watched = viewer.call(&camera.id).await;
    let mut ended = Vec::new();
    let mut flooders = [
        Peer::connect(&server, LOCALHOST, 64 * 1024).await,
        Peer::connect(&server, LOCALHOST, 64 * 1024).await,
    ];
    let mut sessions = Vec::new();
    for flooder in &mut flooders {
        sessions.push(flooder.call(&camera.id).await);
    }
    for _ in 0..count {
        for (flooder, session) in flooders.iter_mut().zip(&sessions) {
            flooder.send_candidate(session, length).await;
        }
    }
    viewer.send_candidate(&watched, 100).await;
    for flooder in &mut flooders {
        let end = flooder.next().await;
        assert_eq!(end["type"], "endSession");
        ended.push(text(&end, "sessionId"));
    }
    assert_eq!(ended, sessions);
    viewer.send_candidate(&watched, 100).await;
    // What the camera reads at last: all of the viewer, and how the others ended.
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let key = |kind: &str, session: &str| (kind.to_owned(), session.to_owned());
    while seen.get(&key("peer", &watched)) != Some(&2)
        || !sessions
            .iter()
            .all(|session| seen.contains_key(&key("endSession", session)))
    {
        let message = camera.next().await;
        let kind = text(&message, "type");
        *seen.entry((kind, text(&message, "sessionId"))).or_default() += 1;
    }
    assert_eq!(seen[&key("startSession", &watched)], 1);
    assert!(!seen.contains_key(&key("endSession", &watched)));
}

#[tokio::test(start_paused = true)]
async fn producer_that_does_not_read_kept_when_two_others_send_long_messages() {
    flood(4 * 1024, 64).await;
}

#[tokio::test(start_paused = true)]
async fn producer_that_does_not_read_kept_when_two_others_send_short_messages() {
    flood(1, 2 * MAX_MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn text_peer_that_sends_more_than_its_partner_reads_closed() {
    let server = server();
    let mut victim = websocket(&server, LOCALHOST, "/text", 256).await;
    let mut flooder = websocket(&server, LOCALHOST, "/text", 64 * 1024).await;
    for (peer, id) in [(&mut victim, "victim"), (&mut flooder, "flooder")] {
        let hello = Message::text(format!("HELLO {id}"));
        peer.send(hello).await.expect("sent");
        peer.next().await.expect("up").expect("an answer");
    }
    let session = Message::text("SESSION victim");
    flooder.send(session).await.expect("sent");
    flooder.next().await.expect("up").expect("an answer");
    let long = Message::text("m".repeat(1024));
    for _ in 0..2 * MAX_MESSAGES {
        // It is closed meanwhile.
        let _ = flooder.send(long.clone()).await;
    }
    let close = loop {
        match flooder.next().await.expect("a reason").expect("a reason") {
            Message::Close(Some(frame)) => break frame,
            Message::Close(None) => panic!("no reason"),
            _ => {}
        }
    };
    assert_eq!(u16::from(close.code), 1008);
    assert_eq!(close.reason, "more waits for a peer than it reads");
    // Its partner is closed for the end of the session, not for what it did not read.
    let close = loop {
        let message = victim.next().await.expect("a reason");
        if let Message::Close(frame) = message.expect("a reason") {
            break frame.expect("a reason");
        }
    };
    assert_eq!(u16::from(close.code), 1000);
}

#[tokio::test(start_paused = true)]
async fn producer_that_answers_many_calls_not_closed_for_its_messages() {
    const BURST: u32 = 60;
    let server = peer::server(Limits {
        peer_messages_per_second: 1,
        peer_message_burst: BURST,
        exempt_loopback: false,
        ..Limits::default()
    });
    let mut camera = Peer::connect(&server, LOCALHOST, 64 * 1024).await;
    let status = json!({"type": "setPeerStatus", "roles": ["producer"]});
    camera.send(status).await;
    let mut flooders = [
        Peer::connect(&server, LOCALHOST, 64 * 1024).await,
        Peer::connect(&server, LOCALHOST, 64 * 1024).await,
    ];
    // More answers than the camera may send of its own accord.
    for _ in 0..20 {
        for flooder in &mut flooders {
            let session = flooder.call(&camera.id).await;
            assert_eq!(camera.next().await["type"], "startSession");
            camera.send_candidate(&session, 10).await;
            camera
                .send(json!({"type": "endSession", "sessionId": session}))
                .await;
            assert_eq!(flooder.next().await["type"], "peer");
            assert_eq!(flooder.next().await["type"], "endSession");
        }
    }
    camera.send(json!({"type": "list"})).await;
    assert_eq!(camera.next().await["type"], "list");
    // The caller pays for answers above its own rate.
    let [flooder, _] = &mut flooders;
    let session = flooder.call(&camera.id).await;
    assert_eq!(camera.next().await["type"], "startSession");
    for _ in 0..=BURST {
        camera.send_candidate(&session, 10).await;
    }
    assert_eq!(camera.next().await["type"], "endSession");
    camera.send(json!({"type": "list"})).await;
    assert_eq!(camera.next().await["type"], "list");
}
