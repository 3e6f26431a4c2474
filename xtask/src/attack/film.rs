//! What the cameras send: small pictures, longer than an attack, so that nothing begins again meanwhile.

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

/// Films, made once.
pub(super) struct Films {
    /// VP8, which is passed through.
    pub(super) encoded: PathBuf,
    /// JPEG of noise, from which an encoder makes whatever rate it is given.
    pub(super) noise: PathBuf,
}

impl Films {
    pub(super) fn make() -> Result<Self> {
        let vp8 = format!(
            "vp8enc deadline=1 cpu-used=8 end-usage=cbr target-bitrate=60000 keyframe-max-dist={KEY_FRAMES} ! webmmux"
        );
        Ok(Self {
            encoded: film("film.webm", "ball", &vp8)?,
            noise: film("noise.mkv", "snow", "jpegenc ! matroskamux")?,
        })
    }
}

fn film(name: &str, pattern: &str, encode: &str) -> Result<PathBuf> {
    let folder = places::target().join("attack");
    fs::create_dir_all(&folder)?;
    let film = folder.join(name);
    if film.exists() {
        return Ok(film);
    }
    say("Encoding a film that cameras send");
    let unfinished = film.with_extension("unfinished");
    let pipeline = format!(
        "videotestsrc pattern={pattern} num-buffers={} ! {PICTURE},framerate={FRAMES_PER_SECOND}/1 ! {encode} ! filesink",
        LENGTH * FRAMES_PER_SECOND
    );
    let mut launch = command("gst-launch-1.0", &["-q"]);
    launch.args(pipeline.split(' '));
    launch.arg(format!("location={}", unfinished.display()));
    must_run(&mut launch)?;
    fs::rename(unfinished, &film)?;
    Ok(film)
}
