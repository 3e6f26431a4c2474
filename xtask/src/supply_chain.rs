//! What comes from others: lock files, licences, sources, duplicates, and versions that their authors took back.
//!
//! The registries that can be reached here give no advisories; what they do say of a version is that it was yanked
//! (crates.io, PyPI) or deprecated (npm), and that is checked.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::commands::command;
use crate::record::Record;
use crate::{install, places};

/// Every file that pins what is downloaded, of any package manager. A new one is added here, and so checked.
const LOCK_FILES: [LockFile; 13] = [
    LockFile::Cargo("Cargo.lock", Licences::Ours),
    LockFile::Cargo("crates/client/fuzz/Cargo.lock", Licences::Ours),
    LockFile::Cargo("crates/media/fuzz/Cargo.lock", Licences::Ours),
    LockFile::Cargo("crates/protocol/fuzz/Cargo.lock", Licences::Ours),
    LockFile::Cargo("crates/server/fuzz/Cargo.lock", Licences::Ours),
    LockFile::Cargo(
        "tests/peers/gst-plugin-webrtc/Cargo.lock",
        Licences::OfPeers,
    ),
    LockFile::Npm("tests/browser/package-lock.json"),
    LockFile::Npm("tests/page/package-lock.json"),
    LockFile::Npm("web/package-lock.json"),
    LockFile::Pip("tests/admin-api/requirements.txt"),
    LockFile::Pip("tests/gst-signalling/requirements.txt"),
    LockFile::Pip("tests/lint/requirements.txt"),
    LockFile::Pip("tests/node/requirements.txt"),
];

/// File names that are lock files wherever they stand.
const LOCK_FILE_NAMES: [&str; 7] = [
    "Cargo.lock",
    "package-lock.json",
    "yarn.lock",
    "go.sum",
    "poetry.lock",
    "uv.lock",
    "requirements.txt",
];

/// Where npm packages may come from.
const NPM_REGISTRY: &str = "https://registry.npmjs.org/";

#[derive(Clone, Copy)]
enum LockFile {
    Cargo(&'static str, Licences),
    Npm(&'static str),
    Pip(&'static str),
}

/// Which licences the crates of a lock file may have.
#[derive(Clone, Copy, PartialEq)]
enum Licences {
    /// Those of `deny.toml`.
    Ours,
    /// Any: they are run beside ours, and are no part of it.
    OfPeers,
}

impl LockFile {
    fn path(self) -> &'static str {
        match self {
            Self::Cargo(path, _) | Self::Npm(path) | Self::Pip(path) => path,
        }
    }
}

/// What can be checked at each landing.
pub(crate) fn check(record: &mut Record) -> Result<()> {
    let unlisted = unlisted_lock_files()?;
    for problem in &unlisted {
        record.say(problem);
    }
    record.count(
        "every lock file is in the list of xtask",
        unlisted.is_empty(),
    );
    for lock in LOCK_FILES {
        match lock {
            // Takes a tool that is minutes to build, and crates change seldom.
            LockFile::Cargo(..) => {}
            LockFile::Npm(path) => check_npm(record, path)?,
            LockFile::Pip(path) => check_pins(record, path)?,
        }
    }
    Ok(())
}

/// What takes tools and downloads: crates by `cargo deny`, and whether a pinned Python package was yanked, which pip
/// says when it looks for it.
pub(crate) fn check_registries(record: &mut Record) -> Result<()> {
    let python = install::python(record, &places::root().join("tests/gst-signalling"))?;
    for lock in LOCK_FILES {
        let path = match lock {
            LockFile::Cargo(path, licences) => {
                check_crates(record, path, licences)?;
                continue;
            }
            LockFile::Npm(_) => continue,
            LockFile::Pip(path) => path,
        };
        let arguments = [
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--require-hashes",
            "--requirement",
            path,
        ];
        let output = command(&python.join("pip").to_string_lossy(), &arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        record.say(&said);
        let passed = output.status.success() && !said.contains("yanked");
        record.count(&format!("{path}: nothing was yanked"), passed);
    }
    Ok(())
}

/// Lock files that git knows and the list does not, and the other way round.
fn unlisted_lock_files() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(places::root())
        .output()
        .context("cannot run git")?;
    let files = String::from_utf8(output.stdout)?;
    let present: BTreeSet<&str> = files
        .lines()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            LOCK_FILE_NAMES.contains(&name)
        })
        .collect();
    let listed: BTreeSet<&str> = LOCK_FILES.iter().map(|lock| lock.path()).collect();
    let unlisted = present.difference(&listed);
    let gone = listed.difference(&present);
    Ok(unlisted
        .map(|path| format!("{path} is a lock file that xtask/src/supply_chain.rs does not list"))
        .chain(gone.map(|path| format!("{path} is listed and does not exist")))
        .collect())
}

