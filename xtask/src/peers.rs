//! Peers that are crates: published by others, built once, kept outside the tree.

use std::path::PathBuf;

use anyhow::Result;

use crate::commands::{cargo, must_run, say};
use crate::install::{is_done, mark_done};
use crate::places;

const REFERENCE_VERSION: &str = "0.15.4";

/// The reference's signalling server.
pub(crate) fn reference_server() -> Result<PathBuf> {
    let name = format!("gst-plugin-webrtc-signalling-{REFERENCE_VERSION}");
    let folder = places::cache()?.join("peers").join(name);
    if !is_done(&folder) {
        say(&format!(
            "Building the reference's signalling server {REFERENCE_VERSION} (once)"
        ));
        let version = format!("={REFERENCE_VERSION}");
        let mut install = cargo(&["install", "--locked", "gst-plugin-webrtc-signalling"]);
        must_run(
            install
                .args(["--version", &version])
                .arg("--root")
                .arg(&folder),
        )?;
        mark_done(&folder)?;
    }
    Ok(folder.join("bin/gst-webrtc-signalling-server"))
}

/// Our small program around the published `webrtcsink` and `webrtcsrc`.
pub(crate) fn gst_plugin_webrtc() -> Result<PathBuf> {
    say("Building the peer program with the published webrtcsink and webrtcsrc (long only once)");
    let target = places::cache()?.join("peers/gst-plugin-webrtc");
    let manifest = places::root().join("tests/peers/gst-plugin-webrtc/Cargo.toml");
    let mut build = cargo(&["build", "--release", "--locked", "--manifest-path"]);
    must_run(build.arg(manifest).env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("release/wigwag-peer-gst-plugin-webrtc"))
}
