//! `cargo xtask test`: everything that must hold before anything lands.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::Result;

use crate::commands::{cargo, command, say};
use crate::counted::Counts;
use crate::{install, peers, places};

/// How long each fuzz target runs here; longer runs are for when something changed.
const FUZZ_SECONDS: u32 = 20;

/// Whatever reads what strangers send, and where its fuzz target is.
const FUZZED: [(&str, &str); 4] = [
    ("crates/protocol/fuzz", "json"),
    ("crates/protocol/fuzz", "text"),
    ("crates/server/fuzz", "request"),
    ("crates/server/fuzz", "frames"),
];

/// The crate whose tests make network interfaces.
const NEEDS_ROOT: &str = "wigwag-link";

/// Installs what the tests need, then runs formatting, lints and every test
#[derive(clap::Args)]
pub(crate) struct Test {
    /// These parts alone
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    /// The crates: formatting, lints, documentation, tests
    Crates,
    /// Our programs with those of others
    Peers,
    /// A while with each fuzz target
    Fuzz,
    /// Viewers that come, go and misbehave
    Soak,
}

pub(crate) fn run(test: &Test) -> Result<ExitCode> {
    // Asked before the tests build it anew: then it would be that of a file which is gone.
    let xtask = env::current_exe()?;
    let mut counts = Counts::default();
    // Whatever happens, the last line says what was counted.
    if let Err(error) = run_parts(test, &mut counts, &xtask) {
        counts.broke_off(&error);
    }
    if !test.parts.is_empty() {
        println!("\nonly: {}", names(&test.parts).join(", "));
    }
    Ok(if counts.summary() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_parts(test: &Test, counts: &mut Counts, xtask: &Path) -> Result<()> {
    install::debian_packages()?;
    let wanted = |part| test.parts.is_empty() || test.parts.contains(&part);
    if wanted(Part::Crates) {
        rust(counts)?;
    }
    if wanted(Part::Peers) {
        peers_of_ours(counts, xtask)?;
    }
    if wanted(Part::Fuzz) {
        fuzz(counts)?;
    }
    if wanted(Part::Soak) {
        soak(counts)?;
    }
    Ok(())
}

/// As they are written on the command line.
fn names(parts: &[Part]) -> Vec<String> {
    let values = parts.iter().filter_map(clap::ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

fn rust(counts: &mut Counts) -> Result<()> {
    say("Formatting, lints and documentation of the Rust crates");
    counts.check(&mut cargo(&["fmt", "--all", "--check"]))?;
    counts.check(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    counts.check(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    let peer = "tests/peers/gst-plugin-webrtc/Cargo.toml";
    counts.check(&mut cargo(&["fmt", "--check", "--manifest-path", peer]))?;

    say("Tests of the Rust crates");
    let mut tests = cargo(&[
        "test",
        "--workspace",
        "--locked",
        // All that fails is to be seen at once.
        "--no-fail-fast",
        "--exclude",
        "wigwag-end-to-end",
    ]);
    if install::is_root()? {
        return counts.suite(&mut tests);
    }
    counts.suite(tests.args(["--exclude", NEEDS_ROOT]))?;
    let mut tests = cargo(&[
        "test",
        "--locked",
        "--no-fail-fast",
        "--package",
        NEEDS_ROOT,
    ]);
    tests.args(["--config", "target.'cfg(unix)'.runner = 'sudo'"]);
    counts.suite(&mut tests)
}

fn peers_of_ours(counts: &mut Counts, xtask: &Path) -> Result<()> {
    let plugin = peers::our_plugin()?;
    let serve = format!("{} serve", peers::our_server()?.display());
    counts.check(&mut peers::find_our_element(&plugin)?)?;
    let reference = peers::reference_server()?;
    let gst_plugin_webrtc = peers::gst_plugin_webrtc()?;
    let serve_only = peers::serve_only()?;
    let container_base = install::container_base()?;

    say("Our webrtcsink, the published webrtcsink and webrtcsrc, and the reference's server");
    counts.suite(
        cargo(&[
            "test",
            "--locked",
            "--no-fail-fast",
            "--package",
            "wigwag-end-to-end",
        ])
        .env("WIGWAG_SERVE", &serve)
        .env("WIGWAG_SERVE_ONLY", &serve_only)
        .env("WIGWAG_CONTAINER_BASE", &container_base)
        .env("WIGWAG_REFERENCE_SERVER", &reference)
        .env("WIGWAG_PEER_GST_WEBRTC", &gst_plugin_webrtc)
        .env("WIGWAG_PLUGIN", &plugin),
    )?;

    let folder = places::root().join("tests/gst-signalling");
    let python = install::python(&folder, &["requirements.txt", "requirements-lint.txt"])?;
    let tool = |name: &str, arguments: &[&str]| {
        let mut tool = command(&python.join(name).to_string_lossy(), arguments);
        tool.current_dir(&folder).env("WIGWAG_SERVE", &serve);
        tool.env("WIGWAG_PLUGIN", &plugin);
        tool
    };
    say("The published gst-signalling (Python)");
    counts.check(&mut tool("ruff", &["check", "."]))?;
    counts.check(&mut tool("ruff", &["format", "--check", "."]))?;
    counts.check(&mut tool("mypy", &["."]))?;
    counts.suite(&mut tool("python", &["-m", "pytest"]))?;

    admin_api(counts, &serve)?;

    let folder = places::root().join("tests/browser");
    let node = install::node()?;
    install::npm_packages(&folder, &node)?;
    let path = install::with_path(&node)?;
    let npm = |arguments: &[&str]| {
        let mut npm = command("npm", arguments);
        npm.current_dir(&folder).env("PATH", &path);
        npm.env("WIGWAG_SERVE", &serve);
        npm.env("WIGWAG_PLUGIN", &plugin);
        npm
    };
    say("The published gstwebrtc-api in Chromium and Firefox");
    counts.check(&mut npm(&["run", "lint"]))?;
    counts.suite(&mut npm(&["test"]))?;

    say("The browser API and the page");
    let web = places::root().join("web");
    install::npm_packages(&web, &node)?;
    let npm = |folder: &Path, arguments: &[&str]| {
        let mut npm = command("npm", arguments);
        npm.current_dir(folder).env("PATH", &path);
        npm.env("WIGWAG_SERVE", &serve);
        npm.env("WIGWAG_PLUGIN", &plugin);
        npm.env("WIGWAG_REFERENCE_SERVER", &reference);
        npm.env("WIGWAG_XTASK", xtask);
        npm.env("WIGWAG_PEER_GST_WEBRTC", &gst_plugin_webrtc);
        npm
    };
    counts.check(&mut npm(&web, &["run", "lint"]))?;
    counts.check(&mut npm(&web, &["test"]))?;
    counts.check(&mut npm(&web, &["run", "check-built"]))?;
    let page = places::root().join("tests/page");
    install::npm_packages(&page, &node)?;
    counts.check(&mut npm(&page, &["run", "lint"]))?;
    counts.suite(&mut npm(&page, &["test"]))
}

fn admin_api(counts: &mut Counts, serve: &str) -> Result<()> {
    let folder = places::root().join("tests/admin-api");
    let python = install::python(&folder, &["requirements.txt", "requirements-lint.txt"])?;
    let tool = |name: &str, arguments: &[&str]| {
        let mut tool = command(&python.join(name).to_string_lossy(), arguments);
        tool.current_dir(&folder).env("WIGWAG_SERVE", serve);
        tool
    };
    say("The admin API as its OpenAPI document promises it (schemathesis)");
    counts.check(&mut tool("ruff", &["check", "."]))?;
    counts.check(&mut tool("ruff", &["format", "--check", "."]))?;
    counts.check(&mut tool("mypy", &["."]))?;
    counts.suite(&mut tool("python", &["-m", "pytest"]))
}

fn soak(counts: &mut Counts) -> Result<()> {
    say("Viewers that come, go and misbehave, for three minutes");
    // By way of Cargo: the tests may have built another xtask in the place of this one.
    counts.check(&mut cargo(&["xtask", "soak", "--minutes=3"]))
}

fn fuzz(counts: &mut Counts) -> Result<()> {
    let bin = install::cargo_fuzz()?;
    let program = bin.join("cargo-fuzz");
    for (folder, target) in FUZZED {
        say(&format!("Fuzzing the reader of {target}, {FUZZ_SECONDS} s"));
        // What the fuzzer finds on its way; the seeds in the tree stay as they are.
        let found = places::target().join("fuzz-corpus").join(target);
        fs::create_dir_all(&found)?;
        // The fuzzer would bring a lock file up to date without a word.
        let manifest = format!("{folder}/Cargo.toml");
        counts.check(&mut cargo(&[
            "fetch",
            "--locked",
            "--manifest-path",
            &manifest,
        ]))?;
        let mut fuzz = command(&program.to_string_lossy(), &["fuzz", "run"]);
        fuzz.args(["--fuzz-dir", folder, "--target-dir"])
            .arg(places::target().join("fuzz"))
            .arg(target)
            .arg(&found)
            .arg(format!("{folder}/seeds/{target}"))
            .arg("--")
            .arg(format!("-max_total_time={FUZZ_SECONDS}"))
            .args(["-max_len=4096", "-verbosity=0", "-print_funcs=0"]);
        // The fuzzer's instrumentation is there on a stable toolchain, but has to be asked for.
        counts.check(fuzz.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}
