//! Raw pictures of any kind: encoders get what browsers can show.

mod stage;

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_video::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use stage::{Call, Sender, Viewer, wait};

/// The caps of what the only encoder gets, once a viewer of this codec sees something.
fn encoded(sources: &str, codec: &'static str) -> gst::Caps {
    let properties = format!("video-caps=video/x-{}", codec.to_ascii_lowercase());
    let sender = Sender::playing_with(&properties, sources);
    let call = Call {
        only: Some(codec),
        ..Call::default()
    };
    let viewer = Viewer::call(&sender.url, call);
    wait(&format!("pictures as {codec} of {sources}"), || {
        viewer.frames() >= 5
    });
    sender.assert_quiet();
    let encoders = sender.encoders();
    let pad = encoders[0].encoder.static_pad("sink");
    pad.and_then(|pad| pad.current_caps()).expect("it encodes")
}

const CODECS: [&str; 4] = ["VP8", "VP9", "H264", "AV1"];

#[test]
fn other_chroma_and_depth_become_what_every_viewer_takes() {
    for format in ["YUY2", "Y444", "I420_10LE", "Y42B", "BGRx", "GRAY8", "NV12"] {
        for codec in CODECS {
            let source = format!(
                "videotestsrc is-live=true ! video/x-raw,format={format},width=160,height=120,framerate=15/1 ! queue ! s."
            );
            let caps = encoded(&source, codec);
            let format = caps.structure(0).expect("not empty").get::<&str>("format");
            assert!(matches!(format, Ok("I420" | "NV12")), "{codec}: {caps}");
        }
    }
}

#[test]
fn odd_sizes_are_encoded_in_every_codec() {
    let source = "videotestsrc is-live=true \
        ! video/x-raw,format=Y444,width=161,height=121,framerate=15/1 ! queue ! s.";
    for codec in CODECS {
        encoded(source, codec);
    }
}

#[test]
fn interlaced_pictures_become_whole_frames() {
    let source = "videotestsrc is-live=true \
        ! video/x-raw,format=UYVY,width=160,height=120,framerate=25/1 \
        ! interlace field-pattern=1:1 ! queue ! s.";
    for codec in CODECS {
        let caps = encoded(source, codec);
        let mode = caps
            .structure(0)
            .expect("not empty")
            .get::<&str>("interlace-mode");
        assert_eq!(mode, Ok("progressive"), "{codec}: {caps}");
    }
}

#[test]
fn pictures_without_a_frame_rate_are_encoded() {
    let source = "videotestsrc is-live=true \
        ! video/x-raw,format=I420,width=160,height=120,framerate=15/1 \
        ! capssetter replace=false join=true caps=video/x-raw,framerate=0/1 ! queue ! s.";
    for codec in CODECS {
        let caps = encoded(source, codec);
        let rate = caps
            .structure(0)
            .expect("not empty")
            .get::<gst::Fraction>("framerate");
        assert!(rate.is_ok_and(|rate| rate.numer() > 0), "{codec}: {caps}");
    }
}

#[test]
fn full_range_and_other_matrices_become_limited_bt601() {
    // White and red as motion JPEG has them, and blue of BT.709.
    for (colours, pattern, expected) in [
        (
            "1:4:0:0",
            "solid-color foreground-color=0xffffffff",
            [235, 128, 128],
        ),
        ("1:4:0:0", "red", [81, 90, 240]),
        ("bt709", "blue", [41, 240, 110]),
    ] {
        let source = format!(
            "videotestsrc is-live=true pattern={pattern} ! video/x-raw,format=RGB,width=160,height=120,framerate=15/1 \
             ! videoconvert ! video/x-raw,format=Y444,colorimetry=(string){colours} ! queue ! s."
        );
        for codec in CODECS {
            assert_encoded_colour(&source, codec, expected);
        }
    }
}

/// Fails unless the encoder gets a flat picture of this colour, in Y, U and V.
fn assert_encoded_colour(source: &str, codec: &'static str, expected: [u8; 3]) {
    let properties = format!("video-caps=video/x-{}", codec.to_ascii_lowercase());
    let sender = Sender::new(&properties, source);
    let seen: Arc<Mutex<Option<[u8; 3]>>> = Arc::default();
    let to = Arc::clone(&seen);
    sender.sink.connect("encoder-setup", false, move |values| {
        let encoder = values[3].get::<gst::Element>().expect("an element");
        let pad = encoder.static_pad("sink").expect("every encoder has it");
        let to = Arc::clone(&to);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            *lock(&to) = first_sample(pad, info.buffer());
            gst::PadProbeReturn::Ok
        });
        Some(false.to_value())
    });
    sender.play();
    let _viewer = sender.persistent_viewer();
    wait("a picture", || lock(&seen).is_some());
    let found = lock(&seen).unwrap_or_default();
    for (found, expected) in found.iter().zip(expected) {
        // What comes in is rounded too, by `videoconvert`.
        assert!(
            found.abs_diff(expected) <= 2,
            "{codec} of {source}: {found:?} is not {expected:?}"
        );
    }
    let encoder = &sender.encoders()[0].encoder;
    let caps = encoder
        .static_pad("sink")
        .and_then(|pad| pad.current_caps());
    let caps = caps.expect("it encodes");
    let info = gst_video::VideoInfo::from_caps(&caps).expect("of pictures");
    let colorimetry = info.colorimetry();
    assert_eq!(colorimetry.range(), gst_video::VideoColorRange::Range16_235);
    assert_eq!(colorimetry.matrix(), gst_video::VideoColorMatrix::Bt601);
}

fn first_sample(pad: &gst::Pad, buffer: Option<&gst::Buffer>) -> Option<[u8; 3]> {
    let info = gst_video::VideoInfo::from_caps(pad.current_caps()?.as_ref()).ok()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer?, &info).ok()?;
    let plane = |number| frame.plane_data(number).ok();
    let first = |number, place: usize| plane(number)?.get(place).copied();
    Some(match frame.format() {
        gst_video::VideoFormat::Nv12 => [first(0, 0)?, first(1, 0)?, first(1, 1)?],
        _ => [first(0, 0)?, first(1, 0)?, first(2, 0)?],
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
