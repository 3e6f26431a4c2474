//! Whom `wigwag publish` trusts over wss.

use anyhow::{Result, ensure};
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::publish::{Published, producer_named};
use wigwag_end_to_end::{Authority, SignallingServer};

const ENOUGH: u64 = 30;

/// It says why it does not connect and goes on trying, for the server's certificate may change.
fn assert_not_trusted(server: &SignallingServer, flags: &[&str], reason: &str) -> Result<()> {
    let uri = server.uri();
    let arguments: Vec<&str> = ["test", "--server", &uri]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    let mut published = Published::start(&arguments)?;
    let line = published.wait_for_line("next attempt in 1 s")?;
    ensure!(line.contains(reason), "{line}");
    published.wait_for_line("next attempt in 2 s")?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    let lines = published.lines();
    ensure!(
        !lines.iter().any(|line| line.contains("published as")),
        "{lines:?}"
    );
    Ok(())
}

/// A viewer gets pictures of the test picture.
fn assert_seen(endpoint: &Endpoint) -> Result<()> {
    let id = producer_named(endpoint, "test")?;
    consume(endpoint, &id, ENOUGH)?.wait_for("frames")?;
    Ok(())
}

#[test]
fn a_server_of_the_named_authority_is_trusted() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let (uri, file) = (server.uri(), authority.file());
    let cafile = file.to_string_lossy();
    let mut published = Published::start(&["test", "--server", &uri, "--cafile", &cafile])?;
    published.wait_for_line(&format!("published as \"test\" at {uri}"))?;
    assert_seen(&Endpoint::trusting(uri, &file))
}

#[test]
fn a_server_of_another_authority_is_not() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let stranger = Authority::new()?;
    let file = stranger.file();
    let reason = "none of the authorities that are trusted";
    assert_not_trusted(&server, &["--cafile", &file.to_string_lossy()], reason)?;
    assert_not_trusted(&server, &[], reason)
}

#[test]
fn a_server_with_a_certificate_for_another_host_is_not() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify(&["other.example"])?)?;
    let file = authority.file();
    let flags = ["--cafile", &file.to_string_lossy()];
    assert_not_trusted(&server, &flags, "it is for another host")
}

#[test]
fn any_server_is_taken_if_the_user_says_so() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify(&["other.example"])?)?;
    let uri = server.uri();
    let mut published = Published::start(&["test", "--server", &uri, "--insecure-tls"])?;
    published.wait_for_line("published as \"test\"")?;
    assert_seen(&Endpoint::unverified(uri))
}

#[test]
fn a_certificate_that_becomes_right_is_accepted_without_a_new_start() -> Result<()> {
    let authority = Authority::new()?;
    let wrong = authority.certify(&["other.example"])?;
    let mut server = SignallingServer::start_secure(&wrong)?;
    let (uri, file) = (server.uri(), authority.file());
    let cafile = file.to_string_lossy();
    let mut published = Published::start(&["test", "--server", &uri, "--cafile", &cafile])?;
    published.wait_for_line("next attempt in 1 s")?;
    // In the same files.
    authority.certify_server()?;
    server.kill()?;
    server.start_again()?;
    published.wait_for_line("published as \"test\"")?;
    assert_seen(&Endpoint::trusting(uri, &file))
}
