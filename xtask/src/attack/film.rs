//! The pictures of the cameras: small, encoded already, and longer than an attack, so that nothing begins again meanwhile.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::commands::{command, must_run, say};
use crate::places;

/// In seconds.
const LENGTH: u32 = 120;
const FRAMES_PER_SECOND: u32 = 15;
/// Frames from one key frame to the next: so few that a newcomer waits for the network, not for a picture to begin with.
const KEY_FRAMES: u32 = 3;
const PICTURE: &str = "video/x-raw,width=160,height=120";

/// A VP8 film, made once.
pub(super) fn film() -> Result<PathBuf> {
    let folder = places::target().join("attack");
    fs::create_dir_all(&folder)?;
    let film = folder.join("film.webm");
    if film.exists() {
        return Ok(film);
    }
    say("Encoding the film that the cameras send");
    let unfinished = film.with_extension("unfinished");
    let mut encode = command("gst-launch-1.0", &["-q", "videotestsrc", "pattern=ball"]);
    encode
        .arg(format!("num-buffers={}", LENGTH * FRAMES_PER_SECOND))
        .args([
            "!",
            &format!("{PICTURE},framerate={FRAMES_PER_SECOND}/1"),
            "!",
            "vp8enc",
        ])
        .args([
            "deadline=1",
            "cpu-used=8",
            "end-usage=cbr",
            "target-bitrate=60000",
        ])
        .arg(format!("keyframe-max-dist={KEY_FRAMES}"))
        .args(["!", "webmmux", "!", "filesink"])
        .arg(format!("location={}", unfinished.display()));
    must_run(&mut encode)?;
    fs::rename(unfinished, &film)?;
    Ok(film)
}
