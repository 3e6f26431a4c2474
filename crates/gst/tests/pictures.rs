//! What viewers get: pictures and sound, whoever offers, whatever becomes of the pads.

mod stage;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use stage::{AUDIO, Call, Calling, Sender, VIDEO, Viewer, wait};
use wigwag_receiver::StreamKind;

/// Pictures of three seconds.
const PICTURES: u64 = 90;

/// One can begin with the first picture, they come as fast as they are made, and none is missing.
fn assert_moving(viewer: &Viewer) {
    wait("the first picture", || viewer.frames() > 0);
    assert!(viewer.key_frames() > 0, "{:?}", viewer.report());
    let (before, begin) = (viewer.frames(), Instant::now());
    viewer.wait_frames(PICTURES);
    let seconds = begin.elapsed().as_secs_f64();
    let rate = (viewer.frames() - before) as f64 / seconds;
    // A busy machine makes fewer; nothing makes more.
    assert!((15.0..36.0).contains(&rate), "{rate} pictures a second");
    let video = &viewer.streams(StreamKind::Video)[0];
    assert_eq!(video.missing, 0, "{video:?}");
}

#[test]
fn pictures_move_when_the_sink_offers() {
    let sender = Sender::playing(VIDEO);
    let viewer = sender.viewer();
    assert_moving(&viewer);
    assert_eq!(viewer.report().streams.len(), 1);
    sender.assert_quiet();
}

#[test]
fn pictures_move_when_the_viewer_offers() {
    let sender = Sender::playing(&format!("{VIDEO} {AUDIO}"));
    let call = Call {
        calling: Calling::Offers(vec![StreamKind::Video, StreamKind::Audio]),
        ..Call::default()
    };
    let viewer = Viewer::call(&sender.url, call);
    assert_moving(&viewer);
    wait("sound", || {
        let sound = viewer.streams(StreamKind::Audio);
        sound.first().is_some_and(|sound| sound.frames >= 50)
    });
    sender.assert_quiet();
}

#[test]
fn three_pads_are_three_streams_of_one_session() {
    let sender = Sender::playing(&format!("{VIDEO} {VIDEO} {AUDIO}"));
    let viewer = sender.viewer();
    wait("all streams", || {
        let report = viewer.report();
        report.streams.len() == 3 && report.streams.iter().all(|stream| stream.frames >= 30)
    });
    assert_eq!(viewer.streams(StreamKind::Video).len(), 2);
    assert_eq!(viewer.streams(StreamKind::Audio).len(), 1);
    assert_eq!(sender.sessions().len(), 1);
    let mut pads: Vec<_> = sender.encoders().into_iter().map(|made| made.pad).collect();
    pads.sort();
    assert_eq!(pads, ["audio_0", "video_0", "video_1"]);
    sender.assert_quiet();
}

#[test]
fn another_size_in_mid_stream_goes_on_for_the_viewer() {
    let sources = "videotestsrc is-live=true pattern=ball \
        ! capsfilter name=size caps=video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
        ! queue ! s.";
    let sender = Sender::playing(sources);
    let viewers = [Some("VP8"), Some("H264")].map(|only| {
        let call = Call {
            only,
            ..Call::default()
        };
        Viewer::call(&sender.url, call)
    });
    for viewer in &viewers {
        viewer.wait_frames(15);
    }
    let size = sender.pipeline.by_name("size").expect("it is named so");
    for (width, height) in [(640, 480), (160, 120), (321, 241)] {
        let keys = viewers.each_ref().map(Viewer::key_frames);
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", width)
            .field("height", height)
            .field("framerate", gst::Fraction::new(30, 1))
            .build();
        size.set_property("caps", caps);
        for (viewer, keys) in viewers.iter().zip(keys) {
            wait("a key frame of the new size", || viewer.key_frames() > keys);
            viewer.wait_frames(30);
        }
        assert_eq!(sender.encoders().len(), 2, "{:?}", sender.posted());
        for made in sender.encoders() {
            let pad = made
                .encoder
                .static_pad("src")
                .expect("every encoder has it");
            let made = pad.current_caps().expect("it encodes");
            let made = made.structure(0).expect("not empty");
            // H.264 is encoded in even sizes only.
            let odd = if made.name() == "video/x-h264" { 1 } else { 0 };
            assert_eq!(made.get::<i32>("width"), Ok(width & !odd));
            assert_eq!(made.get::<i32>("height"), Ok(height & !odd));
        }
    }
    assert!(sender.errors().is_empty(), "{:?}", sender.posted());
}

#[test]
fn a_new_pad_is_for_the_next_viewer_too_when_another_was_released() {
    let sources = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 \
        ! tee name=t allow-not-linked=true ! queue ! s.";
    let sender = Sender::playing(sources);
    let first = sender.viewer();
    first.wait_frames(10);
    let old = sender.sink.static_pad("video_0").expect("requested");
    unlink_between_buffers(&old);
    sender.sink.release_request_pad(&old);
    assert!(sender.sink.static_pad("video_0").is_none());
    let new = sender
        .sink
        .request_pad_simple("video_%u")
        .expect("a new pad");
    assert_ne!(new.name(), "video_0", "a name is used once");
    let tee = sender.pipeline.by_name("t").expect("it is named so");
    let fresh = gst::ElementFactory::make("queue").build().expect("a queue");
    sender.pipeline.add(&fresh).expect("another queue");
    fresh.sync_state_with_parent().expect("it plays");
    fresh
        .static_pad("src")
        .expect("a pad")
        .link(&new)
        .expect("linked");
    tee.link(&fresh).expect("linked");
    // Until the caps of the new pad are known there is nothing to offer.
    let second = sender.persistent_viewer();
    second.wait_frames(30);
    assert!(sender.errors().is_empty(), "{:?}", sender.posted());
    let pads: Vec<_> = sender.encoders().into_iter().map(|made| made.pad).collect();
    assert!(pads.contains(&new.name().to_string()), "{pads:?}");
}

/// As applications must: a buffer on its way into a pad that goes is refused, and that stops the source for good.
fn unlink_between_buffers(sink: &gst::Pad) {
    let peer = sink.peer().expect("linked");
    let (unlinked, wait) = mpsc::channel();
    let sink = sink.clone();
    peer.add_probe(gst::PadProbeType::IDLE, move |peer, _| {
        peer.unlink(&sink).expect("linked");
        // The test may have given up.
        let _ = unlinked.send(());
        gst::PadProbeReturn::Remove
    });
    wait.recv_timeout(Duration::from_secs(20))
        .expect("the pad comes to rest");
}

#[test]
fn what_comes_encoded_is_forwarded_and_a_key_frame_is_asked_of_upstream() {
    let sources = "videotestsrc is-live=true \
        ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
        ! x264enc name=upstream tune=zerolatency speed-preset=ultrafast key-int-max=100000 \
        ! video/x-h264,profile=constrained-baseline ! h264parse ! queue ! s.";
    let sender = Sender::playing(sources);
    for _ in 0..2 {
        let viewer = sender.viewer();
        wait("a connection", || viewer.report().connected_after.is_some());
        let came = stage::holds_within(Duration::from_secs(1), || viewer.key_frames() > 0);
        assert!(came, "no key frame within a second: {:?}", viewer.report());
        viewer.wait_frames(30);
        assert_eq!(viewer.streams(StreamKind::Video)[0].missing, 0);
        viewer.leave();
        sender.wait_sessions(0);
    }
    assert!(sender.encoders().is_empty(), "nothing is encoded again");
    sender.assert_quiet();
}
