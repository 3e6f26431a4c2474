//! `wigwag publish`: files, the test picture, and how it begins and ends. The viewer is the published
//! `webrtcsrc`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::publish::{Media, Published, producer_named};
use wigwag_end_to_end::{Client, PictureViewer, SignallingServer};

const ENOUGH: u64 = 60;
const NEVER_ENOUGH: u64 = 1_000_000;

/// Encoders of what browsers take as it is.
const VP8: &str = "vp8enc deadline=1 keyframe-max-dist=30";
const OPUS: &str = "opusenc";
const AAC: &str = "avenc_aac";

fn h264(profile: &str, b_frames: u32) -> String {
    format!(
        "x264enc speed-preset=ultrafast bframes={b_frames} b-adapt=false key-int-max=30 \
         ! video/x-h264,profile={profile}"
    )
}

/// A viewer gets so many pictures of what is published under a name.
fn frames_arrive(server: &SignallingServer, name: &str, frames: u64) -> Result<()> {
    let endpoint = Endpoint::plain(server);
    let id = producer_named(&endpoint, name)?;
    let mut viewer = consume(&endpoint, &id, frames)?;
    viewer.wait_for("frames")?;
    ensure!(viewer.wait_for_exit()?.success());
    Ok(())
}

fn one_line_error(published: &mut Published) -> Result<String> {
    let status = published.wait_for_exit()?;
    let lines = published.lines();
    ensure!(
        status.code() == Some(1) && lines.len() == 1,
        "{status}: {lines:?}"
    );
    ensure!(lines[0].starts_with("error: "), "{lines:?}");
    Ok(lines[0].clone())
}

#[test]
fn the_test_picture_is_seen_and_its_end_is_told() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut published = Published::start(&["test", "--server", &server.uri()])?;
    published.wait_for_line("published as \"test\" at ws://127.0.0.1:")?;
    let endpoint = Endpoint::plain(&server);
    let id = producer_named(&endpoint, "test")?;
    let mut viewer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    viewer.wait_until("progress", |event| event["count"].as_u64() >= Some(ENOUGH))?;
    published.wait_for_line("test: 1 viewer")?;
    let lines = published.lines();
    ensure!(
        !lines.iter().any(|line| line.contains("clock")),
        "{lines:?}"
    );

    let status = published.signal("INT")?;
    ensure!(status.code() == Some(0), "{status}");
    viewer.wait_for("session-ended")?;
    Ok(())
}

