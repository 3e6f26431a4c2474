//! Sessions beyond the limits of a sink are refused or end with a reason, and the others notice nothing.

mod stage;

use std::net::TcpStream;
use std::time::Instant;

use stage::{Call, Calling, Sender, VIDEO, Viewer};
use tungstenite::WebSocket;
use tungstenite::stream::MaybeTlsStream;
use wigwag_protocol::json::{ClientMessage, PeerId, ProtocolVersion, ServerMessage};
use wigwag_receiver::StreamKind;

#[test]
fn viewers_beyond_the_limit_are_refused_with_a_reason() {
    let sender = Sender::playing_with("max-consumers=2", VIDEO);
    let first = sender.viewer();
    let second = sender.viewer();
    first.wait_frames(5);
    second.wait_frames(5);
    let offering = Call {
        calling: Calling::Offers(vec![StreamKind::Video]),
        ..Call::default()
    };
    for call in [Call::default(), offering] {
        let third = Viewer::call(&sender.url, call);
        let reason = third.wait_end();
        assert!(reason.contains("as many viewers as may be"), "{reason}");
    }
    // Who was refused was never a consumer.
    assert_eq!(sender.consumers().len(), 2);
    assert_eq!(sender.sessions().len(), 2);
    // One goes, another comes.
    second.leave();
    stage::wait("its place is free", || sender.sessions().len() == 1);
    let fourth = sender.viewer();
    fourth.wait_frames(5);
    first.wait_frames(30);
    let video = &first.streams(StreamKind::Video)[0];
    assert_eq!(video.missing, 0, "{video:?}");
    sender.assert_quiet();
}

#[test]
fn a_sink_that_starts_again_has_all_its_room() {
    let sender = Sender::playing_with("max-consumers=1", VIDEO);
    for _ in 0..2 {
        let viewer = sender.persistent_viewer();
        viewer.wait_frames(5);
        sender.stop();
        sender.play();
    }
}

/// A peer that calls the producer so many times, and says nothing more.
struct Caller {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
}

impl Caller {
    fn call(url: &str, calls: usize) -> Self {
        let (socket, _) = tungstenite::connect(url).expect("a server");
        let mut caller = Self { socket };
        let version = ProtocolVersion::V1_1;
        caller.say(&ClientMessage::SetProtocolVersion { version });
        let peer_id = caller.producer();
        for _ in 0..calls {
            let (peer_id, offer) = (peer_id.clone(), None);
            caller.say(&ClientMessage::StartSession { peer_id, offer });
        }
        caller
    }

    fn producer(&mut self) -> PeerId {
        let end = Instant::now() + stage::PATIENCE;
        loop {
            self.say(&ClientMessage::List);
            while Instant::now() < end {
                if let ServerMessage::List { producers } = self.hear() {
                    match producers.first() {
                        Some(producer) => return producer.id.clone(),
                        None => break,
                    }
                }
            }
            assert!(Instant::now() < end, "nobody sends");
        }
    }

    /// The reason that is given for the end of a session.
    fn hear_end(&mut self) -> String {
        loop {
            if let ServerMessage::EndSessionV1_1 { error, .. } = self.hear() {
                return error.unwrap_or_default();
            }
        }
    }

    fn hear(&mut self) -> ServerMessage {
        let message = self.socket.read().expect("the server is there");
        let text = message.to_text().expect("text");
        ServerMessage::from_json(text).expect("a message of the server")
    }

    fn say(&mut self, message: &ClientMessage) {
        let message = tungstenite::Message::text(message.to_json());
        self.socket.send(message).expect("the server is there");
    }
}

#[test]
fn calls_that_are_never_answered_keep_nobody_out() {
    /// Of all peers together.
    const MOST: usize = 256;
    let sender = Sender::playing(VIDEO);
    let first = sender.viewer();
    first.wait_frames(5);
    let mut callers: Vec<_> = (0..MOST + 20)
        .map(|_| Caller::call(&sender.url, 1))
        .collect();
    let reason = callers[0].hear_end();
    assert!(reason.contains("too many others"), "{reason}");
    sender.wait_sessions(1 + MOST);
    let honest = sender.viewer();
    honest.wait_frames(5);
    let video = &first.streams(StreamKind::Video)[0];
    assert_eq!(video.missing, 0, "{video:?}");
    sender.assert_quiet();
}

#[test]
fn peer_that_calls_again_and_again_has_two_sessions_that_wait() {
    let sender = Sender::playing(VIDEO);
    let mut caller = Caller::call(&sender.url, 10);
    for _ in 0..8 {
        let reason = caller.hear_end();
        assert!(reason.contains("called again"), "{reason}");
    }
    sender.wait_sessions(2);
    sender.viewer().wait_frames(5);
    sender.assert_quiet();
}
