//! Built third-party crates, kept outside the tree by version, so that a fresh checkout does not build them again.
//!
//! Cargo knows a crate of a registry by its version, features and compiler, wherever it is built; a crate of the
//! workspace it knows by the times of its files, which say nothing across checkouts. So only the former are kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::places;
use crate::record::Record;

/// Entries of one build that are kept: the one in use and the one before it.
const KEPT_ENTRIES: usize = 2;

/// How many versions of the lock file an entry may have collected crates of, before one is built from nothing.
const MAX_GENERATIONS: u32 = 8;

/// The folders of a Cargo profile that hold what is built.
const FINGERPRINTS: &str = ".fingerprint";
const BUILD_SCRIPTS: &str = "build";
const LIBRARIES: &str = "deps";

/// The third-party crates of one build: a workspace in one profile.
pub(crate) struct ThirdParty {
    build: String,
    /// Everything that what is kept depends on.
    version: String,
    /// Where Cargo puts what it builds: a folder of a profile.
    target: PathBuf,
    /// The name of the file with the number of builds that an entry grew by; several builds may share a target folder.
    generation: String,
    own_packages: BTreeSet<String>,
    own_libraries: BTreeSet<String>,
}

impl ThirdParty {
    /// The third-party crates of the workspace with this manifest, built into this folder of a profile.
    pub(crate) fn new(build: &str, manifest: &Path, target: PathBuf) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .other_options(["--locked".to_owned()])
            .exec()?;
        // Those of a path, in the workspace or beside it.
        let own = || {
            metadata
                .packages
                .iter()
                .filter(|package| package.source.is_none())
        };
        let own_libraries = own()
            .flat_map(|package| &package.targets)
            .filter(|target| is_library_target(target))
            .map(|target| target.name.replace('-', "_"));
        let lock = metadata.workspace_root.join("Cargo.lock");
        let lock = fs::read_to_string(&lock).with_context(|| lock.to_string())?;
        let profiles = fs::read_to_string(metadata.workspace_root.join("Cargo.toml"))?;
        let compiler = compiler()?;
        Ok(Self {
            build: build.to_owned(),
            generation: format!("generation-{build}"),
            version: format!(
                "{:016x}-{:016x}",
                places::hash(&compiler),
                places::hash(&(lock + &profiles))
            ),
            target,
            own_packages: own().map(|package| package.name.to_string()).collect(),
            own_libraries: own_libraries.collect(),
        })
    }

    /// Puts what was kept into the target folder, once, in the place of what is there: Cargo builds again what
    /// is older than what it needs. What an earlier version of the lock file left is better than nothing.
    pub(crate) fn restore(&self, record: &mut Record) -> Result<()> {
        if self.target.join(&self.generation).exists() {
            return Ok(());
        }
        let Some(entry) = self.best_entry()? else {
            return Ok(());
        };
        let generation = generation(&entry.join(&self.generation));
        if generation >= MAX_GENERATIONS && !entry.ends_with(&self.version) {
            return Ok(());
        }
        record.say(&format!("third-party crates from {}", entry.display()));
        for folder in [FINGERPRINTS, BUILD_SCRIPTS, LIBRARIES] {
            replace(&entry.join(folder), &self.target.join(folder))?;
        }
        Ok(fs::write(
            self.target.join(&self.generation),
            generation.to_string(),
        )?)
    }

    /// Keeps what is built in the target folder.
    pub(crate) fn save(&self, record: &mut Record) -> Result<()> {
        let entry = self.folder()?.join(&self.version);
        if entry.exists() {
            return Ok(());
        }
        let fresh = self.folder()?.join(format!("fresh-{}", std::process::id()));
        let wanted = |path: &Path| self.is_third_party(path);
        for folder in [FINGERPRINTS, BUILD_SCRIPTS, LIBRARIES] {
            copy_tree(&self.target.join(folder), &fresh.join(folder), &wanted)?;
        }
        // The target folder has the number of the entry that it was restored from.
        let generation = generation(&self.target.join(&self.generation)) + 1;
        fs::write(fresh.join(&self.generation), generation.to_string())?;
        // Another run may have been faster.
        if fs::rename(&fresh, &entry).is_err() {
            fs::remove_dir_all(&fresh)?;
        }
        record.say(&format!("third-party crates kept in {}", entry.display()));
        self.forget_old_entries()
    }

    /// Whether a file or folder in one of the folders of a profile belongs to a crate of a registry.
    fn is_third_party(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((stem, ending)) = split_hash(&name) else {
            return false;
        };
        match ending {
            "" => {
                // A folder is named after a package; a file without an ending is a program, ours or of a build script.
                path.is_dir() && !self.own_packages.contains(stem)
            }
            ".rlib" | ".rmeta" | ".so" => stem
                .strip_prefix("lib")
                .is_some_and(|library| !self.own_libraries.contains(library)),
            ".d" => !self.own_libraries.contains(stem),
            _ => false,
        }
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(places::cache()?.join("third-party").join(&self.build))
    }

    /// The entry of this version, or the newest of this compiler.
    fn best_entry(&self) -> Result<Option<PathBuf>> {
        let exact = self.folder()?.join(&self.version);
        if exact.exists() {
            return Ok(Some(exact));
        }
        let (compiler, _) = self.version.split_once('-').unwrap_or_default();
        let entries = self.entries()?.into_iter();
        let same = entries.filter(|(_, path)| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(compiler))
        });
        Ok(same.map(|(_, path)| path).next_back())
    }

    /// Oldest first.
    fn entries(&self) -> Result<Vec<(SystemTime, PathBuf)>> {
        let folder = self.folder()?;
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            entries.push((entry.metadata()?.modified()?, entry.path()));
        }
        entries.sort();
        Ok(entries)
    }

    fn forget_old_entries(&self) -> Result<()> {
        let mut entries = self.entries()?;
        entries.truncate(entries.len().saturating_sub(KEPT_ENTRIES));
        for (_, old) in entries {
            fs::remove_dir_all(old)?;
        }
        Ok(())
    }
}

