//! What `stats` says of each session.

mod stage;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::{Structure, glib};
use gstreamer as gst;
use stage::{AUDIO, Sender, VIDEO, wait};

/// What the tests' sinks send at.
const BITRATE: u64 = 500_000;

fn sender() -> Sender {
    let rates = format!("min-bitrate={BITRATE} start-bitrate={BITRATE} max-bitrate={BITRATE}");
    Sender::playing_with(
        &format!("{rates} video-caps=video/x-vp8"),
        &format!("{VIDEO} {AUDIO}"),
    )
}

/// The parts of a session's statistics that have this `type`.
fn parts(session: &Structure, nick: &str) -> Vec<Structure> {
    let parts = session.iter().filter_map(|(_, part)| part.get().ok());
    let is_of_type = |part: &Structure| {
        let value = part.value("type").ok();
        let value = value.and_then(|value| Some(glib::EnumValue::from_value(value)?.1));
        value.is_some_and(|value| value.nick() == nick)
    };
    parts.filter(is_of_type).collect()
}

fn text(part: &Structure, field: &str) -> String {
    part.get(field).expect("a text")
}

fn number(part: &Structure, field: &str) -> f64 {
    part.get(field).expect("a number")
}

fn part(session: &Structure, field: &str) -> Structure {
    let part = session.get(field);
    part.unwrap_or_else(|error| panic!("{error}: {session}"))
}

#[test]
fn statistics_have_the_shape_of_webrtcbin() {
    let sender = sender();
    let viewer = sender.viewer();
    viewer.wait_frames(30);
    let id = viewer.session();
    // What is lost is known from the second report on.
    let is_told =
        |part: &Structure| part.has_field("round-trip-time") && part.has_field("fraction-lost");
    let reported = || {
        let session = sender.statistics(&id)?;
        let reports = parts(&session, "remote-inbound-rtp");
        (reports.len() == 2 && reports.iter().all(is_told)).then_some(session)
    };
    wait("reports of the viewer", || reported().is_some());
    let session = reported().expect("it was there");
    assert_eq!(session.name(), "application/x-webrtc-stats");
    // What is named by a field is there, and of the type that it should be of.
    for (_, part) in session.iter() {
        let part = part.get::<Structure>().expect("all parts are structures");
        let Ok(own) = part.get::<String>("id") else {
            continue;
        };
        assert_eq!(self::part(&session, &own).name(), part.name());
        assert!(number(&part, "timestamp") > 0.0);
        assert_eq!(
            parts(&session, part.name()).len(),
            match part.name().as_str() {
                "codec" | "outbound-rtp" | "remote-inbound-rtp" => 2,
                _ => 1,
            }
        );
        for (field, name) in [
            ("codec-id", "codec"),
            ("transport-id", "transport"),
            ("remote-id", "remote-inbound-rtp"),
            ("local-id", "outbound-rtp"),
            ("selected-candidate-pair-id", "candidate-pair"),
            ("local-candidate-id", "local-candidate"),
            ("remote-candidate-id", "remote-candidate"),
        ] {
            if let Ok(id) = part.get::<String>(field) {
                assert_eq!(self::part(&session, &id).name(), name);
            }
        }
    }
    let is_video = |part: &Structure| text(part, "kind") == "video";
    let mut outbound = parts(&session, "outbound-rtp").into_iter();
    let video = outbound.find(is_video).expect("a stream");
    let ssrc = video.get::<u32>("ssrc").expect("a number");
    assert_eq!(
        text(&video, "id"),
        format!("rtp-outbound-stream-stats_{ssrc}")
    );
    let sent = video.get::<u64>("bytes-sent").expect("a number");
    let packets = video.get::<u64>("packets-sent").expect("a number");
    assert!(sent > 10_000 && packets >= 30, "{video}");
    for field in ["fir-count", "pli-count", "nack-count"] {
        video.get::<u32>(field).expect("a number");
    }
    let codec = part(&session, &text(&video, "codec-id"));
    assert_eq!(text(&codec, "mime-type"), "video/VP8");
    assert_eq!(codec.get::<u32>("clock-rate"), Ok(90_000));
    assert_eq!(codec.get::<u32>("ssrc"), Ok(ssrc));
    assert!(codec.get::<u32>("payload-type").is_ok_and(|it| it >= 96));
    let remote = part(&session, &format!("rtp-remote-inbound-stream-stats_{ssrc}"));
    assert!((0.0..1.0).contains(&number(&remote, "round-trip-time")));
    assert_eq!(number(&remote, "fraction-lost"), 0.0);
    assert_eq!(remote.get::<i64>("packets-lost"), Ok(0));
    for side in ["local", "remote"] {
        let candidate = parts(&session, &format!("{side}-candidate"));
        assert_eq!(text(&candidate[0], "address"), "127.0.0.1");
        assert_eq!(text(&candidate[0], "candidate-type"), "host");
        assert!(candidate[0].get::<u32>("port").is_ok_and(|port| port > 0));
    }
}

