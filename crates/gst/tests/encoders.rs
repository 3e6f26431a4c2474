//! Which encoders run, and how they are set up.

mod stage;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use stage::{AUDIO, Call, Sender, VIDEO, Viewer, sdp};
use wigwag_media::audience::LINGER;

fn only(sender: &Sender, codec: &'static str) -> Viewer {
    let call = Call {
        only: Some(codec),
        ..Call::default()
    };
    Viewer::call(&sender.url, call)
}

fn bitrate(encoder: &gst::Element) -> i32 {
    encoder.property("target-bitrate")
}

/// The rate of the one encoder of a sink with these properties, once pictures come.
fn first_bitrate(properties: &str) -> (Sender, Viewer, gst::Element) {
    let properties = format!("video-caps=video/x-vp8 {properties}");
    let sender = Sender::playing_with(&properties, VIDEO);
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    let encoder = sender.encoders()[0].encoder.clone();
    (sender, viewer, encoder)
}

#[test]
fn third_codec_is_refused_in_words_unless_the_viewer_takes_one_that_runs() {
    let sender = Sender::playing(VIDEO);
    let viewers = ["H264", "VP9"].map(|codec| only(&sender, codec));
    for viewer in &viewers {
        viewer.wait_frames(5);
    }
    let reason = only(&sender, "AV1").wait_end();
    assert!(
        reason.contains("as many codecs as may be at once"),
        "{reason}"
    );
    assert!(reason.contains("H.264 and VP9"), "{reason}");
    let third = sender.viewer();
    third.wait_frames(5);
    assert_eq!(sender.encoders().len(), 2);
    // Every viewer has VP8 or H.264, and nobody is kept out by who asks for another codec.
    let [_, rare] = viewers;
    only(&sender, "VP8").wait_frames(5);
    let reason = rare.wait_end();
    assert!(reason.contains("gave way"), "{reason}");
    third.wait_frames(5);
}

#[test]
fn ten_viewers_share_one_encoder() {
    let sender = Sender::playing(&format!("{VIDEO} {AUDIO}"));
    let viewers: Vec<_> = (0..10).map(|_| sender.viewer()).collect();
    for viewer in &viewers {
        viewer.wait_frames(30);
    }
    let mut names = sender.encoder_names();
    names.sort();
    assert_eq!(names, ["opusenc", "vp8enc"]);
    assert_eq!(sender.sessions().len(), 10);
    sender.assert_quiet();
}

#[test]
fn two_codecs_are_two_encoders() {
    let sender = Sender::playing(VIDEO);
    let viewers = ["VP8", "H264", "VP8", "H264"].map(|codec| only(&sender, codec));
    for viewer in &viewers {
        viewer.wait_frames(30);
    }
    // Who takes both gets what runs.
    sender.viewer().wait_frames(10);
    let mut names = sender.encoder_names();
    names.sort();
    assert_eq!(names, ["vp8enc", "x264enc"]);
    sender.assert_quiet();
}

#[test]
fn without_viewers_no_encoder_runs_and_the_next_viewer_gets_a_new_one() {
    let sender = Sender::playing(VIDEO);
    let first = sender.viewer();
    first.wait_frames(10);
    let encoder = sender.encoders()[0].encoder.downgrade();
    first.leave();
    sender.wait_sessions(0);
    // Who comes back soon finds it running.
    let second = sender.viewer();
    second.wait_frames(10);
    assert_eq!(sender.encoders().len(), 1);
    second.leave();
    sender.wait_sessions(0);
    let encoder = encoder.upgrade().expect("this test still has it");
    let is_running = || encoder.current_state() > gst::State::Null;
    assert!(is_running(), "it is kept for a while");
    let stopped = stage::holds_within(LINGER + Duration::from_secs(10), || !is_running());
    assert!(stopped, "nobody watches, and it still runs");
    let third = sender.viewer();
    third.wait_frames(10);
    assert_eq!(sender.encoders().len(), 2);
    sender.assert_quiet();
}

#[test]
fn encoder_setup_names_who_caused_the_encoder() {
    let sender = Sender::playing(VIDEO);
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    let made = &sender.encoders()[0];
    assert_eq!(
        (made.peer.clone(), made.pad.as_str()),
        (viewer.peer(), "video_0")
    );
    // What the class handler sets unless told otherwise.
    assert_eq!(made.encoder.property::<i32>("keyframe-max-dist"), 2_000);
}