fn is_library_target(target: &cargo_metadata::Target) -> bool {
    let is_other = target.is_bin()
        || target.is_test()
        || target.is_bench()
        || target.is_example()
        || target.is_custom_build();
    !is_other
}

/// `NAME-HASH.ENDING` as Cargo names files and folders, in parts.
fn split_hash(name: &str) -> Option<(&str, &str)> {
    const HASH: usize = 16;
    let (stem, rest) = name.rsplit_once('-')?;
    let (hash, ending) = rest.split_at_checked(HASH)?;
    hash.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then_some((stem, ending))
}

fn generation(file: &Path) -> u32 {
    let text = fs::read_to_string(file);
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_default()
}

/// The triple of this machine, as it names folders of builds for a stated target.
pub(crate) fn host_triple() -> Result<String> {
    let compiler = compiler()?;
    let host = compiler
        .lines()
        .find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

pub(crate) fn compiler() -> Result<String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-vV").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Copies each entry of a folder in the place of the one of that name.
fn replace(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let old = to.join(entry?.file_name());
        if old.is_dir() {
            fs::remove_dir_all(old)?;
        } else if old.exists() {
            fs::remove_file(old)?;
        }
    }
    copy_tree(from, to, &|_| true)
}

/// Copies what is wanted at the top and all below it, with its times: Cargo compares them. Libraries are linked: they
/// are large, and nobody writes into one.
fn copy_tree(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if !wanted(&path) {
            continue;
        }
        let copy = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_tree(&path, &copy, &|_| true)?;
        } else if !is_library(&path) || fs::hard_link(&path, &copy).is_err() {
            fs::copy(&path, &copy)?;
            let times = fs::metadata(&path)?;
            let times = fs::FileTimes::new().set_modified(times.modified()?);
            fs::File::open(&copy)?.set_times(times)?;
        }
    }
    Ok(())
}

fn is_library(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending == "rlib" || ending == "rmeta" || ending == "a"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_hash_splits_into_stem_and_ending() {
        assert_eq!(
            split_hash("libhttp-0123456789abcdef.rlib"),
            Some(("libhttp", ".rlib"))
        );
        assert_eq!(
            split_hash("tokio-macros-0123456789abcdef"),
            Some(("tokio-macros", ""))
        );
        assert_eq!(split_hash("libgstwigwag.so"), None);
        assert_eq!(split_hash("a-0123"), None);
    }

    #[test]
    fn third_party_crate_with_the_name_of_a_test_is_kept_and_own_library_is_not() {
        let third_party = ThirdParty {
            build: String::new(),
            generation: String::new(),
            version: String::new(),
            target: PathBuf::new(),
            own_packages: ["wigwag-media".to_owned()].into(),
            own_libraries: ["wigwag_media".to_owned()].into(),
        };
        let kept = |name: &str| third_party.is_third_party(Path::new(name));
        assert!(kept("deps/libhttp-0123456789abcdef.rmeta"));
        assert!(!kept("deps/libwigwag_media-0123456789abcdef.rlib"));
        assert!(!kept("deps/http-0123456789abcdef"));
        assert!(!kept("deps/libgstwigwag.so"));
    }
}
