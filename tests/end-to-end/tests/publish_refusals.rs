//! What `wigwag publish` refuses at the start, in a line that says what to do, instead of trying it for ever.

use std::fs;

use anyhow::{Result, ensure};
use wigwag_end_to_end::publish::{Media, Published};

/// It ends at once with this code and one line that contains this text.
fn assert_refused(arguments: &[&str], code: i32, text: &str) -> Result<()> {
    let mut published = Published::start(arguments)?;
    let status = published.wait_for_exit()?;
    let lines = published.lines();
    ensure!(
        status.code() == Some(code) && lines.len() == 1 && lines[0].contains(text),
        "{arguments:?}: {status}: {lines:?}"
    );
    Ok(())
}

#[test]
fn a_camera_that_is_not_there_or_is_none() -> Result<()> {
    assert_refused(
        &["/dev/video99"],
        1,
        "error: no camera at /dev/video99: it does not exist",
    )?;
    assert_refused(
        &["v4l2:///dev/null"],
        1,
        "error: no camera at /dev/null: it is something else",
    )?;
    // Not even the test picture is published when an input beside it cannot be.
    assert_refused(
        &["test", "--input", "/dev/video99"],
        1,
        "error: no camera at /dev/video99",
    )
}

#[test]
fn addresses_of_servers_that_are_none() -> Result<()> {
    for address in [
        "stun.example.org:3478",
        "turn://a:1",
        "stun://",
        "stun://:3478",
        "stun://a:99999",
    ] {
        assert_refused(
            &["test", "--stun-server", address],
            2,
            "write it like stun://example.org:3478",
        )?;
    }
    for address in [
        "127.0.0.1:8443",
        "http://127.0.0.1:8443",
        "ws://127.0.0.1:x",
    ] {
        assert_refused(
            &["test", "--server", address],
            2,
            "write it like ws://127.0.0.1:8443 or wss://example.org:8443",
        )?;
    }
    Ok(())
}

#[test]
fn authorities_in_a_file_that_holds_none() -> Result<()> {
    let media = Media::new()?;
    let path = media.path("ca.pem");
    let cafile = path.to_string_lossy();
    let arguments = ["test", "--server", "wss://127.0.0.1:1", "--cafile", &cafile];
    assert_refused(&arguments, 1, "No such file")?;
    fs::write(&path, "These are words.\n")?;
    assert_refused(&arguments, 1, "ca.pem: it holds no certificate in PEM form")
}

#[test]
fn flags_that_contradict_each_other() -> Result<()> {
    let wss = "wss://127.0.0.1:1";
    for arguments in [
        &["test", "--embed", "--server", wss][..],
        &["test", "--embed", "--insecure-tls"],
        &[
            "test",
            "--server",
            wss,
            "--cafile",
            "ca.pem",
            "--insecure-tls",
        ],
    ] {
        assert_refused(arguments, 2, "cannot be used with")?;
    }
    assert_refused(
        &["test", "--name", "A", "--name", "B"],
        2,
        "2 names for 1 inputs",
    )?;
    assert_refused(&["test", "--host", "127.0.0.1"], 2, "--embed")
}
