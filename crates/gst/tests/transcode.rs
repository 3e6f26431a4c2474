//! What comes encoded and cannot be shown as it comes, or not soon.

mod stage;

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use stage::{Answering, Call, PATIENCE, Sender, Viewer, free_port, holds_within, sdp, wait};
use wigwag_receiver::StreamKind;

const RAW: &str = "videotestsrc is-live=true pattern=ball motion=sweep \
    ! video/x-raw,format=I420,width=320,height=240,framerate=20/1";

/// Streams that browsers show wrong or not at all, and the reason as it is said.
const UNSHOWABLE: [(&str, &str); 5] = [
    (
        "x264enc bframes=3 b-adapt=false speed-preset=ultrafast key-int-max=20 rc-lookahead=1 sync-lookahead=0 \
         ! video/x-h264,profile=main",
        "B-frames",
    ),
    (
        "videoconvert ! video/x-raw,format=Y444 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 \
         ! video/x-h264,profile=high-4:4:4",
        "4:2:0",
    ),
    (
        "videoconvert ! video/x-raw,format=I420_10LE ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 \
         ! video/x-h264,profile=high-10",
        "8 bits",
    ),
    (
        "capssetter caps=video/x-raw,interlace-mode=interleaved \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 interlaced=true ! video/x-h264,profile=high",
        "interlaced",
    ),
    (
        "capssetter caps=video/x-raw,pixel-aspect-ratio=16/11 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 ! video/x-h264,profile=high",
        "square",
    ),
];

/// H.264 whose key frames are so many pictures apart, by a network that lets no wish through to its encoder.
fn by_network(pictures: u32) -> String {
    let port = free_port();
    format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={pictures} \
         option-string=keyint={pictures}:min-keyint={pictures}:scenecut=0 \
         ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 \
         ! udpsink host=127.0.0.1 port={port} sync=false \
         udpsrc address=127.0.0.1 port={port} \
         caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264 \
         ! rtph264depay ! h264parse ! queue ! s."
    )
}

/// The codec of the picture, as statistics of a session name it.
fn codec(sender: &Sender, viewer: &Viewer) -> Option<String> {
    let session = sender.statistics(&viewer.session())?;
    let codec = session.get::<gst::Structure>("codec-stats-video_0");
    codec.ok()?.get("mime-type").ok()
}

#[test]
fn stream_that_not_every_viewer_shows_is_encoded_anew() {
    for (encoded, reason) in UNSHOWABLE {
        let sender = Sender::playing(&format!("{RAW} ! {encoded} ! queue ! s."));
        let viewer = sender.viewer();
        viewer.wait_frames(30);
        assert_eq!(
            codec(&sender, &viewer).as_deref(),
            Some("video/VP8"),
            "{reason}"
        );
        sender.assert_quiet();
    }
}

#[test]
fn without_transcoding_such_a_stream_is_passed_through_with_a_warning_of_the_reason() {
    for (encoded, reason) in UNSHOWABLE {
        let sources = format!("{RAW} ! {encoded} ! queue ! s.");
        let sender = Sender::playing_with("transcode=never", &sources);
        let warned = holds_within(PATIENCE, || !sender.warnings().is_empty());
        assert!(warned, "not a word of {reason}");
        let warnings = sender.warnings();
        assert!(
            warnings[0].contains("video_0") && warnings[0].contains(reason),
            "{warnings:?}"
        );
        assert!(sender.encoders().is_empty());
    }
}

#[test]
fn stream_that_cannot_be_encoded_anew_is_passed_through_with_a_warning_of_the_cause() {
    let (encoded, reason) = UNSHOWABLE[0];
    let sources = format!("{RAW} ! {encoded} ! queue ! s.");
    let sender = Sender::playing_with("video-caps=video/x-vp9", &sources);
    wait("a warning", || !sender.warnings().is_empty());
    let warning = &sender.warnings()[0];
    assert!(
        warning.contains(reason) && warning.contains("neither VP8 nor H.264"),
        "{warning}"
    );
    sender.viewer().wait_frames(10);
}

