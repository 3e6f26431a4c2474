//! Starting and stopping, again and again, at any moment.

mod stage;

use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use stage::{AUDIO, Sender, VIDEO, Viewer, free_port};

/// How long stopping may take, whatever is going on.
const STOP: Duration = Duration::from_secs(2);

#[test]
fn a_sink_that_was_stopped_starts_again() {
    let sender = Sender::new("", &format!("{VIDEO} {AUDIO}"));
    for run in 1..=3 {
        sender.play();
        let viewers = [sender.viewer(), sender.viewer()];
        for viewer in &viewers {
            viewer.wait_frames(15);
        }
        let took = sender.stop();
        assert!(took < STOP, "{took:?}");
        for viewer in &viewers {
            let reason = viewer.wait_end();
            assert!(reason.contains("stops"), "{reason}");
        }
        assert!(sender.sessions().is_empty());
        assert_eq!(sender.consumers().len(), run * 4);
    }
    sender.assert_quiet();
}

#[test]
fn the_server_of_a_sink_starts_again_on_its_port() {
    let port = free_port();
    let properties = format!(
        "run-signalling-server=true signalling-server-host=127.0.0.1 signalling-server-port={port}"
    );
    let url = format!("ws://127.0.0.1:{port}/");
    let sender = Sender::without_server(&properties, VIDEO, url);
    for _ in 0..3 {
        sender.play();
        let viewer = sender.viewer();
        viewer.wait_frames(15);
        assert_eq!(greeting_in_the_text_protocol(port), "HELLO");
        let took = sender.stop();
        assert!(took < STOP, "{took:?}");
    }
    sender.assert_quiet();
}

/// What a server answers to a peer of the text protocol that introduces itself.
fn greeting_in_the_text_protocol(port: u16) -> String {
    let (mut peer, _) =
        tungstenite::connect(format!("ws://127.0.0.1:{port}/text")).expect("it is spoken there");
    peer.send("HELLO 17".into()).expect("it is taken");
    let answer = peer.read().expect("it answers");
    answer.into_text().expect("text").to_string()
}

#[test]
fn stopping_while_sessions_start_neither_hangs_nor_fails() {
    let sender = Sender::new("", &format!("{VIDEO} {AUDIO}"));
    // Other moments in each run of the test would make failures hard to find again.
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut viewers: Vec<Viewer> = Vec::new();
    for round in 0..20 {
        sender.play();
        let number = random.random_range(0..4);
        viewers = (0..number).map(|_| sender.viewer()).collect();
        thread::sleep(Duration::from_millis(random.random_range(0..200)));
        let took = sender.stop();
        assert!(took < STOP, "round {round}: {took:?}");
        assert!(sender.sessions().is_empty());
    }
    drop(viewers);
    sender.play();
    // The server may still list the producer of the last round, which has just left.
    sender.persistent_viewer().wait_frames(15);
    sender.assert_quiet();
}

#[test]
fn pausing_and_going_on_is_no_end() {
    use gst::prelude::*;
    use gstreamer as gst;

    let sender = Sender::playing(VIDEO);
    let viewer = sender.viewer();
    viewer.wait_frames(10);
    sender
        .pipeline
        .set_state(gst::State::Paused)
        .expect("it pauses");
    thread::sleep(Duration::from_millis(300));
    sender.play();
    viewer.wait_frames(30);
    assert!(!viewer.has_ended());
    assert_eq!(sender.encoders().len(), 1);
    sender.assert_quiet();
}
