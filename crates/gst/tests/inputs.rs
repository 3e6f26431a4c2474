//! What pads get: without times, in pieces, or nothing at all.

mod stage;

use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use stage::{PATIENCE, Sender, VIDEO, holds_within, wait};
use wigwag_receiver::StreamKind;

/// H.264 from an encoder, 30 pictures a second, behind an element that is named `last`.
const H264: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 \
    ! video/x-h264,profile=constrained-baseline ! h264parse ! identity name=last ! queue ! s.";

/// The same from what is no live source, and comes as fast as it is made.
const FILE: &str = "videotestsrc num-buffers=900 pattern=ball \
    ! video/x-raw,format=I420,width=160,height=120,framerate=30/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 \
    ! video/x-h264,profile=constrained-baseline ! h264parse ! identity name=last ! queue ! s.";

/// Changes the buffers that the element `last` lets through.
fn change_buffers(sender: &Sender, change: impl Fn(&mut gst::BufferRef) + Send + Sync + 'static) {
    let last = sender.pipeline.by_name("last").expect("it is named so");
    let pad = last.static_pad("src").expect("it has one");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            change(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
}

/// Fails unless some 30 pictures a second come for a while.
fn assert_pace(sender: &Sender) {
    let viewer = sender.persistent_viewer();
    let (before, begin) = (viewer.frames(), Instant::now());
    viewer.wait_frames(60);
    let rate = (viewer.frames() - before) as f64 / begin.elapsed().as_secs_f64();
    assert!((15.0..40.0).contains(&rate), "{rate} pictures a second");
}

#[test]
fn pictures_without_any_time_are_played_as_they_come() {
    let sender = Sender::new("", H264);
    change_buffers(&sender, |buffer| {
        buffer.set_pts(None);
        buffer.set_dts(None);
    });
    sender.play();
    assert_pace(&sender);
    sender.assert_quiet();
}

#[test]
fn raw_pictures_and_sound_without_any_time_are_played_as_they_come() {
    let sources = "videotestsrc is-live=true pattern=ball \
        ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! identity name=last ! queue ! s. \
        audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,format=S16LE,rate=48000,channels=2 \
        ! identity name=sound ! queue ! s.";
    let sender = Sender::new("", sources);
    let none = |buffer: &mut gst::BufferRef| {
        buffer.set_pts(None);
        buffer.set_dts(None);
    };
    change_buffers(&sender, none);
    let sound = sender.pipeline.by_name("sound").expect("it is named so");
    let sound = sound.static_pad("src").expect("it has one");
    sound.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            none(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    sender.play();
    assert_pace(&sender);
    let viewer = sender.viewer();
    wait("sound", || {
        let sound = viewer.streams(StreamKind::Audio);
        sound.first().is_some_and(|sound| sound.frames >= 100)
    });
    sender.assert_quiet();
}

#[test]
fn pictures_with_decoding_times_only_are_played_by_them() {
    let sender = Sender::new("", H264);
    change_buffers(&sender, |buffer| {
        let dts = buffer.dts().or_else(|| buffer.pts());
        buffer.set_pts(None);
        buffer.set_dts(dts);
    });
    sender.play();
    assert_pace(&sender);
    sender.assert_quiet();
}

#[test]
fn a_file_without_times_is_played_at_its_frame_rate() {
    let sender = Sender::new("", FILE);
    change_buffers(&sender, |buffer| {
        buffer.set_pts(None);
        buffer.set_dts(None);
    });
    sender.play();
    assert_pace(&sender);
    sender.assert_quiet();
}

#[test]
fn times_of_which_none_can_be_played_are_warned_of_with_the_remedy() {
    let sender = Sender::new("", FILE);
    change_buffers(&sender, |buffer| {
        let hour = gst::ClockTime::from_seconds(3_600);
        buffer.set_pts(buffer.pts().map(|time| time + hour));
        buffer.set_dts(None);
    });
    sender.play();
    let warned = holds_within(PATIENCE, || !sender.warnings().is_empty());
    assert!(warned, "not a word");
    let warning = &sender.warnings()[0];
    for part in ["video_0", "ahead of the pipeline's clock", "do-timestamp"] {
        assert!(warning.contains(part), "{warning}");
    }
    assert!(sender.errors().is_empty(), "{:?}", sender.posted());
}

#[test]
fn a_pad_without_data_is_named_and_does_not_keep_the_other_from_viewers() {
    let sources = format!("{VIDEO} appsrc name=quiet is-live=true format=time ! queue ! s.audio_0");
    let sender = Sender::playing(&sources);
    let viewer = sender.persistent_viewer();
    viewer.wait_frames(30);
    assert_eq!(viewer.report().streams.len(), 1, "{:?}", viewer.report());
    let warnings = sender.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("audio_0"),
        "{warnings:?}"
    );
    // When sound comes after all, the next viewer hears it.
    let quiet = sender.pipeline.by_name("quiet").expect("it is named so");
    let caps = "audio/x-raw,format=S16LE,rate=48000,channels=2,layout=interleaved";
    let caps: gst::Caps = caps.parse().expect("caps");
    quiet.set_property("caps", caps);
    let talking = std::thread::spawn(move || {
        let begin = Instant::now();
        let mut flow = gst::FlowReturn::Ok;
        while flow == gst::FlowReturn::Ok && begin.elapsed() < PATIENCE * 2 {
            let buffer = gst::Buffer::from_slice([0u8; 1_920]);
            flow = quiet.emit_by_name("push-buffer", &[&buffer]);
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    wait("a viewer that hears it", || {
        let next = sender.viewer();
        holds_within(Duration::from_secs(5), || {
            let sound = next.streams(StreamKind::Audio);
            sound.first().is_some_and(|sound| sound.frames >= 10)
        })
    });
    sender.stop();
    talking.join().expect("it does not panic");
}

#[test]
fn a_picture_in_slices_with_parameter_sets_before_each_is_one_frame() {
    // As `rtph264pay` of GStreamer 1.22 sends it, and as a parser then cuts it; every tenth picture is a key frame.
    let piece = |wanted: &str| {
        format!(
            "videotestsrc is-live=true pattern=smpte \
             ! video/x-raw,format=I420,width=640,height=480,framerate=30/1 \
             ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 threads=4 \
             ! video/x-h264,profile=constrained-baseline \
             ! rtph264pay config-interval=-1 ! rtph264depay ! {wanted} ! queue ! s."
        )
    };
    for wanted in [
        "video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=nal",
        "video/x-h264,stream-format=avc,alignment=au",
    ] {
        let sender = Sender::playing(&piece(wanted));
        let viewer = sender.persistent_viewer();
        viewer.wait_frames(70);
        let report = viewer.report();
        let (frames, key_frames) = (viewer.frames(), viewer.key_frames());
        // One of ten, and some that the viewer asks for; in pieces it would be four of thirteen.
        assert!(
            key_frames > 0 && (key_frames - 1) * 6 <= frames,
            "{key_frames} of {frames} pictures are key frames, of {wanted}: {report:?}"
        );
        assert!(sender.errors().is_empty(), "{:?}", sender.posted());
    }
}