/// Licences, sources, duplicates, and yanked versions.
fn check_crates(record: &mut Record, lock: &str, licences: Licences) -> Result<()> {
    let manifest = lock.replace("Cargo.lock", "Cargo.toml");
    let program = install::cargo_deny(record)?.join("cargo-deny");
    let mut deny = command(&program.to_string_lossy(), &["--locked", "--manifest-path"]);
    deny.args([&manifest, "check", "--hide-inclusion-graph", "sources"]);
    if licences == Licences::Ours {
        deny.args(["licenses", "bans"]);
    }
    record.check(&mut deny)
}

/// Each package has a hash, comes from the registry, and was not deprecated when the lock file was written.
fn check_npm(record: &mut Record, lock: &str) -> Result<()> {
    let text = fs::read_to_string(places::root().join(lock)).with_context(|| lock.to_owned())?;
    let problems = npm_problems(&serde_json::from_str(&text).with_context(|| lock.to_owned())?);
    for problem in &problems {
        record.say(&format!("{lock}: {problem}"));
    }
    let what = format!("{lock}: hashes, sources, nothing deprecated");
    record.count(&what, problems.is_empty());
    Ok(())
}

fn npm_problems(lock: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let packages = lock["packages"].as_object().into_iter().flatten();
    for (name, package) in packages {
        // The project itself, and the parts of a workspace.
        if !name.contains("node_modules/") || package["link"] == true {
            continue;
        }
        if !package["integrity"].is_string() {
            problems.push(format!("{name} has no hash"));
        }
        // Where no address stands, it is the registry's.
        let resolved = package["resolved"].as_str();
        if resolved.is_some_and(|url| !url.starts_with(NPM_REGISTRY)) {
            problems.push(format!("{name} does not come from the registry"));
        }
        if let Some(message) = package["deprecated"].as_str() {
            problems.push(format!("{name} is deprecated: {message}"));
        }
    }
    problems
}

/// Each Python package is pinned to one version and has hashes.
fn check_pins(record: &mut Record, path: &str) -> Result<()> {
    let text = fs::read_to_string(places::root().join(path)).with_context(|| path.to_owned())?;
    let problems = pin_problems(&text);
    for problem in &problems {
        record.say(&format!("{path}: {problem}"));
    }
    record.count(&format!("{path}: pins with hashes"), problems.is_empty());
    Ok(())
}

fn pin_problems(requirements: &str) -> Vec<String> {
    let joined = requirements.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|line| !line.contains("==") || !line.contains("--hash=sha256:"))
        .map(|line| format!("{line} is not pinned with a hash"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_package_without_hash_or_from_elsewhere_or_deprecated_is_a_problem() {
        let lock = serde_json::json!({ "packages": {
            "": { "name": "ours" },
            "node_modules/good": {
                "resolved": "https://registry.npmjs.org/good/-/good-1.0.0.tgz",
                "integrity": "sha512-x",
            },
            "node_modules/bad": { "resolved": "https://example.org/bad.tgz", "deprecated": "do not use" },
        }});
        assert_eq!(npm_problems(&lock).len(), 3);
    }

    #[test]
    fn requirement_without_version_or_hash_is_a_problem() {
        let good = "a==1.0 \\\n    --hash=sha256:00\n";
        assert!(pin_problems(good).is_empty());
        assert_eq!(
            pin_problems("# why\na==1.0\nb>=2 --hash=sha256:00\n").len(),
            2
        );
    }
}
