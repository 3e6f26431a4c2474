//! The parts of `cargo xtask test`, each a few commands.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};

use super::programs::{self, END_TO_END, TestProgram};
use super::schedule::{Lane, Part};
use crate::commands::{cargo, command};
use crate::install::Speed;
use crate::peers::Programs;
use crate::record::Record;
use crate::third_party::ThirdParty;
use crate::{fuzz, install, peers, places, supply_chain};

/// What our programs and tests are built as, all of them: one build serves every part.
pub(super) const PROFILE: &str = "dev";
/// The folder of that profile.
const PROFILE_FOLDER: &str = "debug";

/// Test programs with programs of others that run at once: most of their time they wait for browsers and pipelines.
const END_TO_END_AT_ONCE: usize = 2;

/// A test program of a part of its own, in the long circle.
pub(super) const CONTAINER: &str = "container";

/// Test programs with programs of others that take long, in that circle too.
const LONG_PROGRAMS: [&str; 2] = ["load", "many_peers"];

/// For each fuzz target; `cargo xtask fuzz` runs them longer.
const FUZZ_TIME: Duration = Duration::from_secs(10);

/// What some parts make and others use.
#[derive(Default)]
pub(super) struct Made {
    pub(super) tests: OnceLock<Vec<TestProgram>>,
    pub(super) programs: OnceLock<Programs>,
    /// As users get them.
    pub(super) released: OnceLock<Programs>,
    /// `cargo xtask` itself, as this run was started.
    pub(super) xtask: OnceLock<PathBuf>,
    reference: OnceLock<PathBuf>,
    gst_plugin_webrtc: OnceLock<PathBuf>,
    node: OnceLock<PathBuf>,
}

impl Made {
    pub(super) fn get<'a, T>(&self, made: &'a OnceLock<T>) -> Result<&'a T> {
        made.get().context("a part that this one needs did not run")
    }

    /// What the tests with programs of others read.
    pub(super) fn variables(&self) -> Result<Vec<(&'static str, String)>> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let programs = self.get(&self.programs)?;
        let built = places::target().join(PROFILE_FOLDER);
        let changing_pads = built.join("examples/changing_pads");
        let mut variables = vec![
            ("WIGWAG_SERVE", programs.serve()),
            ("WIGWAG_PLUGIN", text(&programs.plugin)),
            ("WIGWAG_CHANGING_PADS", text(&changing_pads)),
            ("WIGWAG_XTASK", text(self.get(&self.xtask)?)),
        ];
        let peers = [
            ("WIGWAG_REFERENCE_SERVER", &self.reference),
            ("WIGWAG_PEER_GST_WEBRTC", &self.gst_plugin_webrtc),
        ];
        for (name, path) in peers {
            variables.extend(path.get().map(|path| (name, text(path))));
        }
        Ok(variables)
    }
}

/// What runs at each landing, within a lane in this order: the suites that take longest first.
pub(super) fn every_landing(made: &Made) -> Vec<Part<'_>> {
    let build = Part::new("build", Lane::Build, &["packages"], |record| {
        build(record, made)
    });
    let published = Part::new("published", Lane::Build, &["packages"], |record| {
        published(record, made)
    });
    // What is kept takes no time, and the longest suites wait for it.
    let kept = peers::published_are_kept(Speed::QuickToBuild).unwrap_or_default();
    let [first, second] = match kept {
        true => [published, build],
        false => [build, published],
    };
    vec![
        Part::new("packages", Lane::Install, &[], install::debian_packages),
        Part::new("npm", Lane::Install, &["packages"], |record| {
            npm(record, made)
        }),
        Part::new("python", Lane::Install, &["packages"], |record| {
            for folder in [GST_SIGNALLING, ADMIN_API] {
                install::python(record, &places::root().join(folder))?;
            }
            Ok(())
        }),
        first,
        second,
        Part::new("fuzz-targets", Lane::Build, &["packages"], fuzz::build).giving_way(),
        Part::new("lints", Lane::Build, &["packages"], lints).giving_way(),
        Part::new(
            "documentation",
            Lane::Build,
            &["packages", "build"],
            documentation,
        )
        .giving_way(),
        Part::new(
            "supply-chain",
            Lane::Build,
            &["packages", "npm"],
            supply_chain::check,
        ),
        Part::new(
            "page",
            Lane::Run,
            &["build", "published", "npm"],
            |record| {
                node_lint(record, made, "tests/page")?;
                node_suite(record, made, "tests/page", "test:others")
            },
        ),
        Part::new("browser", Lane::Run, &["build", "npm"], |record| {
            node_lint(record, made, "tests/browser")?;
            node_suite(record, made, "tests/browser", "test")
        })
        .encoding_all(),
        Part::new("crates", Lane::Run, &["build"], |record| {
            programs::run_crates(record, made.get(&made.tests)?)
        }),
        Part::new("end-to-end", Lane::Run, &["build", "published"], |record| {
            end_to_end(record, made)
        }),
        Part::new("page-media", Lane::Run, &["build", "npm"], |record| {
            node_suite(record, made, "tests/page", "test:media")
        })
        .encoding_all(),
        Part::new("soak", Lane::Run, &["build"], |record| {
            soak(record, made, &made.programs, "1")
        }),
        Part::new(
            "gst-signalling",
            Lane::Run,
            &["build", "python"],
            |record| python_suite(record, made, GST_SIGNALLING),
        ),
        Part::new("admin-api", Lane::Run, &["build", "python"], |record| {
            python_suite(record, made, ADMIN_API)
        }),
        Part::new("web", Lane::Run, &["npm"], |record| web(record, made)),
        Part::new("fuzz", Lane::Run, &["fuzz-targets"], |record| {
            fuzz::every_target(record, FUZZ_TIME)
        }),
        // Other suites beside it would be attacked, too.
        Part::new("attack", Lane::Alone, &["build"], |record| {
            attack_in_short(record, made)
        }),
    ]
}

