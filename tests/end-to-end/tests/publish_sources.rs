//! `wigwag publish` of live sources that are no RTSP: each is called again when it is gone, and viewers stay.

use anyhow::{Result, ensure};
use serde_json::Value;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::publish::{Published, producer_named};
use wigwag_end_to_end::sources::{HttpCamera, Sender, udp_port};
use wigwag_end_to_end::{Peer, SignallingServer};

const ENOUGH: u64 = 20;
const NEVER_ENOUGH: u64 = 1_000_000;

fn count(event: &Value) -> u64 {
    event["count"].as_u64().unwrap_or(0)
}

/// A viewer that has got some pictures.
fn viewer(server: &SignallingServer, name: &str) -> Result<Peer> {
    let endpoint = Endpoint::plain(server);
    let id = producer_named(&endpoint, name)?;
    let mut viewer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    viewer.wait_until("progress", |event| count(event) >= ENOUGH)?;
    Ok(viewer)
}

/// Waits until the viewer has got more pictures, in the session that it had.
fn goes_on(viewer: &mut Peer) -> Result<()> {
    let so_far = viewer.take_past("progress").iter().map(count).max();
    let more = so_far.unwrap_or(ENOUGH) + ENOUGH;
    viewer.wait_until("progress", |event| count(event) >= more)?;
    ensure!(viewer.take_past("session-ended").is_empty());
    Ok(())
}

fn publish(server: &SignallingServer, uri: &str, name: &str) -> Result<Published> {
    let options = ["--source-timeout", "2s", "--name", name];
    Published::start(&[&[uri, "--server", &server.uri()], &options[..]].concat())
}

#[test]
fn udp_sender_that_pauses_is_played_when_it_sends_again() -> Result<()> {
    let server = SignallingServer::start()?;
    let port = udp_port()?;
    let mut published = publish(&server, &format!("udp://127.0.0.1:{port}"), "udp")?;
    let sender = Sender::udp(port)?;
    let mut viewer = viewer(&server, "udp")?;
    drop(sender);
    published.wait_for_line("(nothing came for 2 s); listening again")?;
    let _sender = Sender::udp(port)?;
    goes_on(&mut viewer)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn srt_caller_that_leaves_is_played_when_another_calls() -> Result<()> {
    let server = SignallingServer::start()?;
    let port = udp_port()?;
    let uri = format!("srt://:{port}?mode=listener");
    let mut published = publish(&server, &uri, "srt")?;
    let sender = Sender::srt(port)?;
    let mut viewer = viewer(&server, "srt")?;
    drop(sender);
    published.wait_for_line("listening again")?;
    let _sender = Sender::srt(port)?;
    goes_on(&mut viewer)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn http_stream_without_an_end_is_asked_for_again() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = HttpCamera::live()?;
    let mut published = publish(&server, &camera.uri(), "http")?;
    let mut viewer = viewer(&server, "http")?;
    camera.kill()?;
    published.wait_for_line("next attempt in")?;
    camera.start_again()?;
    camera.wait_until_asked()?;
    goes_on(&mut viewer)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn jpeg_snapshot_is_asked_for_every_second_without_a_word() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = HttpCamera::snapshots()?;
    let mut published = publish(&server, &camera.uri(), "snapshot")?;
    published.wait_for_line("published as \"snapshot\"")?;
    let endpoint = Endpoint::plain(&server);
    let id = producer_named(&endpoint, "snapshot")?;
    let mut viewer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    viewer.wait_until("progress", |event| count(event) >= 2)?;
    for _ in 0..3 {
        camera.wait_until_asked()?;
    }
    let lines = published.lines();
    let about = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    ensure!(about("one JPEG picture at a time") == 1, "{lines:?}");
    ensure!(
        about("is encoded") + about("is transcoded") <= 1,
        "{lines:?}"
    );
    ensure!(about("does not deliver") == 0, "{lines:?}");
    Ok(())
}

#[test]
fn source_that_fails_ends_the_command_after_as_many_calls_as_it_is_told() -> Result<()> {
    let server = SignallingServer::start()?;
    let uri = format!("rtsp://127.0.0.1:{}/stream", udp_port()?);
    let arguments = [&uri, "--server", &server.uri(), "--retry", "1"];
    let mut published = Published::start(&arguments)?;
    published.wait_for_line("next attempt in 1 s")?;
    ensure!(published.wait_for_exit()?.code() == Some(1));
    Ok(())
}
