//! What the tests run: our server, our plugin, and peers that are crates, published by others, built once
//! and kept outside the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::commands::{cargo, command, must_run, say};
use crate::{install, places};

const REFERENCE_VERSION: &str = "0.15.4";

/// The reference's signalling server.
pub(crate) fn reference_server() -> Result<PathBuf> {
    let name = "gst-plugin-webrtc-signalling";
    let folder = format!("{name}-{REFERENCE_VERSION}");
    let folder = places::cache()?.join("peers").join(folder);
    let purpose = "to compare with";
    install::published_program(name, REFERENCE_VERSION, &folder, purpose)?;
    Ok(folder.join("bin/gst-webrtc-signalling-server"))
}

/// Our own server: the program, as users get it.
pub(crate) fn our_server() -> Result<PathBuf> {
    our_programs()?;
    Ok(places::target().join("release/wigwag"))
}

/// The server alone, as our container image has it, but built faster.
pub(crate) fn serve_only() -> Result<PathBuf> {
    say("Building the wigwag command without GStreamer, for the container");
    let target = places::target().join("serve-only");
    let mut build = cargo(&[
        "build",
        "--locked",
        "--no-default-features",
        "--package",
        "wigwag",
        "--bin",
        "wigwag",
    ]);
    // In a folder of its own: the program with all features is not to be built anew for it.
    must_run(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("debug/wigwag"))
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

/// Our own plugin, as users get it: the folder that holds it, and nothing else that GStreamer would scan.
pub(crate) fn our_plugin() -> Result<PathBuf> {
    our_programs()?;
    let folder = places::target().join("plugin");
    fs::create_dir_all(&folder)?;
    let name = "libgstwigwag.so";
    // Put in place as a whole: a pipeline may still run on the one before it.
    let fresh = folder.join("fresh");
    fs::copy(places::target().join("release").join(name), &fresh)?;
    fs::rename(fresh, folder.join(name))?;
    Ok(folder)
}

/// The program and the plugin in one go: one alone is built with other features of our crates than both, and in the
/// place of the other's plugin, so that by turns each would be built anew, for minutes.
fn our_programs() -> Result<()> {
    say("Building the wigwag command and the GStreamer plugin (minutes, the first time)");
    must_run(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "gst-plugin-wigwag",
        "--package",
        "wigwag",
    ]))
}

/// Asks GStreamer for our element. This also writes the registry that all tests use, beside the plugin:
/// to look into every plugin of the system takes seconds, so once is enough.
pub(crate) fn find_our_element(plugin: &Path) -> Result<Command> {
    let registry = plugin.join("registry.bin");
    if registry.exists() {
        fs::remove_file(&registry)?;
    }
    // Without a version, it asks for one of at least GStreamer's.
    let version = concat!("--atleast-version=", env!("CARGO_PKG_VERSION"));
    let mut inspect = command("gst-inspect-1.0", &["--exists", version, "webrtcsink"]);
    inspect
        .env("GST_PLUGIN_PATH", plugin)
        .env("GST_REGISTRY", registry);
    Ok(inspect)
}