#[test]
fn viewer_that_refuses_the_codec_gets_another_and_those_who_take_it_do_not() {
    let h264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 ! video/x-h264,profile=high";
    let sender = Sender::playing(&format!("{RAW} ! {h264} ! queue ! s."));
    let call = Call {
        answering: Answering::As(|answer| sdp::only(answer, "VP8")),
        ..Call::default()
    };
    let without = Viewer::call(&sender.url, call);
    let with = sender.viewer();
    without.wait_frames(30);
    with.wait_frames(30);
    assert_eq!(codec(&sender, &without).as_deref(), Some("video/VP8"));
    assert_eq!(codec(&sender, &with).as_deref(), Some("video/H264"));
    assert_eq!(sender.encoder_names(), ["vp8enc"]);
    sender.assert_quiet();
}

#[test]
fn viewer_between_distant_key_frames_sees_a_picture_and_then_what_comes() {
    let sender = Sender::playing(&by_network(240));
    // The first is no key frame; the source's next is up to eight seconds away.
    let viewer = sender.persistent_viewer();
    viewer.wait_frames(30);
    wait("the source's own picture", || {
        codec(&sender, &viewer).as_deref() == Some("video/H264")
    });
    viewer.wait_frames(30);
    wait("the encoder's end", || {
        let encoders = sender.encoders();
        encoders[0].encoder.current_state() == gst::State::Null
    });
    sender.assert_quiet();
}

#[test]
fn viewers_of_a_source_without_key_frames_see_it_encoded_anew() {
    let sender = Sender::playing(&by_network(100_000));
    let first = sender.persistent_viewer();
    first.wait_frames(60);
    let second = sender.persistent_viewer();
    second.wait_frames(60);
    for viewer in [&first, &second] {
        assert_eq!(codec(&sender, viewer).as_deref(), Some("video/VP8"));
    }
    assert_eq!(sender.encoder_names(), ["vp8enc"]);
    sender.assert_quiet();
}

#[test]
fn b_frames_that_begin_late_are_noticed_while_viewers_watch() {
    // Two streams in a row, as a camera that is set otherwise makes them.
    let part = |bframes: u32, pictures: u32| {
        format!(
            "videotestsrc is-live=true num-buffers={pictures} pattern=ball \
             ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
             ! x264enc bframes={bframes} b-adapt=false speed-preset=ultrafast key-int-max=15 rc-lookahead=1 \
             sync-lookahead=0 ! video/x-h264,profile=main,stream-format=byte-stream ! h264parse ! c. "
        )
    };
    let sources = format!(
        "concat name=c ! capssetter join=false replace=true \
         caps=video/x-h264,stream-format=byte-stream,alignment=au,profile=main ! identity single-segment=true \
         ! queue ! s. {} {}",
        part(0, 120),
        part(2, 100_000)
    );
    let sender = Sender::playing(&sources);
    let viewer = sender.persistent_viewer();
    viewer.wait_frames(30);
    assert_eq!(codec(&sender, &viewer).as_deref(), Some("video/H264"));
    let time = Duration::from_secs(20);
    let changed = holds_within(time, || {
        codec(&sender, &viewer).as_deref() == Some("video/VP8")
    });
    assert!(changed, "{:?}", sender.posted());
    viewer.wait_frames(30);
}

#[test]
fn source_that_comes_back_raw_is_encoded_for_those_who_watch_and_for_new_viewers() {
    let picture =
        "is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1";
    for encoder in [
        "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=constrained-baseline",
        "vp8enc deadline=1 keyframe-max-dist=15",
    ] {
        let sources = format!(
            "concat name=c ! identity single-segment=true ! queue ! s. \
             videotestsrc num-buffers=120 {picture} ! {encoder} ! c. videotestsrc {picture} ! c."
        );
        let sender = Sender::playing(&sources);
        let viewer = sender.persistent_viewer();
        viewer.wait_frames(30);
        assert!(sender.encoders().is_empty(), "{encoder} is passed through");
        wait("an encoder", || !sender.encoders().is_empty());
        viewer.wait_frames(30);
        sender.viewer().wait_frames(30);
        sender.assert_quiet();
    }
}

#[test]
fn g711_of_another_rate_than_telephones_have_is_encoded_anew() {
    let sender = Sender::playing(
        "audiotestsrc is-live=true ! audio/x-raw,rate=16000,channels=1 ! alawenc ! queue ! s.",
    );
    let viewer = sender.viewer();
    wait("sound", || {
        let sound = viewer.streams(StreamKind::Audio);
        sound.first().is_some_and(|sound| sound.frames >= 50)
    });
    assert_eq!(sender.encoder_names(), ["opusenc"]);
    sender.assert_quiet();
}
