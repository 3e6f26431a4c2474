//! `wigwag load` watches our sink, the published one, and a WHEP endpoint.
//!
//! The program is the one of `WIGWAG_SERVE`.

use std::env;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, listed_producer};
use wigwag_end_to_end::{Authority, Peer, SignallingServer, WigwagSink};

const VIDEO: (&str, &str) = (
    "video_0",
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1",
);
const AUDIO: (&str, &str) = ("audio_0", "audiotestsrc is-live=true");
/// For a sender to start an encoder, and a first frame to come, on a machine whose processors are all busy.
const LONG_ENOUGH: &str = "-s6";
const VP8: &str = "video-caps=video/x-vp8";

#[test]
fn all_viewers_of_our_sink_get_frames_however_they_count() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (_sink, id) = WigwagSink::start_at(&endpoint, &[VP8], &[VIDEO, AUDIO])?;
    let uri = server.uri();
    for (arguments, decrypting) in [
        (["--decrypt=all", "--processes=1"], 6),
        (["--decrypt=none", "--stagger=50ms"], 0),
        (["--decrypt=sample:3", "--processes=2"], 2),
    ] {
        let output = load(&[&[&uri, "-n6", LONG_ENOUGH, "--json"], &arguments[..]].concat())?;
        let report = report(&output)?;
        ensure!(output.status.success(), "{arguments:?}: {report}");
        assert_all_watched(&report, 6)?;
        let viewers = report["viewers"].as_array().context("viewers")?;
        let decrypted = viewers.iter().filter(|viewer| viewer["decrypted"] == true);
        ensure!(decrypted.count() == decrypting, "{report}");
        for viewer in viewers {
            // A key frame comes first, which only those can tell who decrypt.
            let knows = viewer["key_frames"].as_u64() > Some(0);
            ensure!(knows == (viewer["decrypted"] == true), "{viewer}");
        }
    }
    // By name and by id, and what people read.
    for producer in ["garden", &id] {
        let output = load(&[&uri, "-n2", LONG_ENOUGH, "--producer", producer])?;
        let table = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{table}");
        ensure!(table.contains("got frames           2\n"), "{table}");
    }
    Ok(())
}

#[test]
fn viewers_of_the_published_sink_get_frames() -> Result<()> {
    let server = SignallingServer::start()?;
    let (mut producer, _) = listed_producer(&Endpoint::plain(&server))?;
    for decrypt in ["--decrypt=all", "--decrypt=none"] {
        let output = load(&[&server.uri(), "-n2", LONG_ENOUGH, "--json", decrypt])?;
        let report = report(&output)?;
        ensure!(output.status.success(), "{decrypt}: {report}");
        assert_all_watched(&report, 2)?;
        for _ in 0..2 {
            // It heard that they left.
            producer.wait_for("consumer-removed")?;
        }
    }
    producer.stop()
}

#[test]
fn viewers_of_a_whep_endpoint_get_frames() -> Result<()> {
    let program = env::var("WIGWAG_PEER_GST_WEBRTC").context("WIGWAG_PEER_GST_WEBRTC")?;
    let mut command = Command::new(program);
    command.arg("whep");
    let mut endpoint = Peer::start("whepserversink", command)?;
    let url = endpoint.wait_for_text("endpoint", "url")?;
    for decrypt in ["--decrypt=all", "--decrypt=none"] {
        let output = load(&[&url, "-n2", LONG_ENOUGH, "--json", decrypt])?;
        let report = report(&output)?;
        ensure!(output.status.success(), "{decrypt}: {report}");
        assert_all_watched(&report, 2)?;
        for _ in 0..2 {
            // Their sessions were deleted.
            endpoint.wait_for("consumer-removed")?;
        }
    }
    endpoint.stop()
}

#[test]
fn a_codec_that_the_sender_has_not_is_a_failure_with_a_reason() -> Result<()> {
    let server = SignallingServer::start()?;
    let (_sink, _) = WigwagSink::start_at(&Endpoint::plain(&server), &[VP8], &[VIDEO])?;
    let output = load(&[&server.uri(), "-n2", LONG_ENOUGH, "--json", "--codec=h264"])?;
    let report = report(&output)?;
    ensure!(output.status.code() == Some(1), "{report}");
    ensure!(report["summary"]["watched"] == 0, "{report}");
    ensure!(report["summary"]["failed"] == 2, "{report}");
    ensure!(report["viewers"][1]["failure"].is_string(), "{report}");
    Ok(())
}

#[test]
fn a_sender_that_goes_away_is_a_failure_and_the_end() -> Result<()> {
    let server = SignallingServer::start()?;
    let (mut producer, _) = listed_producer(&Endpoint::plain(&server))?;
    let child = start(&[&server.uri(), "-n2", "-s600", "--json"])?;
    for _ in 0..2 {
        producer.wait_for("consumer-added")?;
    }
    producer.kill()?;
    let output = child.wait_with_output()?;
    let report = report(&output)?;
    ensure!(output.status.code() == Some(1), "{report}");
    ensure!(report["summary"]["failed"] == 2, "{report}");
    let reasons = report["summary"]["failures"].to_string();
    ensure!(reasons.contains("the sender ended it"), "{reasons}");
    Ok(())
}