/// A peer that speaks version 1.1 of the protocol calls a producer; the reason for which its session is ended.
fn refusal(server: &SignallingServer, producer: &str) -> Result<String> {
    let mut caller = Client::connect(server.address())?;
    caller.send(r#"{"type":"setProtocolVersion","version":"v1_1"}"#)?;
    caller.send(format!(
        r#"{{"type":"startSession","peerId":"{producer}"}}"#
    ))?;
    let end = caller.receive_type("endSessionV1_1")?;
    Ok(end["error"].as_str().context("no reason")?.to_owned())
}

#[test]
fn viewer_above_max_viewers_refused_in_words_and_one_comes_when_another_left() -> Result<()> {
    let server = SignallingServer::start()?;
    let arguments = ["test", "--max-viewers", "1", "--server", &server.uri()];
    let mut published = Published::start(&arguments)?;
    let mut first = PictureViewer::watch(&server, "test", ENOUGH)?;
    published.wait_for_line("test: 1 viewer")?;
    let endpoint = Endpoint::plain(&server);
    let id = producer_named(&endpoint, "test")?;
    let mut second = consume(&endpoint, &id, NEVER_ENOUGH)?;
    second.wait_for("session-ended")?;
    ensure!(second.take_past("progress").is_empty(), "it saw pictures");
    let reason = refusal(&server, &id)?;
    ensure!(reason.contains("as many viewers as may be"), "{reason}");

    first.wait_for_more(ENOUGH)?;
    first.stop()?;
    published.wait_for_line("test: no viewers")?;
    frames_arrive(&server, "test", ENOUGH)
}

#[test]
fn without_text_in_pictures_the_test_picture_has_no_clock_and_says_so() -> Result<()> {
    let media = Media::new()?;
    let plugins = media.path("plugins");
    link_plugins_but(&["libgstpango.so"], &plugins)?;
    let server = SignallingServer::start()?;
    let registry = media.path("registry.bin");
    let mut published = Published::start_with(
        &["test", "--server", &server.uri()],
        &[
            ("GST_PLUGIN_SYSTEM_PATH", &plugins),
            ("GST_REGISTRY", &registry),
        ],
    )?;
    published.wait_for_line("test: no clock in the picture; install gstreamer1.0-x for one")?;
    frames_arrive(&server, "test", ENOUGH)
}

/// A folder with the system's plugins, but for some.
fn link_plugins_but(some: &[&str], folder: &Path) -> Result<()> {
    let asked = Command::new("pkg-config")
        .args(["--variable=pluginsdir", "gstreamer-1.0"])
        .output()?;
    let system = String::from_utf8(asked.stdout)?;
    fs::create_dir(folder)?;
    let mut left_out = 0;
    for plugin in fs::read_dir(system.trim())? {
        let plugin = plugin?;
        if some.iter().any(|name| plugin.file_name() == *name) {
            left_out += 1;
        } else {
            symlink(plugin.path(), folder.join(plugin.file_name()))?;
        }
    }
    ensure!(left_out == some.len(), "not all of {some:?} are installed");
    Ok(())
}

#[test]
fn vp8_and_opus_are_passed_through_and_the_end_of_the_file_is_the_end() -> Result<()> {
    let media = Media::new()?;
    let path = media.make("clip.webm", 10, VP8, OPUS, "webmmux")?;
    let server = SignallingServer::start()?;
    let path = path.to_string_lossy();
    let mut published = Published::start(&[&path, "--server", &server.uri()])?;
    frames_arrive(&server, "clip.webm", ENOUGH)?;

    let status = published.wait_for_exit()?;
    ensure!(status.code() == Some(0), "{status}");
    for codec in ["VP8", "Opus"] {
        published.wait_for_line(&format!("clip.webm: {codec} is passed through"))?;
    }
    ensure!(
        !published
            .lines()
            .iter()
            .any(|line| line.contains("encoded")),
        "an encoder ran"
    );
    Ok(())
}

#[test]
fn h264_is_passed_through_while_aac_is_encoded_anew_and_a_loop_goes_on() -> Result<()> {
    let media = Media::new()?;
    let path = media.make("clip.mp4", 2, &h264("main", 0), AAC, "mp4mux")?;
    let server = SignallingServer::start()?;
    let path = path.to_string_lossy();
    let mut published =
        Published::start(&[&path, "--loop", "--name", "Clip", "--server", &server.uri()])?;
    // Two and a half times the file.
    frames_arrive(&server, "Clip", 150)?;

    published.wait_for_line("Clip: H.264 is passed through")?;
    published.wait_for_line("Clip: AAC is transcoded")?;
    let encoders: Vec<_> = published
        .lines()
        .iter()
        .filter(|line| line.contains("encoded by"))
        .cloned()
        .collect();
    ensure!(encoders == ["Clip: encoded by opusenc"], "{encoders:?}");
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn h264_with_b_frames_is_encoded_anew() -> Result<()> {
    let media = Media::new()?;
    let path = media.make("clip.mkv", 2, &h264("high", 3), OPUS, "matroskamux")?;
    let server = SignallingServer::start()?;
    let path = path.to_string_lossy();
    let mut published = Published::start(&[&path, "--loop", "--server", &server.uri()])?;
    frames_arrive(&server, "clip.mkv", 150)?;
    published.wait_for_line("H.264 is transcoded: its frames are not in the order")?;
    published.wait_for_line("encoded by vp8enc")?;
    Ok(())
}

#[test]
fn several_inputs_are_several_producers() -> Result<()> {
    let media = Media::new()?;
    let path = media.make("clip.webm", 2, VP8, OPUS, "webmmux")?;
    let server = SignallingServer::start()?;
    let _published = Published::start(&[
        "test",
        "--input",
        &path.to_string_lossy(),
        "--name",
        "Pattern",
        "--loop",
        "--server",
        &server.uri(),
    ])?;
    frames_arrive(&server, "Pattern", ENOUGH)?;
    frames_arrive(&server, "clip.webm", ENOUGH)
}

#[test]
fn inputs_of_one_name_are_told_apart_also_at_a_server_of_its_own() -> Result<()> {
    let mut published = Published::start(&[
        "--input",
        "test",
        "--input",
        "test",
        "--embed",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ])?;
    let line = published.wait_for_line("watch at http://127.0.0.1:")?;
    let address = line
        .trim_start_matches("watch at http")
        .trim_end_matches('/');
    let endpoint = Endpoint::at(format!("ws{address}"));
    for name in ["test", "test 2"] {
        let id = producer_named(&endpoint, name)?;
        consume(&endpoint, &id, ENOUGH)?.wait_for("frames")?;
        published.wait_for_line(&format!("{name}: 1 viewer"))?;
    }
    ensure!(published.signal("INT")?.code() == Some(0));
    Ok(())
}

#[test]
fn what_is_no_media_is_one_line_and_exit_code_1() -> Result<()> {
    let media = Media::new()?;
    let nothing = media.path("nothing.mp4");
    let mut published = Published::start(&[&nothing.to_string_lossy()])?;
    let line = one_line_error(&mut published)?;
    ensure!(line.ends_with("nothing.mp4: it does not exist"), "{line}");

    let text = media.path("notes.txt");
    fs::write(&text, "These are words, no pictures.\n".repeat(100))?;
    let mut published = Published::start(&[&text.to_string_lossy()])?;
    let line = one_line_error(&mut published)?;
    ensure!(line.contains("notes.txt: "), "{line}");

    let mut published = Published::start(&["rtsp://127.0.0.1/x", "--max-bitrate", "fast"])?;
    ensure!(published.wait_for_exit()?.code() == Some(2));
    Ok(())
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() -> Result<()> {
    let media = Media::new()?;
    let path = media.make("clip.webm", 4, VP8, OPUS, "webmmux")?;
    let mut server = SignallingServer::start()?;
    server.kill()?;
    let path = path.to_string_lossy();
    let uri = server.uri();
    let mut published = Published::start(&[&path, "--input", "test", "--loop", "--server", &uri])?;
    for name in ["clip.webm", "test"] {
        let line = published.wait_for_line(&format!("{name}: cannot connect"))?;
        ensure!(line.ends_with("next attempt in 1 s"), "{line}");
    }
    published.wait_for_line("next attempt in 2 s")?;
    server.start_again()?;
    for name in ["clip.webm", "test"] {
        published.wait_for_line(&format!("published as \"{name}\""))?;
        frames_arrive(&server, name, ENOUGH)?;
    }
    Ok(())
}

#[test]
fn it_brings_its_own_server() -> Result<()> {
    let arguments = ["test", "--embed", "--host", "127.0.0.1", "--port", "0"];
    let mut published = Published::start(&arguments)?;
    let line = published.wait_for_line("watch at http://127.0.0.1:")?;
    let address = line
        .trim_start_matches("watch at http")
        .trim_end_matches('/');
    let uri = format!("ws{address}");
    published.wait_for_line(&format!("published as \"test\" at {uri}"))?;
    let endpoint = Endpoint::at(uri);
    let id = producer_named(&endpoint, "test")?;
    let mut viewer = consume(&endpoint, &id, ENOUGH)?;
    viewer.wait_for("frames")?;
    let (mut peer, _) = tungstenite::connect(format!("ws{address}/text"))?;
    peer.send("HELLO 17".into())?;
    ensure!(peer.read()?.into_text()?.as_str() == "HELLO");
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}
