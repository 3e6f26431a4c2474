//! `wigwag publish` of an RTSP server's H.264, which dies and comes back.

use anyhow::{Result, ensure};
use serde_json::Value;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::publish::{Published, RtspServer, producer_named};
use wigwag_end_to_end::{PictureViewer, SignallingServer};

const ENOUGH: u64 = 60;
const NEVER_ENOUGH: u64 = 1_000_000;

fn count(event: &Value) -> u64 {
    event["count"].as_u64().unwrap_or(0)
}

#[test]
fn viewers_stay_while_the_camera_is_away_and_no_encoder_runs() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start()?;
    let uri = camera.uri();
    let mut published = Published::start(&[&uri, "--name", "Gate", "--server", &server.uri()])?;
    published.wait_for_line("Gate: H.264 is passed through")?;
    let endpoint = Endpoint::plain(&server);
    let id = producer_named(&endpoint, "Gate")?;
    let mut viewer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    viewer.wait_until("progress", |event| count(event) >= ENOUGH)?;

    camera.kill()?;
    published.wait_for_line("does not deliver")?;
    let so_far = viewer.take_past("progress").iter().map(count).max();
    camera.start_again()?;
    let more = so_far.unwrap_or(ENOUGH) + ENOUGH;
    viewer.wait_until("progress", |event| count(event) >= more)?;

    ensure!(viewer.take_past("session-ended").is_empty());
    let lines = published.lines();
    ensure!(
        !lines.iter().any(|line| line.contains("encoded")),
        "{lines:?}"
    );
    ensure!(
        !lines.iter().any(|line| line.contains("no viewers")),
        "{lines:?}"
    );
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn a_camera_that_is_not_there_yet_is_waited_for() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start()?;
    camera.kill()?;
    let uri = camera.uri();
    let mut published = Published::start(&[&uri, "--server", &server.uri()])?;
    published.wait_for_line("next attempt in 1 s")?;
    camera.start_again()?;
    published.wait_for_line("published as \"127.0.0.1\"")?;
    Ok(())
}

#[test]
fn a_stream_that_the_camera_does_not_have_is_an_error() -> Result<()> {
    let server = SignallingServer::start()?;
    let camera = RtspServer::start()?;
    let uri = format!("{}-nowhere", camera.uri());
    let mut published = Published::start(&[&uri, "--server", &server.uri()])?;
    ensure!(published.wait_for_exit()?.code() == Some(1));
    published.wait_for_line("error: rtsp://127.0.0.1:")?;
    Ok(())
}

#[test]
fn camera_that_is_killed_again_and_again_is_called_at_once_each_time() -> Result<()> {
    // Longer than what counts as the same failure.
    const DELIVERED: u64 = 150;
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start()?;
    let mut published =
        Published::start(&[&camera.uri(), "--name", "Gate", "--server", &server.uri()])?;
    let mut viewer = PictureViewer::watch(&server, "Gate", DELIVERED)?;
    for _ in 0..3 {
        // A camera that is slow to come back is asked twice, and the second wait is longer.
        published.lines();
        camera.kill()?;
        let line = published.wait_for_new_line("does not deliver")?;
        ensure!(line.ends_with("next attempt in 1 s"), "{line}");
        camera.start_again()?;
        viewer.wait_for_more(DELIVERED)?;
    }
    Ok(())
}
