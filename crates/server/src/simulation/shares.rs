//! What one address takes, and what is left for another: calls, memory, work for all listeners.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::in_memory::InMemoryServer;
use crate::limits::Limits;
use crate::simulation::peer::{Peer, server, text, websocket};

const SECOND: Duration = Duration::from_secs(1);

/// What may be on its way to a client.
const WINDOW: usize = 64 * 1024;

/// The address 192.0.2.`last`.
fn at(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

async fn connect(server: &InMemoryServer, last: u8) -> Peer {
    Peer::connect(server, at(last), WINDOW).await
}

async fn set_status(peer: &mut Peer, roles: &[&str], meta: &str) {
    peer.send(json!({"type": "setPeerStatus", "roles": roles, "meta": meta}))
        .await;
}

/// The code and the text with which a peer is closed.
async fn closed(peer: &mut Peer) -> (u16, String) {
    loop {
        match peer.socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Some(Ok(_)) => {}
            other => panic!("no close but {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn address_that_calls_a_camera_too_often_refused_and_not_closed() {
    let server = server(Limits::default());
    let mut camera = Peer::connect(&server, at(9), 4 << 20).await;
    set_status(&mut camera, &["producer"], "camera").await;
    let mut refused = 0;
    for _ in 0..2 {
        let mut caller = Peer::connect(&server, at(1), 1 << 20).await;
        for _ in 0..300 {
            let answer = caller.try_call(&camera.id).await;
            if answer["type"] == "error" {
                assert!(text(&answer, "details").starts_with("too many sessions"));
                refused += 1;
            }
        }
    }
    assert!(
        (150..=200).contains(&refused),
        "four hundred at once: {refused}"
    );
    let mut viewer = connect(&server, 2).await;
    let answer = viewer.try_call(&camera.id).await;
    assert_eq!(answer["type"], "sessionStarted");
}

#[tokio::test(start_paused = true)]
async fn peer_that_calls_many_too_often_refused_and_not_closed() {
    let server = server(Limits::default());
    let mut cameras = Vec::new();
    for _ in 0..4 {
        let mut camera = Peer::connect(&server, at(9), 4 << 20).await;
        set_status(&mut camera, &["producer"], "camera").await;
        cameras.push(camera);
    }
    let mut caller = Peer::connect(&server, at(1), 1 << 20).await;
    for call in 0..1_000 {
        let answer = caller.try_call(&cameras[call % 4].id).await;
        assert_eq!(answer["type"], "sessionStarted", "{call}");
    }
    let answer = caller.try_call(&cameras[0].id).await;
    assert_eq!(answer["type"], "error");
    let mut viewer = connect(&server, 2).await;
    let answer = viewer.try_call(&cameras[0].id).await;
    assert_eq!(answer["type"], "sessionStarted");
}

/// A beginning of a message, which never ends.
async fn send_fragment(peer: &mut Peer, first: bool, bytes: usize) -> bool {
    let data = if first { Data::Text } else { Data::Continue };
    let frame = Frame::message(vec![b'x'; bytes], OpCode::Data(data), false);
    peer.socket.send(Message::Frame(frame)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn messages_that_never_end_are_counted_and_close_their_senders() {
    let server = server(Limits {
        max_held_bytes: 16 << 20,
        ..Limits::default()
    });
    let mut camera = connect(&server, 9).await;
    set_status(&mut camera, &["producer"], "camera").await;
    let mut ended = 0;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut peer = connect(&server, 1).await;
        let mut is_open = true;
        for fragment in 0..9 {
            is_open = is_open && send_fragment(&mut peer, fragment == 0, 100_000).await;
            let pong = Message::Pong(Vec::new().into());
            is_open = is_open && peer.socket.send(pong).await.is_ok();
        }
        let end = timeout(SECOND, closed(&mut peer)).await;
        if let Ok((code, reason)) = end {
            assert_eq!(code, 1013, "{reason}");
            assert!(reason.contains("memory"), "{reason}");
            ended += 1;
        } else {
            held.push(peer);
        }
    }
    // What came is in a buffer that may be twice as long.
    assert!(held.len() <= 2, "an eighth of 16 MiB: {}", held.len());
    assert!(ended >= 18);
    // Another address sends a long answer all the same.
    let mut viewer = connect(&server, 2).await;
    let session = viewer.call(&camera.id).await;
    let answer = json!({"type": "answer", "sdp": "s".repeat(500_000)});
    viewer
        .send(json!({"type": "peer", "sessionId": session, "sdp": answer}))
        .await;
    assert_eq!(camera.next().await["type"], "startSession");
    assert_eq!(camera.next().await["type"], "peer");
}

#[tokio::test(start_paused = true)]
async fn frames_without_content_close_their_sender() {
    let server = server(Limits::default());
    let mut peer = connect(&server, 1).await;
    let mut camera = connect(&server, 2).await;
    let mut frames = 0_u32;
    let mut first = true;
    let (code, _) = loop {
        for _ in 0..1_000 {
            frames += 1;
            if !send_fragment(&mut peer, first, 0).await {
                break;
            }
            first = false;
        }
        // Others are served in between.
        camera.send(json!({"type": "list"})).await;
        assert_eq!(camera.next().await["type"], "list");
        if let Ok(closed) = timeout(Duration::from_millis(1), closed(&mut peer)).await {
            break closed;
        }
        assert!(frames < 1_000_000, "it is never closed");
    };
    assert_eq!(code, 1009);
}

#[tokio::test(start_paused = true)]
async fn peers_that_send_to_one_of_their_own_that_does_not_read_hold_their_share_alone() {
    let server = server(Limits {
        max_held_bytes: 8 << 20,
        ..Limits::default()
    });
    let mut pairs = Vec::new();
    for _ in 0..20 {
        let mut deaf = Peer::connect(&server, at(1), 1024).await;
        set_status(&mut deaf, &["producer"], "x").await;
        let mut sender = connect(&server, 1).await;
        let session = sender.call(&deaf.id).await;
        for _ in 0..30 {
            let ice = json!({"candidate": "c".repeat(100_000), "sdpMLineIndex": 0});
            let message = json!({"type": "peer", "sessionId": session, "ice": ice});
            // It may be closed for what it sends in parts.
            let _ = sender.socket.send(Message::text(message.to_string())).await;
        }
        pairs.push((deaf, sender));
    }
    let waiting: usize = server.waiting().iter().map(|waiting| waiting.bytes).sum();
    assert!(waiting < 2 << 20, "{waiting} bytes wait");
    drop(pairs);
}

#[tokio::test(start_paused = true)]
async fn long_messages_that_are_being_written_count_as_held() {
    let server = server(Limits {
        max_held_bytes: 8 << 20,
        ..Limits::default()
    });
    let mut pairs = Vec::new();
    let mut ended = 0;
    for number in 0..20 {
        // One address does not read, others send to it.
        let mut deaf = Peer::connect(&server, at(1), 1024).await;
        set_status(&mut deaf, &["producer"], "x").await;
        let mut sender = connect(&server, 100 + number).await;
        let session = sender.call(&deaf.id).await;
        let ice = json!({"candidate": "c".repeat(300_000), "sdpMLineIndex": 0});
        let message = json!({"type": "peer", "sessionId": session, "ice": ice});
        sender.send(message).await;
        sender.send(json!({"type": "list"})).await;
        ended += u32::from(sender.next().await["type"] == "endSession");
        pairs.push((deaf, sender));
    }
    assert!(
        (16..19).contains(&ended),
        "{ended}: an eighth of 8 MiB is three"
    );
}

#[tokio::test(start_paused = true)]
async fn status_changes_of_one_address_wait_those_of_another_do_not() {
    let server = server(Limits::default());
    let mut listeners = Vec::new();
    for _ in 0..200 {
        let mut listener = Peer::connect(&server, at(9), 8 << 20).await;
        set_status(&mut listener, &["listener"], "x").await;
        listeners.push(listener);
    }
    let mut flooder = Peer::connect(&server, at(1), 1 << 20).await;
    let begin = Instant::now();
    for change in 0..250 {
        set_status(&mut flooder, &["producer"], &format!("flood {change}")).await;
    }
    let mut camera = connect(&server, 2).await;
    let asked = Instant::now();
    set_status(&mut camera, &["producer"], "camera").await;
    camera.send(json!({"type": "list"})).await;
    camera.next().await;
    assert!(asked.elapsed() < SECOND / 10, "{:?}", asked.elapsed());
    // It is not closed, and all its changes come, at five a second.
    let listener = listeners.last_mut().expect("200");
    while listener.next().await["meta"] != "flood 249" {}
    let took = begin.elapsed();
    assert!((35 * SECOND..45 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn status_that_says_the_same_again_not_announced() {
    let server = server(Limits::default());
    let mut listener = connect(&server, 1).await;
    set_status(&mut listener, &["listener"], "x").await;
    assert_eq!(listener.next().await["type"], "peerStatusChanged");
    let mut camera = connect(&server, 2).await;
    for name in ["door", "door", "door", "yard"] {
        set_status(&mut camera, &["producer"], name).await;
    }
    assert_eq!(listener.next().await["meta"], "door");
    assert_eq!(listener.next().await["meta"], "yard");
}

#[tokio::test(start_paused = true)]
async fn long_messages_arrive_in_order_among_short_ones_and_pongs() {
    let server = server(Limits::default());
    let mut camera = Peer::connect(&server, at(1), 3_000).await;
    set_status(&mut camera, &["producer"], "camera").await;
    let mut viewer = connect(&server, 2).await;
    let session = viewer.call(&camera.id).await;
    assert_eq!(camera.next().await["type"], "startSession");
    let sending = async {
        for number in 0..60_usize {
            let length = if number % 3 == 0 { 100_000 } else { number };
            let ice = json!({"candidate": "c".repeat(length), "sdpMLineIndex": number});
            viewer
                .send(json!({"type": "peer", "sessionId": session, "ice": ice}))
                .await;
        }
    };
    let (mut to_server, mut from_server) = camera.socket.split();
    let pinging = async {
        for _ in 0..60 {
            let ping = Message::Ping(vec![1; 100].into());
            to_server.send(ping).await.expect("sent");
        }
    };
    let receiving = async {
        let mut pongs = 0;
        let mut number = 0;
        while number < 60 || pongs == 0 {
            let message = from_server.next().await.expect("up").expect("a message");
            match message {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(message["ice"]["sdpMLineIndex"], number);
                    number += 1;
                }
                Message::Pong(_) => pongs += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(sending, pinging, receiving);
}

#[tokio::test(start_paused = true)]
async fn comings_and_goings_in_a_large_room_wait_those_in_another_do_not() {
    let server = server(Limits::default());
    let mut next = 0;
    let mut enter = async |last: u8, room: &str| {
        next += 1;
        let mut peer = TextPeer::connect(&server, last, &format!("p{next}")).await;
        peer.say(&format!("ROOM {room}")).await;
        peer
    };
    let mut members = Vec::new();
    for _ in 0..400 {
        members.push(enter(9, "large").await);
    }
    // Each of the last two hundred was announced to 200 and more; their own budgets are not touched.
    let mut asking = enter(1, "large").await;
    let begin = Instant::now();
    for _ in 0..20 {
        asking.say("ROOM_PEER_LIST").await;
    }
    let mut other = enter(2, "small").await;
    let asked = Instant::now();
    other.say("ROOM_PEER_LIST").await;
    other.next_that_begins("ROOM_PEER_LIST").await;
    assert!(asked.elapsed() < SECOND / 10);
    for _ in 0..20 {
        asking.next_that_begins("ROOM_PEER_LIST").await;
    }
    assert!(begin.elapsed() < 5 * SECOND, "nobody is closed for it");
}

struct TextPeer(WebSocketStream<DuplexStream>);

impl TextPeer {
    async fn connect(server: &InMemoryServer, last: u8, id: &str) -> Self {
        let mut peer = Self(websocket(server, at(last), "/text", 1 << 20).await);
        peer.say(&format!("HELLO {id}")).await;
        peer.next_that_begins("HELLO").await;
        peer
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sent");
    }

    async fn next_that_begins(&mut self, beginning: &str) {
        loop {
            let message = self.0.next().await.expect("up").expect("a message");
            if message
                .to_text()
                .is_ok_and(|text| text.starts_with(beginning))
            {
                return;
            }
        }
    }
}