#[test]
fn additions_of_ours_say_what_is_sent_now() {
    let sender = sender();
    let viewer = sender.viewer();
    viewer.wait_frames(45);
    let bytes = || {
        let streams = viewer.report().streams;
        streams.iter().map(|stream| stream.bytes).sum::<u64>()
    };
    let (begin, before) = (Instant::now(), bytes());
    viewer.wait_frames(45);
    let arrived = (8.0 * (bytes() - before) as f64 / begin.elapsed().as_secs_f64()) as u64;
    let session = sender.statistics(&viewer.session()).expect("it is there");
    let all = part(&session, "wigwag-session-stats");
    let rate = all.get::<u64>("bitrate").expect("a rate");
    assert!(
        (arrived / 2..arrived * 2).contains(&rate),
        "{rate} of {arrived}"
    );
    assert!((0.0..1.0).contains(&number(&all, "round-trip-time")));
    let estimate = all.get::<u64>("available-outgoing-bitrate");
    assert!(estimate.is_ok_and(|rate| rate > 100_000), "{all}");
    let (connected, first) = (
        number(&all, "connected-after"),
        number(&all, "first-frame-after"),
    );
    assert!(
        0.0 < connected && connected <= first && first < 30.0,
        "{all}"
    );
    assert!(text(&all, "local-address").starts_with("127.0.0.1:"));
    assert!(text(&all, "remote-address").starts_with("127.0.0.1:"));
    let video = part(&session, "wigwag-stream-stats_video_0");
    assert_eq!(
        (text(&video, "pad"), text(&video, "codec")),
        ("video_0".into(), "VP8".into())
    );
    assert_eq!(video.get::<u32>("level"), Ok(0));
    assert_eq!(text(&video, "encoder"), sender.encoder_names()[0]);
    assert_eq!(video.get::<u64>("encoder-bitrate"), Ok(BITRATE));
    assert!(video.get::<u64>("frames-sent").is_ok_and(|it| it >= 90));
    assert!(video.get::<u32>("frames-waiting").is_ok_and(|it| it < 30));
    assert!((0.0..=0.5).contains(&number(&video, "waiting-time")));
    assert!(video.get::<u32>("rtx-ssrc").is_ok());
    let audio = part(&session, "wigwag-stream-stats_audio_0");
    assert_eq!(
        (text(&audio, "codec"), text(&audio, "encoder")),
        ("OPUS".into(), "opusenc".into())
    );
    let of_stream = |part: &Structure| part.get::<u64>("bitrate").expect("a rate");
    // An encoder of sound makes what it likes of a tone; headers add a good part.
    assert!((10_000..200_000).contains(&of_stream(&audio)), "{audio}");
    let sum = of_stream(&video) + of_stream(&audio);
    assert!(sum.abs_diff(rate) <= 2, "rounded: {sum}, {rate}");
    viewer.ask_for_key_frame();
    wait("the request", || {
        let session = sender.statistics(&viewer.session());
        let video = session.map(|session| part(&session, "wigwag-stream-stats_video_0"));
        video.is_some_and(|video| video.get::<u64>("key-frames-requested") == Ok(1))
    });
}

#[test]
fn a_consumer_is_asked_as_webrtcbin_is() {
    let sender = Sender::new("video-caps=video/x-vp8", VIDEO);
    let consumers = Arc::new(Mutex::new(Vec::new()));
    let added = Arc::clone(&consumers);
    sender.sink.connect("consumer-added", false, move |values| {
        let consumer = values[2].get::<gst::Element>().expect("an element");
        added.lock().expect("nobody panicked").push(consumer);
        None
    });
    sender.play();
    let viewer = sender.viewer();
    viewer.wait_frames(10);
    let consumer = consumers.lock().expect("nobody panicked")[0].clone();
    let ask = || {
        let promise = gst::Promise::new();
        consumer.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
        assert_eq!(promise.wait(), gst::PromiseResult::Replied);
        promise.get_reply().map(|reply| reply.to_owned())
    };
    let session = ask().expect("an answer");
    assert_eq!(session.name(), "application/x-webrtc-stats");
    assert_eq!(parts(&session, "outbound-rtp").len(), 1, "{session}");
    viewer.leave();
    sender.wait_sessions(0);
    assert!(ask().is_none());
}

#[test]
fn many_may_read_while_viewers_come_and_go() {
    let sender = sender();
    let viewer = sender.viewer();
    viewer.wait_frames(5);
    let id = viewer.session();
    let end = Instant::now() + Duration::from_secs(2);
    let longest = thread::scope(|scope| {
        let readers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut longest = Duration::ZERO;
                    while Instant::now() < end {
                        let begin = Instant::now();
                        assert!(sender.statistics(&id).is_some());
                        longest = longest.max(begin.elapsed());
                    }
                    longest
                })
            })
            .collect();
        for _ in 0..3 {
            let other = sender.viewer();
            other.wait_frames(5);
            let session = other.session();
            wait("it is there", || sender.statistics(&session).is_some());
            other.leave();
            wait("its end", || sender.statistics(&session).is_none());
        }
        let longest = readers.into_iter().map(|it| it.join().expect("no panic"));
        longest.max().unwrap_or_default()
    });
    // The bounded wait for the threads that send, and what a busy machine adds.
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    let before = viewer.frames();
    viewer.wait_frames(30);
    assert!(viewer.frames() > before && !viewer.has_ended());
    sender.assert_quiet();
}
