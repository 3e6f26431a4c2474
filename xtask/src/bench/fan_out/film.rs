//! A stream that is encoded already: what sending costs shows only where no encoder is in the way.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::commands::{command, must_run, say};
use crate::places;

/// In seconds.
pub(super) const LENGTH: u32 = 20;
pub(super) const FRAMES_PER_SECOND: u32 = 30;
/// Of the picture, in bit/s.
const BITRATE: u32 = 2_000_000;
/// Frames from one key frame to the next: how long a join may have to wait, for a film makes none on demand.
const KEY_FRAMES: u32 = 60;
/// So much noise that the encoder needs all of the rate.
const NOISE: &str = "video/x-raw,width=64,height=36";
const PICTURE: &str = "video/x-raw,width=1280,height=720";

/// A VP8 film of 720p30 at 2 Mbit/s, made once.
pub(super) fn film() -> Result<PathBuf> {
    let folder = places::target().join("bench");
    fs::create_dir_all(&folder)?;
    let film = folder.join(format!("film-{BITRATE}-{LENGTH}.webm"));
    if film.exists() {
        return Ok(film);
    }
    say("Encoding the film that is sent");
    let unfinished = film.with_extension("unfinished");
    let frames = format!("num-buffers={}", LENGTH * FRAMES_PER_SECOND);
    let bitrate = format!("target-bitrate={BITRATE}");
    let key_frames = format!("keyframe-max-dist={KEY_FRAMES}");
    let framerate = format!("{NOISE},framerate={FRAMES_PER_SECOND}/1");
    let location = format!("location={}", unfinished.display());
    let mut encode = command("gst-launch-1.0", &["-q", "videotestsrc", "pattern=snow"]);
    encode.args([
        &frames,
        "!",
        &framerate,
        "!",
        "videoscale",
        "!",
        PICTURE,
        "!",
    ]);
    encode.args(["vp8enc", "end-usage=cbr", "deadline=1", "cpu-used=8"]);
    // A small buffer: each second has the rate, not only the whole.
    encode.args([
        "buffer-size=500",
        "buffer-initial-size=300",
        "buffer-optimal-size=400",
    ]);
    encode.args([&bitrate, &key_frames, "threads=2", "!", "webmmux", "!"]);
    encode.args(["filesink", &location]);
    must_run(&mut encode)?;
    fs::rename(unfinished, &film)?;
    Ok(film)
}
