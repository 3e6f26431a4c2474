//! Whom our webrtcsink trusts over wss.

use anyhow::{Result, ensure};
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::{Authority, Network, SignallingServer, WigwagSink};

const ENOUGH: u64 = 30;

const SOURCES: &[(&str, &str)] = &[(
    "video_0",
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1",
)];

#[test]
fn a_server_of_the_named_authority_is_trusted() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let endpoint = Endpoint::trusting(server.uri(), &authority.file());
    let cafile = format!("signaller::cafile={}", authority.file().display());
    let (_sink, id) = WigwagSink::start_at(&endpoint, &[&cafile], SOURCES)?;
    consume(&endpoint, &id, ENOUGH)?.wait_for("frames")?;
    Ok(())
}

#[test]
fn a_server_with_a_certificate_for_another_is_refused() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify(&["other.example"])?)?;
    let cafile = format!("signaller::cafile={}", authority.file().display());
    assert_refused(&server, &[&cafile], "it is for another host")
}

#[test]
fn a_server_of_another_authority_is_refused() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let stranger = Authority::new()?;
    let cafile = format!("signaller::cafile={}", stranger.file().display());
    assert_refused(
        &server,
        &[&cafile],
        "none of the authorities that are trusted",
    )
}

#[test]
fn a_server_of_an_authority_that_nobody_named_is_refused() -> Result<()> {
    let server = SignallingServer::start_secure(&Authority::new()?.certify_server()?)?;
    assert_refused(&server, &[], "none of the authorities that are trusted")
}

#[test]
fn any_server_is_taken_if_the_user_says_so() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify(&["other.example"])?)?;
    let endpoint = Endpoint::unverified(server.uri());
    let (_sink, id) = WigwagSink::start_at(&endpoint, &["signaller::insecure-tls=true"], SOURCES)?;
    consume(&endpoint, &id, ENOUGH)?.wait_for("frames")?;
    Ok(())
}

fn assert_refused(server: &SignallingServer, properties: &[&str], reason: &str) -> Result<()> {
    let uri = format!("signaller::uri={}", server.uri());
    let properties: Vec<&str> = [uri.as_str()].iter().chain(properties).copied().collect();
    let mut sink = WigwagSink::start(Network::Loopback, &properties, SOURCES)?;
    let output = sink.wait_for_refusal()?;
    ensure!(
        output.contains("ERROR") && output.contains(reason),
        "unexpected: {output}"
    );
    Ok(())
}
