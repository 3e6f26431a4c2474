//! What the tests and benchmarks run: our programs, and peers that are crates, published by others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::commands::{cargo, command};
use crate::install::Speed;
use crate::record::Record;
use crate::third_party::compiler;
use crate::{install, places};

const REFERENCE_VERSION: &str = "0.15.4";

/// The lock file of our program around the published elements, and of what it is built with.
const GST_PLUGIN_WEBRTC: &str = "tests/peers/gst-plugin-webrtc";
const GST_PLUGIN_WEBRTC_CACHE: &str = "peers/gst-plugin-webrtc";
const GST_PLUGIN_WEBRTC_NAME: &str = "wigwag-peer-gst-plugin-webrtc";
/// The source that it shares with us.
const CLOCK_PICTURE: &str = "crates/gst/examples/clock_picture/source.rs";
const REFERENCE_SERVER: &str = "gst-plugin-webrtc-signalling";

/// Our command and our plugin.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) wigwag: PathBuf,
    /// The folder that holds the plugin, and nothing else that GStreamer would scan.
    pub(crate) plugin: PathBuf,
}

impl Programs {
    /// As users get them: what is measured.
    pub(crate) fn released(record: &mut Record) -> Result<Self> {
        record.say(
            "\n=== Building the wigwag command and the GStreamer plugin (minutes, the first time)",
        );
        // In one go: one alone is built with other features of our crates than both, and in the place of the other's
        // plugin, so that by turns each would be built again.
        record.must_run(&mut cargo(&[
            "build",
            "--release",
            "--locked",
            "--package",
            "gst-plugin-wigwag",
            "--package",
            "wigwag",
        ]))?;
        Self::in_folder(&places::target().join("release"))
    }

    /// From the folder of a profile.
    pub(crate) fn in_folder(built: &Path) -> Result<Self> {
        let plugin = built.join("plugin");
        fs::create_dir_all(&plugin)?;
        let name = "libgstwigwag.so";
        // Put in place as a whole: a pipeline may still run on the one before it.
        let fresh = plugin.join("fresh");
        // Not from the folder itself: there it is only after a build that named it, not as a part of tests.
        fs::copy(built.join("deps").join(name), &fresh)?;
        fs::rename(fresh, plugin.join(name))?;
        Ok(Self {
            wigwag: built.join("wigwag"),
            plugin,
        })
    }

    /// The command line of our server.
    pub(crate) fn serve(&self) -> String {
        format!("{} serve", self.wigwag.display())
    }

    /// A command that asks GStreamer for our element. It also writes the registry that all tests use, beside the
    /// plugin: to look into every plugin of the system takes seconds, so once is enough.
    pub(crate) fn find_element(&self) -> Result<Command> {
        let registry = self.plugin.join("registry.bin");
        if registry.exists() {
            fs::remove_file(&registry)?;
        }
        // Without a version, it asks for one of at least GStreamer's.
        let version = concat!("--atleast-version=", env!("CARGO_PKG_VERSION"));
        let mut inspect = command("gst-inspect-1.0", &["--exists", version, "webrtcsink"]);
        inspect
            .env("GST_PLUGIN_PATH", &self.plugin)
            .env("GST_REGISTRY", registry);
        Ok(inspect)
    }
}

/// The reference's signalling server.
pub(crate) fn reference_server(record: &mut Record, speed: Speed) -> Result<PathBuf> {
    let bin = install::published_programs(record, REFERENCE_SERVER, REFERENCE_VERSION, speed)?;
    Ok(bin.join("gst-webrtc-signalling-server"))
}

/// The server alone, as our container image has it, but built faster.
pub(crate) fn serve_only(record: &mut Record) -> Result<PathBuf> {
    let target = places::target().join("serve-only");
    let mut build = cargo(&[
        "build",
        "--locked",
        "--no-default-features",
        "--features",
        "acme",
        "--package",
        "wigwag",
        "--bin",
        "wigwag",
    ]);
    // In a folder of its own: the program with all features is not to be built again for it.
    record.must_run(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("debug/wigwag"))
}

/// Whether the published peers need not be built.
pub(crate) fn published_are_kept(speed: Speed) -> Result<bool> {
    let element = gst_plugin_webrtc_kept(speed)?.join(GST_PLUGIN_WEBRTC_NAME);
    let server = install::has_published_programs(REFERENCE_SERVER, REFERENCE_VERSION, speed)?;
    Ok(server && element.exists())
}

/// Where our small program around the published elements is kept, by what it is built from.
fn gst_plugin_webrtc_kept(speed: Speed) -> Result<PathBuf> {
    let folder = places::root().join(GST_PLUGIN_WEBRTC);
    let mut sources = vec![
        folder.join("Cargo.toml"),
        folder.join("Cargo.lock"),
        places::root().join(CLOCK_PICTURE),
    ];
    for source in fs::read_dir(folder.join("src"))? {
        sources.push(source?.path());
    }
    sources.sort();
    let mut built_from = compiler()?;
    for source in &sources {
        built_from += &fs::read_to_string(source).with_context(|| source.display().to_string())?;
    }
    let name = format!("{:016x}-{speed:?}", places::hash(&built_from));
    Ok(places::cache()?.join(GST_PLUGIN_WEBRTC_CACHE).join(name))
}

/// Our small program around the published `webrtcsink` and `webrtcsrc`.
pub(crate) fn gst_plugin_webrtc(record: &mut Record, speed: Speed) -> Result<PathBuf> {
    let manifest = places::root().join(GST_PLUGIN_WEBRTC).join("Cargo.toml");
    let all = places::cache()?.join(GST_PLUGIN_WEBRTC_CACHE);
    let kept = gst_plugin_webrtc_kept(speed)?;
    let name = GST_PLUGIN_WEBRTC_NAME;
    if kept.join(name).exists() {
        return Ok(kept.join(name));
    }
    let target = all.join("target");
    let mut build = cargo(&["build", "--locked", "--manifest-path"]);
    let profile = speed.apply(build.arg(&manifest).env("CARGO_TARGET_DIR", &target));
    record.must_run(&mut build)?;
    fs::create_dir_all(&kept)?;
    let fresh = kept.join("fresh");
    fs::copy(target.join(profile).join(name), &fresh)?;
    fs::rename(fresh, kept.join(name))?;
    // What its build leaves behind is of no use to anybody.
    fs::remove_dir_all(target)?;
    Ok(kept.join(name))
}