#[test]
fn whoever_interrupts_it_gets_the_figures_so_far() -> Result<()> {
    let server = SignallingServer::start()?;
    let (mut producer, _) = listed_producer(&Endpoint::plain(&server))?;
    for processes in ["--processes=1", "--processes=2"] {
        let child = start(&[&server.uri(), "-n2", "-s600", "--json", processes])?;
        for _ in 0..2 {
            producer.wait_for("consumer-added")?;
        }
        let id = child.id().to_string();
        ensure!(Command::new("kill").args(["-INT", &id]).status()?.success());
        let report = report(&child.wait_with_output()?)?;
        ensure!(report["summary"]["viewers"] == 2, "{processes}: {report}");
        for _ in 0..2 {
            producer.wait_for("consumer-removed")?;
        }
    }
    producer.stop()
}

#[test]
fn wss_is_verified() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let trusting = Endpoint::trusting(server.uri(), &authority.file());
    let (_producer, _) = listed_producer(&trusting)?;
    let uri = server.uri();
    let file = authority.file();
    let file = file.to_str().context("a path")?;
    for trust in [&["--cafile", file][..], &["--insecure-tls"][..]] {
        let output = load(&[&[&uri, LONG_ENOUGH, "--json"], trust].concat())?;
        let report = report(&output)?;
        ensure!(output.status.success(), "{trust:?}: {report}");
    }
    let stranger = Authority::new()?;
    let stranger = stranger.file();
    let stranger = stranger.to_str().context("a path")?;
    for distrust in [&["--cafile", stranger][..], &[]] {
        assert_one_line(&[&[uri.as_str()], distrust].concat(), 1, "certificate")?;
    }
    Ok(())
}

#[test]
fn what_cannot_work_is_told_in_one_line() -> Result<()> {
    let server = SignallingServer::start()?;
    let uri = server.uri();
    assert_one_line(&[&uri], 1, "nobody sends")?;
    assert_one_line(&[&uri, "--producer=garden"], 1, "\"garden\"")?;
    assert_one_line(&["ws://127.0.0.1:1"], 1, "cannot connect to 127.0.0.1:1")?;
    assert_one_line(
        &["http://127.0.0.1:1/whep"],
        1,
        "cannot connect to 127.0.0.1:1",
    )?;
    assert_one_line(&[&uri, "--cafile=/nonexistent"], 1, "nobody sends")?;
    assert_one_line(
        &["wss://127.0.0.1:1", "--cafile=/nonexistent"],
        1,
        "/nonexistent",
    )?;
    assert_one_line(&["ftp://127.0.0.1"], 2, "http://")?;
    assert_one_line(&[&uri, "--viewers=0"], 2, "from 1 to 10000")?;
    assert_one_line(&[&uri, "--processes=65"], 2, "from 1 to 64")?;
    assert_one_line(&[&uri, "--decrypt=some"], 2, "sample:20")
}

fn start(arguments: &[&str]) -> Result<std::process::Child> {
    let serve = env::var("WIGWAG_SERVE").context("WIGWAG_SERVE")?;
    let program = serve.split_whitespace().next().context("a program")?;
    Command::new(program)
        .arg("load")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))
}

fn load(arguments: &[&str]) -> Result<Output> {
    Ok(start(arguments)?.wait_with_output()?)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(output: &Output) -> Result<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text);
    report.with_context(|| format!("no JSON: {text}\n{}", errors(output)))
}

fn assert_all_watched(report: &Value, viewers: u64) -> Result<()> {
    let summary = &report["summary"];
    for member in ["viewers", "connected", "watched"] {
        ensure!(summary[member] == viewers, "{member}: {report}");
    }
    ensure!(summary["failed"] == 0, "{report}");
    ensure!(summary["generator"]["cpu_seconds"].is_f64(), "{report}");
    let records = report["viewers"].as_array().context("viewers")?;
    for (number, record) in records.iter().enumerate() {
        ensure!(record["viewer"] == number, "{record}");
        for member in ["frames", "packets", "bytes"] {
            ensure!(record[member].as_u64() > Some(0), "{member}: {record}");
        }
        for member in [
            "connected_ms",
            "first_frame_ms",
            "worst_gap_ms",
            "frames_per_second",
        ] {
            ensure!(record[member].as_f64() > Some(0.0), "{member}: {record}");
        }
        ensure!(record["lost"].is_u64(), "{record}");
        ensure!(record["failure"].is_null(), "{record}");
    }
    Ok(())
}

fn assert_one_line(arguments: &[&str], code: i32, text: &str) -> Result<()> {
    let output = load(arguments)?;
    let errors = errors(&output);
    ensure!(
        output.status.code() == Some(code),
        "{arguments:?}: {errors}"
    );
    ensure!(errors.lines().count() == 1, "{arguments:?}: {errors}");
    ensure!(errors.contains(text), "{arguments:?}: {errors}");
    ensure!(output.stdout.is_empty(), "{arguments:?}");
    Ok(())
}
