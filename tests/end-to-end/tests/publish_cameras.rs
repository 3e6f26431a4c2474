//! `wigwag publish` of RTSP cameras as people have them: passwords, certificates of their own, tracks that stall and tracks
//! that are neither picture nor sound.

use std::fs;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use wigwag_end_to_end::publish::{Published, RtspServer};
use wigwag_end_to_end::{Authority, PictureViewer, SignallingServer, lossy_network};

const ENOUGH: u64 = 30;
fn publish(server: &SignallingServer, arguments: &[&str]) -> Result<Published> {
    Published::start(&[arguments, &["--server", &server.uri()]].concat())
}

#[test]
fn password_of_any_characters_plays_and_is_shown_nowhere() -> Result<()> {
    let server = SignallingServer::start()?;
    for (password, written) in [
        ("zebra", "zebra"),
        ("zebra#ss", "zebra#ss"),
        ("ze/bra?ss@", "ze/bra?ss@"),
        ("z@zebra", "z@zebra"),
        ("zebra#ss", "zebra%23ss"),
        ("z/s?s:zebra", "z%2Fs%3Fs%3Azebra"),
        ("z%zebra", "z%25zebra"),
        ("z^ zebra", "z^%20zebra"),
    ] {
        let camera = RtspServer::start_with(&["user=admin", &format!("password={password}")])?;
        let uri = format!("rtsp://admin:{written}@127.0.0.1:{}/stream", camera.port());
        let mut published = publish(&server, &[&uri])?;
        published.wait_for_line("published as \"127.0.0.1\"")?;
        ensure!(published.signal("TERM")?.code() == Some(0));
        let lines = published.lines();
        ensure!(
            !lines
                .iter()
                .any(|line| line.contains("zebra") || line.contains("ss@")),
            "{lines:?}"
        );
    }
    Ok(())
}

#[test]
fn wrong_password_is_called_one() -> Result<()> {
    let server = SignallingServer::start()?;
    let camera = RtspServer::start_with(&["user=admin", "password=right"])?;
    let uri = format!("rtsp://admin:wrong@127.0.0.1:{}/stream", camera.port());
    let mut published = publish(&server, &[&uri])?;
    let line = published.wait_for_line("error: rtsp://127.0.0.1:")?;
    ensure!(line.contains("user or password"), "{line}");
    Ok(())
}

#[test]
fn address_in_a_file_is_an_input() -> Result<()> {
    let server = SignallingServer::start()?;
    let camera = RtspServer::start_with(&["user=admin", "password=p#s"])?;
    let folder = TempDir::new()?;
    let file = folder.path().join("camera");
    let uri = format!("rtsp://admin:p#s@127.0.0.1:{}/stream\n", camera.port());
    fs::write(&file, uri)?;
    let mut published = publish(&server, &["--input-file", &file.to_string_lossy()])?;
    published.wait_for_line("published as \"127.0.0.1\"")?;
    Ok(())
}

#[test]
fn camera_with_a_certificate_of_its_own_is_refused_and_taken_when_told() -> Result<()> {
    let server = SignallingServer::start()?;
    let authority = Authority::new()?;
    // Not the address by which it is reached.
    let files = authority.certify(&["camera.invalid"])?;
    let certificate = files.certificate.to_string_lossy().into_owned();
    let options = [
        format!("certificate={certificate}"),
        format!("key={}", files.key.display()),
    ];
    let camera = RtspServer::start_with(&[&options[0], &options[1]])?;
    let uri = format!("rtsps://127.0.0.1:{}/stream", camera.port());
    let mut published = publish(&server, &[&uri])?;
    let line = published.wait_for_line("certificate")?;
    ensure!(line.contains("--source-cafile"), "{line}");
    drop(published);
    for trust in [
        &["--source-cafile", &certificate][..],
        &["--insecure-source-tls"],
    ] {
        let mut published = publish(&server, &[&[uri.as_str()], trust].concat())?;
        published.wait_for_line("published as \"127.0.0.1\"")?;
    }
    Ok(())
}

#[test]
fn camera_whose_picture_stalls_while_sound_goes_on_is_called_again() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start_with(&["stalls"])?;
    let uri = camera.uri();
    let mut published = publish(&server, &[&uri, "--source-timeout", "2s"])?;
    camera.wait_until_asked()?;
    published.wait_for_line("no picture came for 2 s, while sound did")?;
    camera.wait_until_asked()?;
    Ok(())
}

#[test]
fn track_that_is_neither_picture_nor_sound_is_left_out_with_its_encoding() -> Result<()> {
    let server = SignallingServer::start()?;
    let camera = RtspServer::start_with(&["data"])?;
    let mut published = publish(&server, &[&camera.uri()])?;
    published.wait_for_line("data (X-GST) is not published")?;
    published.wait_for_line("published as \"127.0.0.1\"")?;
    Ok(())
}

#[test]
fn camera_that_comes_back_with_another_size_sound_and_codec_plays_on() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start()?;
    let mut published = publish(&server, &[&camera.uri(), "--name", "Gate"])?;
    let mut viewer = PictureViewer::watch(&server, "Gate", ENOUGH)?;
    // The viewer takes H.264 alone.
    for kind in ["sound", "h265", "sliced", "h265"] {
        camera.kill()?;
        published.wait_for_new_line("next attempt in")?;
        camera.start_again_with(&[kind])?;
        camera.wait_until_asked()?;
        viewer.wait_for_more(ENOUGH)?;
    }
    let lines = published.lines();
    let frightening = |line: &&String| line.contains("rror") || line.contains("nternal");
    ensure!(!lines.iter().any(|line| frightening(&line)), "{lines:?}");
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn rtsp_comes_over_the_transport_that_is_asked_for() -> Result<()> {
    let server = SignallingServer::start()?;
    let camera = RtspServer::start()?;
    for transport in ["tcp", "udp", "auto"] {
        let mut published = publish(&server, &[&camera.uri(), "--rtsp-transport", transport])?;
        published.wait_for_line("published as \"127.0.0.1\"")?;
    }
    Ok(())
}

#[test]
fn camera_whose_packets_are_lost_is_asked_over_tcp() -> Result<()> {
    if !lossy_network::is_entered("camera_whose_packets_are_lost_is_asked_over_tcp")? {
        return Ok(());
    }
    let server = SignallingServer::start()?;
    let mut camera = RtspServer::start()?;
    let mut published = publish(&server, &[&camera.uri(), "--name", "Gate"])?;
    camera.wait_until_asked()?;
    published.wait_for_line("published as \"Gate\"")?;
    // The camera shares its media between those who ask: it may not notice another.
    published.wait_for_line("% of packets are lost over UDP; asking over TCP")?;
    let mut viewer = PictureViewer::watch(&server, "Gate", ENOUGH)?;
    viewer.wait_for_more(ENOUGH)?;
    Ok(())
}
