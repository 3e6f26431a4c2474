//! What the sink tells the application, and what the application may do meanwhile.

mod stage;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Once};

use gst::prelude::*;
use gstreamer as gst;
use stage::{AUDIO, Sender, VIDEO, wait};

#[test]
fn consumers_are_added_and_removed_once_each() {
    let sender = Sender::playing(VIDEO);
    let viewers: Vec<_> = (0..3).map(|_| sender.viewer()).collect();
    let mut expected = Vec::new();
    for viewer in &viewers {
        viewer.wait_frames(5);
        expected.push((viewer.peer(), viewer.session()));
    }
    let heard = |added: bool| {
        let consumers = sender.consumers().into_iter();
        let mut heard: Vec<_> = consumers
            .filter(|(is_added, ..)| *is_added == added)
            .map(|(_, peer, session)| (peer, session))
            .collect();
        heard.sort();
        heard
    };
    expected.sort();
    assert_eq!(heard(true), expected);
    assert_eq!(heard(false), []);
    let mut sessions = sender.sessions();
    sessions.sort();
    let mut all: Vec<_> = viewers.iter().map(stage::Viewer::session).collect();
    all.sort();
    assert_eq!(sessions, all);
    // One leaves, one vanishes, and the last is sent away.
    let mut viewers = viewers.into_iter();
    viewers.next().expect("three").leave();
    drop(viewers.next());
    sender.wait_sessions(1);
    sender.stop();
    assert!(sender.sessions().is_empty());
    assert_eq!(heard(true), expected);
    assert_eq!(heard(false), expected);
}

#[test]
fn statistics_have_each_session_and_grow() {
    let sender = Sender::playing(&format!("{VIDEO} {AUDIO}"));
    let viewer = sender.viewer();
    viewer.wait_frames(10);
    let session = viewer.session();
    let statistics = || sender.statistics(&session).expect("of that session");
    let counted = |name: &str| {
        let outbound = statistics().get::<gst::Structure>("wigwag-session-stats");
        outbound
            .expect("a part")
            .get::<u64>(name)
            .expect("a number")
    };
    let names = ["packets-sent", "bytes-sent", "frames-sent"];
    let before = names.map(counted);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    viewer.wait_frames(30);
    for (name, before) in names.into_iter().zip(before) {
        assert!(counted(name) > before, "{name}");
    }
    assert!(counted("key-frames-sent") >= 1);
    let consumer = statistics()
        .get::<gst::Structure>("consumer-stats")
        .expect("a part");
    let encoders = consumer
        .get::<gst::Array>("video-encoders")
        .expect("a list");
    assert_eq!(encoders.len(), 1, "sound is not counted: {encoders:?}");
    let encoder = encoders[0].get::<gst::Structure>().expect("a structure");
    assert_eq!(encoder.get::<&str>("codec-name"), Ok("VP8"));
    let said = encoder.get::<i32>("bitrate").expect("a number");
    assert!(said > 100_000, "{said}");
    let second = sender.viewer();
    second.wait_frames(5);
    let all = sender.sink.property::<gst::Structure>("stats");
    assert_eq!(all.n_fields(), 2, "{all}");
    viewer.leave();
    sender.wait_sessions(1);
    assert!(sender.statistics(&session).is_none());
    sender.stop();
    let all = sender.sink.property::<gst::Structure>("stats");
    assert_eq!(all.n_fields(), 0, "{all}");
}

#[test]
fn handlers_may_ask_the_sink_for_anything() {
    let sender = Sender::new("", VIDEO);
    let asked = Arc::new(Mutex::new(Vec::new()));
    for signal in ["consumer-added", "consumer-removed", "encoder-setup"] {
        let asked = Arc::clone(&asked);
        sender.sink.connect(signal, false, move |values| {
            let sink = values[0].get::<gst::Element>().expect("an element");
            let sessions = sink.emit_by_name::<Vec<String>>("get-sessions", &[]);
            let statistics = sink.property::<gst::Structure>("stats");
            let seen = (signal, sessions.len(), statistics.n_fields());
            asked.lock().expect("nobody panicked").push(seen);
            (signal == "encoder-setup").then(|| false.to_value())
        });
    }
    sender.play();
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    viewer.leave();
    sender.wait_sessions(0);
    let asked = || asked.lock().expect("nobody panicked").clone();
    wait("the last signal", || asked().len() == 3);
    let expected = [
        ("consumer-added", 1, 1),
        ("encoder-setup", 1, 1),
        ("consumer-removed", 0, 0),
    ];
    assert_eq!(asked(), expected);
    sender.assert_quiet();
}

#[test]
fn a_handler_may_stop_the_pipeline_by_another_thread() {
    let sender = Sender::new("", VIDEO);
    let (stopped, done) = channel();
    let pipeline = sender.pipeline.downgrade();
    sender.sink.connect("consumer-added", false, move |_| {
        let stopped = stopped.clone();
        let pipeline = pipeline.upgrade().expect("the test has it");
        pipeline.call_async(move |pipeline| {
            let _ = pipeline.set_state(gst::State::Null);
            // The test may be over.
            let _ = stopped.send(());
        });
        None
    });
    sender.play();
    let _viewer = sender.viewer();
    done.recv_timeout(stage::PATIENCE).expect("it stops");
    assert_eq!(sender.pipeline.current_state(), gst::State::Null);
    assert!(sender.sessions().is_empty());
}

#[test]
fn a_handler_may_stop_the_sink_where_it_is_called() {
    let sender = Sender::new("", VIDEO);
    let (stopped, done) = channel();
    let pipeline = sender.pipeline.downgrade();
    sender.sink.connect("consumer-added", false, move |_| {
        let pipeline = pipeline.upgrade().expect("the test has it");
        let _ = pipeline.set_state(gst::State::Null);
        // The test may be over.
        let _ = stopped.send(());
        None
    });
    sender.play();
    let _viewer = sender.viewer();
    done.recv_timeout(stage::PATIENCE).expect("it stops");
    sender.wait_sessions(0);
    wait("the consumer's end", || sender.consumers().len() == 2);
}

#[test]
fn a_handler_may_start_the_sink_again_where_it_is_called() {
    let sender = Sender::new("", VIDEO);
    let (restarted, done) = channel();
    let pipeline = sender.pipeline.downgrade();
    let once = Once::new();
    sender.sink.connect("consumer-added", false, move |_| {
        once.call_once(|| {
            let pipeline = pipeline.upgrade().expect("the test has it");
            for state in [gst::State::Null, gst::State::Playing] {
                let _ = pipeline.set_state(state);
            }
            // The test may be over.
            let _ = restarted.send(());
        });
        None
    });
    sender.play();
    let first = sender.viewer();
    done.recv_timeout(stage::PATIENCE).expect("it starts again");
    first.wait_end();
    // What is left of the first run is none of the second's business.
    let second = sender.persistent_viewer();
    let session = second.session();
    assert_eq!(sender.sessions(), std::slice::from_ref(&session));
    let statistics = sender.statistics(&session).expect("of that session");
    let outbound = statistics
        .get::<gst::Structure>("wigwag-session-stats")
        .expect("a part");
    assert!(outbound.get::<u64>("frames-sent").expect("a number") > 0);
    let signaller = sender.sink.property::<gst::glib::Object>("signaller");
    let id = signaller.property::<Option<String>>("client-id");
    assert!(id.is_some(), "it is still registered");
}
