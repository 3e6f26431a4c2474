//! Our webrtcsink with the published webrtcsrc, whose certificate has an RSA key.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, Wanted, consume, receive};
use wigwag_end_to_end::{Peer, SignallingServer, WigwagSink};

const ENOUGH: u64 = 60;
const NEVER_ENOUGH: u64 = 1_000_000;

/// Within this a viewer is told that its session is over.
const SOON: Duration = Duration::from_secs(5);

const RAW: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1";
const TONE: &str = "audiotestsrc is-live=true ! audio/x-raw,rate=48000";

const VP8: &str = "video-caps=video/x-vp8";
const H264: &str = "video-caps=video/x-h264";

#[test]
fn raw_video_arrives_as_vp8() -> Result<()> {
    let sources = [("video_0", RAW), ("audio_0", TONE)];
    assert_arrives(
        &[VP8],
        &sources,
        &[("video", "video/x-raw"), ("vp8", "video/x-vp8")],
    )
}

#[test]
fn raw_video_arrives_as_h264() -> Result<()> {
    let sources = [("video_0", RAW)];
    assert_arrives(
        &[H264],
        &sources,
        &[("video", "video/x-raw"), ("h264", "video/x-h264")],
    )
}

#[test]
fn raw_audio_arrives_as_opus() -> Result<()> {
    let sources = [("video_0", RAW), ("audio_0", TONE)];
    assert_arrives(
        &[VP8],
        &sources,
        &[("audio", "audio/x-raw"), ("opus", "audio/x-opus")],
    )
}

#[test]
fn encoded_h264_is_passed_on() -> Result<()> {
    let encoded = format!(
        "{RAW} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=600 ! h264parse"
    );
    assert_arrives(
        &[],
        &[("video_0", &encoded)],
        &[("video", "video/x-raw"), ("h264", "video/x-h264")],
    )
}

#[test]
fn encoded_vp8_is_passed_on() -> Result<()> {
    let encoded = format!("{RAW} ! vp8enc deadline=1 keyframe-max-dist=600");
    assert_arrives(
        &[],
        &[("video_0", &encoded)],
        &[("video", "video/x-raw"), ("vp8", "video/x-vp8")],
    )
}

#[test]
fn encoded_opus_is_passed_on() -> Result<()> {
    let encoded = format!("{TONE} ! opusenc");
    assert_arrives(
        &[],
        &[("audio_0", &encoded)],
        &[("audio", "audio/x-raw"), ("opus", "audio/x-opus")],
    )
}

#[test]
fn two_receivers_that_know_different_codecs_are_both_served() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let both = "video-caps=video/x-vp8;video/x-h264";
    let (_sink, id) = WigwagSink::start_at(&endpoint, &[both], &[("video_0", RAW)])?;
    let wanted = |codec| Wanted {
        video_codec: Some(codec),
        ..Wanted::default()
    };
    let mut receivers = [
        receive(&endpoint, &id, wanted("VP8"))?,
        receive(&endpoint, &id, wanted("H264"))?,
    ];
    for receiver in &mut receivers {
        assert_receives(receiver, "video/x-raw")?;
    }
    Ok(())
}

#[test]
fn media_goes_on_without_the_signalling_server_and_the_sink_returns_to_it() -> Result<()> {
    let mut server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (sink, id) = WigwagSink::start_at(&endpoint, &[VP8], &[("video_0", RAW)])?;
    // The published webrtcsrc reports an error when it loses the server, which ends most pipelines.
    let wanted = Wanted {
        frames: NEVER_ENOUGH,
        go_on: true,
        ..Wanted::default()
    };
    let mut watching = receive(&endpoint, &id, wanted)?;
    watching.wait_for("progress")?;

    server.kill()?;
    watching.wait_for("error")?;
    assert_goes_on(&mut watching)?;

    server.start_again()?;
    let new_id = sink.wait_until_listed(&endpoint)?;
    ensure!(new_id != id, "the server knows the sink by its old id");
    assert_receives(&mut consume(&endpoint, &new_id, ENOUGH)?, "video/x-raw")?;
    assert_goes_on(&mut watching)
}

#[test]
fn an_interrupted_sink_says_goodbye() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut sink, id) = WigwagSink::start_at(&endpoint, &[VP8], &[("video_0", RAW)])?;
    let mut watching = consume(&endpoint, &id, NEVER_ENOUGH)?;
    watching.wait_for("progress")?;

    let asked = Instant::now();
    sink.interrupt()?;
    watching.wait_for("session-ended")?;
    ensure!(asked.elapsed() < SOON, "told after {:?}", asked.elapsed());
    Ok(())
}

#[test]
fn a_sink_whose_source_ends_ends_well_and_says_goodbye() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    // Long enough for a receiver to get some of it on a busy machine.
    let ending = RAW.replace("is-live=true", "is-live=true num-buffers=300");
    let (mut sink, id) = WigwagSink::start_at(&endpoint, &[VP8], &[("video_0", &ending)])?;
    let mut watching = consume(&endpoint, &id, NEVER_ENOUGH)?;
    watching.wait_for("progress")?;

    let status = sink.wait_for_exit()?;
    let ended = Instant::now();
    ensure!(status.success(), "the sink ended with {status}");
    watching.wait_for("session-ended")?;
    ensure!(ended.elapsed() < SOON, "told after {:?}", ended.elapsed());
    Ok(())
}

/// Starts a sink, and for each kind of media a receiver that must get enough of it.
fn assert_arrives(
    properties: &[&str],
    sources: &[(&str, &str)],
    expected: &[(&str, &str)],
) -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (_sink, id) = WigwagSink::start_at(&endpoint, properties, sources)?;
    for &(media, media_type) in expected {
        let wanted = Wanted {
            media,
            ..Wanted::default()
        };
        assert_receives(&mut receive(&endpoint, &id, wanted)?, media_type)?;
    }
    Ok(())
}

fn assert_receives(receiver: &mut Peer, media_type: &str) -> Result<()> {
    let frames = receiver.wait_for("frames")?;
    ensure!(frames["media"] == media_type, "unexpected: {frames}");
    if media_type == "video/x-raw" {
        ensure!(
            frames["width"] == 320 && frames["height"] == 240,
            "unexpected: {frames}"
        );
    }
    let status = receiver.wait_for_exit()?;
    ensure!(status.success(), "the receiver ended with {status}");
    Ok(())
}

/// Fails unless more frames arrive than have so far.
fn assert_goes_on(receiver: &mut Peer) -> Result<()> {
    let so_far = receiver.take_past("progress").iter().map(count).max();
    let more = so_far.unwrap_or(0) + ENOUGH;
    receiver.wait_until("progress", |event| count(event) >= more)?;
    Ok(())
}

fn count(event: &Value) -> u64 {
    event["count"].as_u64().unwrap_or(0)
}
