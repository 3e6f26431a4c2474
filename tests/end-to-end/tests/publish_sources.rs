//! `wigwag publish` of live sources that are no RTSP: each is called again when it is gone, and viewers stay.

use anyhow::{Result, ensure};
use wigwag_end_to_end::publish::Published;
use wigwag_end_to_end::sources::{HttpCamera, Sender, tcp_port, udp_port, wait_for_listener};
use wigwag_end_to_end::{PictureViewer, SignallingServer};

const ENOUGH: u64 = 20;
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
    let mut viewer = PictureViewer::watch(&server, "udp", ENOUGH)?;
    drop(sender);
    published.wait_for_line("(nothing came for 2 s); listening again")?;
    let _sender = Sender::udp(port)?;
    viewer.wait_for_more(ENOUGH)?;
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
    let mut viewer = PictureViewer::watch(&server, "srt", ENOUGH)?;
    drop(sender);
    published.wait_for_line("listening again")?;
    let _sender = Sender::srt(port)?;
    viewer.wait_for_more(ENOUGH)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn tcp_sender_that_is_gone_is_called_again() -> Result<()> {
    let server = SignallingServer::start()?;
    let port = tcp_port()?;
    let mut published = publish(&server, &format!("tcp://127.0.0.1:{port}"), "tcp")?;
    published.wait_for_line("next attempt in")?;
    let sender = Sender::tcp_listener(port)?;
    let mut viewer = PictureViewer::watch(&server, "tcp", ENOUGH)?;
    drop(sender);
    published.wait_for_new_line("next attempt in")?;
    let _sender = Sender::tcp_listener(port)?;
    viewer.wait_for_more(ENOUGH)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn tcp_caller_that_leaves_is_played_when_another_calls() -> Result<()> {
    let server = SignallingServer::start()?;
    let port = tcp_port()?;
    let mut published = publish(&server, &format!("tcp://:{port}"), "tcp")?;
    wait_for_listener(port)?;
    let sender = Sender::tcp_caller(port)?;
    let mut viewer = PictureViewer::watch(&server, "tcp", ENOUGH)?;
    drop(sender);
    published.wait_for_line("listening again")?;
    wait_for_listener(port)?;
    let _sender = Sender::tcp_caller(port)?;
    viewer.wait_for_more(ENOUGH)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn http_stream_without_an_end_is_asked_for_again() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = HttpCamera::live()?;
    let mut published = publish(&server, &camera.uri(), "http")?;
    let mut viewer = PictureViewer::watch(&server, "http", ENOUGH)?;
    camera.kill()?;
    published.wait_for_line("next attempt in")?;
    camera.start_again()?;
    camera.wait_until_asked()?;
    viewer.wait_for_more(ENOUGH)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn jpeg_snapshot_is_asked_for_every_second_without_a_word() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = HttpCamera::snapshots()?;
    let mut published = publish(&server, &camera.uri(), "snapshot")?;
    published.wait_for_line("published as \"snapshot\"")?;
    PictureViewer::watch(&server, "snapshot", 2)?;
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