#[test]
fn what_the_application_set_up_stays_but_for_the_rate() {
    let sender = Sender::new("video-caps=video/x-vp8 start-bitrate=1000000", VIDEO);
    sender.sink.connect("encoder-setup", false, |values| {
        let encoder = values[3].get::<gst::Element>().expect("an element");
        encoder.set_property("keyframe-max-dist", 77i32);
        encoder.set_property("deadline", 1i64);
        encoder.set_property("target-bitrate", 123_456i32);
        Some(true.to_value())
    });
    sender.play();
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    let encoder = &sender.encoders()[0].encoder;
    assert_eq!(encoder.property::<i32>("keyframe-max-dist"), 77);
    // The defaults of the encoder, not ours.
    let fresh = gst::ElementFactory::make("vp8enc")
        .build()
        .expect("installed");
    for name in ["cpu-used", "buffer-size"] {
        assert_eq!(encoder.property::<i32>(name), fresh.property::<i32>(name));
    }
    assert!(bitrate(encoder) > 200_000, "{}", bitrate(encoder));
}

#[test]
fn without_congestion_control_encoders_run_at_the_highest_rate() {
    let properties = "congestion-control=disabled max-bitrate=700000 start-bitrate=200000";
    let (_sender, viewer, encoder) = first_bitrate(properties);
    assert_eq!(bitrate(&encoder), 700_000);
    viewer.wait_frames(60);
    assert_eq!(bitrate(&encoder), 700_000);
    assert!(
        sdp::lines(&viewer.description(), "a=rtcp-fb")
            .iter()
            .all(|line| !line.contains("transport-cc"))
    );
}

#[test]
fn the_first_rate_is_that_of_the_start_less_what_is_left_unused() {
    let sender = Sender::new("video-caps=video/x-vp8 start-bitrate=400000", VIDEO);
    let first = rates(&sender);
    sender.play();
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    // First that of the class handler, then what the estimate leaves: a tenth is not used.
    assert_eq!(first()[..2], [400_000, 360_000]);
}

#[test]
fn no_rate_is_above_the_highest() {
    let properties = "video-caps=video/x-vp8 start-bitrate=600000 max-bitrate=500000";
    let sender = Sender::new(properties, VIDEO);
    let rates = rates(&sender);
    sender.play();
    let viewer = sender.viewer();
    viewer.wait_frames(90);
    let rates = rates();
    assert_eq!(rates[..1], [500_000], "{rates:?}");
    assert!(rates.iter().all(|rate| *rate <= 500_000), "{rates:?}");
}

/// The rates that encoders are set to from now on.
fn rates(sender: &Sender) -> impl Fn() -> Vec<i32> {
    let rates = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&rates);
    sender.sink.connect("encoder-setup", false, move |values| {
        let encoder = values[3].get::<gst::Element>().expect("an element");
        let to = Arc::clone(&to);
        encoder.connect_notify(Some("target-bitrate"), move |encoder, _| {
            to.lock().expect("nobody panicked").push(bitrate(encoder));
        });
        Some(false.to_value())
    });
    move || rates.lock().expect("nobody panicked").clone()
}

#[test]
fn min_bitrate_holds_where_estimates_are_lower() {
    let properties = "start-bitrate=300000 min-bitrate=900000";
    let (_sender, viewer, encoder) = first_bitrate(properties);
    viewer.wait_frames(30);
    assert!(bitrate(&encoder) >= 900_000, "{}", bitrate(&encoder));
}

#[test]
fn retransmission_is_offered_unless_told_otherwise() {
    let offer = |properties: &str| {
        let sender = Sender::playing_with(properties, VIDEO);
        let viewer = sender.viewer();
        viewer.wait_frames(5);
        viewer.description().to_ascii_lowercase()
    };
    let with = offer("");
    assert!(
        with.contains("rtx/90000") && with.contains(" nack\r"),
        "{with}"
    );
    let without = offer("do-retransmission=false");
    let part = |part: &str| without.lines().any(|line| line.trim_end().ends_with(part));
    assert!(!without.contains("rtx") && !part(" nack"), "{without}");
    // Key frames can still be asked for.
    assert!(part("nack pli"), "{without}");
}

#[test]
fn encoder_that_makes_a_key_frame_at_each_change_of_its_rate_is_changed_seldom() {
    let properties = "video-caps=video/x-h265 start-bitrate=500000";
    let sender = Sender::playing_with(properties, VIDEO);
    let viewer = sender.viewer();
    viewer.wait_frames(10);
    let keys = viewer.key_frames();
    // Meanwhile the estimate for this path rises in many steps.
    viewer.wait_frames(300);
    let more = viewer.key_frames() - keys;
    assert!(more <= 2, "{more} in ten seconds");
    sender.assert_quiet();
}