const GST_SIGNALLING: &str = "tests/gst-signalling";
const ADMIN_API: &str = "tests/admin-api";
const NPM_PROJECTS: [&str; 3] = ["tests/browser", "web", "tests/page"];

pub(super) fn npm(record: &mut Record, made: &Made) -> Result<()> {
    let node = install::node(record)?;
    for project in NPM_PROJECTS {
        install::npm_packages(record, &places::root().join(project), &node)?;
    }
    made.node.get_or_init(|| node);
    Ok(())
}

/// All tests, our programs, the plugin.
pub(super) fn build(record: &mut Record, made: &Made) -> Result<()> {
    let folder = places::target().join(PROFILE_FOLDER);
    let manifest = places::root().join("Cargo.toml");
    let third_party = ThirdParty::new("workspace", &manifest, folder.clone())?;
    third_party.restore(record)?;
    let tests = programs::build(record, PROFILE)?;
    third_party.save(record)?;
    let programs = Programs::in_folder(&folder)?;
    record.check(&mut programs.find_element()?)?;
    made.tests.get_or_init(|| tests);
    made.programs.get_or_init(|| programs);
    Ok(())
}

/// Published peers that are crates.
pub(super) fn published(record: &mut Record, made: &Made) -> Result<()> {
    let program = peers::gst_plugin_webrtc(record, Speed::QuickToBuild)?;
    made.gst_plugin_webrtc.get_or_init(|| program);
    let server = peers::reference_server(record, Speed::QuickToBuild)?;
    made.reference.get_or_init(|| server);
    Ok(())
}

fn lints(record: &mut Record) -> Result<()> {
    record.check(&mut cargo(&["fmt", "--all", "--check"]))?;
    let peer = "tests/peers/gst-plugin-webrtc/Cargo.toml";
    record.check(&mut cargo(&["fmt", "--check", "--manifest-path", peer]))?;
    let checked = checked();
    let manifest = places::root().join("Cargo.toml");
    let folder = checked.join(PROFILE_FOLDER);
    let third_party = ThirdParty::new("workspace-checked", &manifest, folder)?;
    third_party.restore(record)?;
    let mut clippy = cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    record.check(clippy.env("CARGO_TARGET_DIR", checked))?;
    third_party.save(record)
}

/// The features of the server that can be left out.
const SERVER_FEATURES: [&str; 4] = ["acme", "admin", "metrics", "text"];

/// The server builds without warnings with each set of its features.
pub(super) fn server_features(record: &mut Record) -> Result<()> {
    for set in 0..1_usize << SERVER_FEATURES.len() {
        let features = SERVER_FEATURES.iter().enumerate();
        let features = features.filter(|(index, _)| set & (1 << index) != 0);
        let features: Vec<_> = features.map(|(_, feature)| *feature).collect();
        let mut clippy = cargo(&[
            "clippy",
            "--package",
            "wigwag-server",
            "--no-default-features",
            "--features",
            &features.join(","),
            "--locked",
            "--",
            "-D",
            "warnings",
        ]);
        record.check(clippy.env("CARGO_TARGET_DIR", checked()))?;
    }
    Ok(())
}

