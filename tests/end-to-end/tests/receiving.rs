//! What a session of ours receives of senders of others, when the network loses packets.
//!
//! The session is that of a viewer of `wigwag load`; the program is the one of `WIGWAG_SERVE`.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wigwag_end_to_end::SignallingServer;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, listed_producer};
use wigwag_end_to_end::lossy_network;

const SECONDS: u64 = 6;

#[test]
fn what_the_published_sink_sends_is_complete_though_packets_are_lost() -> Result<()> {
    if !lossy_network::is_entered(
        "what_the_published_sink_sends_is_complete_though_packets_are_lost",
    )? {
        return Ok(());
    }
    let server = SignallingServer::start()?;
    let (mut producer, _) = listed_producer(&Endpoint::plain(&server))?;
    let video = watch(&server, "--decrypt=all")?;
    ensure!(video["frames"].as_u64() >= Some(10 * SECONDS), "{video}");
    ensure!(video["lost"] == 0, "{video}");
    // One that never asks for what is missing: the network does lose packets.
    let video = watch(&server, "--decrypt=none")?;
    ensure!(video["lost"].as_u64() > Some(0), "{video}");
    producer.stop()
}

#[test]
fn what_the_published_sink_sends_is_complete_though_packets_overtake_others() -> Result<()> {
    if !lossy_network::is_entered_with_reordering(
        "what_the_published_sink_sends_is_complete_though_packets_overtake_others",
    )? {
        return Ok(());
    }
    let server = SignallingServer::start()?;
    let (mut producer, _) = listed_producer(&Endpoint::plain(&server))?;
    let video = watch(&server, "--decrypt=all")?;
    ensure!(video["frames"].as_u64() >= Some(10 * SECONDS), "{video}");
    ensure!(video["lost"] == 0, "{video}");
    let overtaken = lossy_network::overtaken()?;
    ensure!(overtaken > 20, "only {overtaken} packets were overtaken");
    producer.stop()
}

/// What a viewer got of the first stream of video.
fn watch(server: &SignallingServer, decrypt: &str) -> Result<Value> {
    let serve = env::var("WIGWAG_SERVE").context("WIGWAG_SERVE")?;
    let program = serve.split(' ').next().context("a program")?;
    let output = Command::new(program)
        .args(["load", &server.uri(), "--json", decrypt])
        .arg(format!("--seconds={SECONDS}"))
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).context(error.into_owned())?;
    let streams = &report["viewers"][0]["streams"];
    let streams = streams.as_array().context("streams")?;
    let mut videos = streams.iter().filter(|stream| stream["kind"] == "video");
    let video = videos
        .next()
        .with_context(|| format!("no video: {report}"))?;
    Ok(video.clone())
}
