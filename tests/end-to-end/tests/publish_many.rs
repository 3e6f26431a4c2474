//! `wigwag publish --config`: many cameras in a file that changes, and cameras that are called only while somebody watches.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use wigwag_end_to_end::publish::{Published, RtspServer};
use wigwag_end_to_end::{PictureViewer, SignallingServer};

const ENOUGH: u64 = 20;
fn camera(name: &str, input: &str, more: &str) -> String {
    format!("[[camera]]\nname = \"{name}\"\ninput = \"{input}\"\n{more}\n")
}

fn publish(server: &SignallingServer, file: &Path) -> Result<Published> {
    let file = file.to_string_lossy();
    Published::start(&["--config", &file, "--server", &server.uri()])
}

#[test]
fn file_that_changes_adds_and_ends_cameras_and_others_go_on() -> Result<()> {
    let server = SignallingServer::start()?;
    let folder = TempDir::new()?;
    let file = folder.path().join("cameras.toml");
    let (one, two) = (RtspServer::start()?, RtspServer::start()?);
    // Nothing listens there, which is no harm to the others.
    let absent = camera("Absent", "rtsp://127.0.0.1:9/x", "");
    let stays = camera("Stays", &one.uri(), "");
    fs::write(
        &file,
        format!("{stays}{}{absent}", camera("Goes", &two.uri(), "")),
    )?;
    let mut published = publish(&server, &file)?;
    published.wait_for_line("published as \"Goes\"")?;
    published.wait_for_line("Absent: ")?;
    let mut viewer = PictureViewer::watch(&server, "Stays", ENOUGH)?;

    fs::write(&file, format!("{stays}[[camera"))?;
    published.wait_for_line("the cameras stay as they were")?;
    fs::write(&file, format!("{stays}{}", camera("Comes", &two.uri(), "")))?;
    published.wait_for_line("published as \"Comes\"")?;
    viewer.wait_for_more(ENOUGH)?;
    ensure!(published.signal("TERM")?.code() == Some(0));
    Ok(())
}

#[test]
fn camera_on_demand_is_called_while_somebody_watches() -> Result<()> {
    let server = SignallingServer::start()?;
    let folder = TempDir::new()?;
    let file = folder.path().join("cameras.toml");
    let mut gate = RtspServer::start()?;
    fs::write(&file, camera("Gate", &gate.uri(), "on_demand = true"))?;
    let mut published = publish(&server, &file)?;
    gate.wait_until_asked()?;
    published.wait_for_line("nobody watches; it is called when somebody does")?;
    for _ in 0..2 {
        let mut viewer = PictureViewer::watch(&server, "Gate", ENOUGH)?;
        gate.wait_until_asked()?;
        viewer.stop()?;
        published.wait_for_new_line("nobody watches; it is called when somebody does")?;
    }
    Ok(())
}