/// Where what is only looked at is built: its third-party crates are kept apart from those that run.
fn checked() -> PathBuf {
    places::target().join("checked")
}

/// It builds, and its examples run.
fn documentation(record: &mut Record) -> Result<()> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    record.check(doc.env("CARGO_TARGET_DIR", checked()))?;
    record.suite(&mut cargo(&["test", "--workspace", "--locked", "--doc"]))
}

fn end_to_end(record: &mut Record, made: &Made) -> Result<()> {
    let tests = made.get(&made.tests)?.iter();
    let tests = tests.filter(|program| {
        let target = program.target.as_str();
        program.package == END_TO_END && target != CONTAINER && !LONG_PROGRAMS.contains(&target)
    });
    programs::run(
        record,
        tests.cloned().collect(),
        &made.variables()?,
        END_TO_END_AT_ONCE,
    )
}

/// Those of them that take long.
pub(super) fn end_to_end_long(record: &mut Record, made: &Made) -> Result<()> {
    let tests = made.get(&made.tests)?.iter();
    let tests = tests.filter(|program| {
        program.package == END_TO_END && LONG_PROGRAMS.contains(&program.target.as_str())
    });
    programs::run(record, tests.cloned().collect(), &made.variables()?, 1)
}

/// The suites in browsers, with the tests that take long.
pub(super) fn browsers_long(record: &mut Record, made: &Made) -> Result<()> {
    for (folder, script) in [("tests/browser", "test"), ("tests/page", "test")] {
        let mut test = npm_run(made, folder, &["run", script])?;
        record.suite(test.envs(made.variables()?).env("WIGWAG_LONG", "1"))?;
    }
    Ok(())
}

fn node_lint(record: &mut Record, made: &Made, folder: &str) -> Result<()> {
    record.check(&mut npm_run(made, folder, &["run", "lint"])?)
}

fn node_suite(record: &mut Record, made: &Made, folder: &str, script: &str) -> Result<()> {
    let mut test = npm_run(made, folder, &["run", script])?;
    record.suite(test.envs(made.variables()?))
}

/// The browser API and the sources of the page.
fn web(record: &mut Record, made: &Made) -> Result<()> {
    for arguments in [&["run", "lint"][..], &["test"], &["run", "check-built"]] {
        record.check(&mut npm_run(made, "web", arguments)?)?;
    }
    Ok(())
}

fn npm_run(made: &Made, folder: &str, arguments: &[&str]) -> Result<Command> {
    let node = made.get(&made.node)?;
    let mut npm = command("npm", arguments);
    npm.current_dir(places::root().join(folder))
        .env("PATH", install::with_path(node)?);
    Ok(npm)
}

fn python_suite(record: &mut Record, made: &Made, folder: &str) -> Result<()> {
    let folder = places::root().join(folder);
    let python = install::python(record, &folder)?;
    let tool = |name: &str, arguments: &[&str]| {
        let mut tool = command(&python.join(name).to_string_lossy(), arguments);
        tool.current_dir(&folder);
        tool
    };
    record.check(&mut tool("ruff", &["check", "."]))?;
    record.check(&mut tool("ruff", &["format", "--check", "."]))?;
    record.check(&mut tool("mypy", &["."]))?;
    record.suite(tool("python", &["-m", "pytest"]).envs(made.variables()?))
}

/// Viewers that come, go and misbehave.
pub(super) fn soak(
    record: &mut Record,
    made: &Made,
    programs: &OnceLock<Programs>,
    minutes: &str,
) -> Result<()> {
    let programs = made.get(programs)?;
    let xtask = made.get(&made.xtask)?;
    let mut soak = command(&xtask.to_string_lossy(), &["soak", "--minutes", minutes]);
    soak.arg("--wigwag").arg(&programs.wigwag);
    soak.arg("--plugin").arg(&programs.plugin);
    record.check(&mut soak)
}

/// All attacks at once, on what the other tests run.
fn attack_in_short(record: &mut Record, made: &Made) -> Result<()> {
    let programs = made.get(&made.programs)?;
    // Of the same build, and so with all features.
    let xtask = places::target().join(PROFILE_FOLDER).join("xtask");
    let mut attack = command(&xtask.to_string_lossy(), &["attack", "--short", "--wigwag"]);
    record.check(attack.arg(&programs.wigwag))
}

/// Each attack, from few addresses and many.
pub(super) fn attack(record: &mut Record, made: &Made) -> Result<()> {
    let xtask = made.get(&made.xtask)?;
    record.check(&mut command(&xtask.to_string_lossy(), &["attack"]))
}
