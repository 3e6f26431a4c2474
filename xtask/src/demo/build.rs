//! What the demo runs: missing packages are installed and the command is built, side by side where one does not need
//! the other.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use super::progress::Progress;
use crate::commands::{cargo, shown};
use crate::install::{self, Packages};
use crate::places;
use crate::record::Record;

/// Builds fast; see Cargo.toml.
const PROFILE: &str = "demo";

/// Lines of a failed build that are shown.
const SHOWN_LINES: usize = 200;

/// Installs what is missing and builds `wigwag`; returns the program.
pub(super) fn build() -> Result<PathBuf> {
    let [to_build, to_play] = install::missing_for_the_demo(&mut Record::live());
    let progress = Progress::default();
    if !(to_build.is_empty() && to_play.is_empty()) {
        println!("Missing packages will be installed, for");
        for (purpose, packages) in to_build.iter().chain(&to_play) {
            println!("  {purpose}: {}", packages.join(" "));
        }
        // First, because it may ask for a password.
        quietly(install::update)?;
    }
    progress.packages(!(to_build.is_empty() && to_play.is_empty()));
    thread::scope(|scope| -> Result<()> {
        let fetch = scope.spawn(fetch);
        install_quietly(&to_build)?;
        joined(fetch.join())
    })?;
    let program = places::target().join(PROFILE).join("wigwag");
    thread::scope(|scope| {
        let progress = &progress;
        let packages = scope.spawn(|| {
            install_quietly(&to_play)?;
            progress.packages(false);
            Ok(())
        });
        compile(progress)?;
        joined(packages.join())
    })?;
    progress.end();
    // The demo runs in the folder where the user is.
    Ok(Path::new(places::root()).join(program))
}

fn joined(result: thread::Result<Result<()>>) -> Result<()> {
    result.unwrap_or_else(|_| Err(anyhow!("panicked")))
}

fn install_quietly(groups: &[Packages]) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    quietly(|record| install::install(record, groups))
}

/// Shows the output only if something fails.
fn quietly(run: impl FnOnce(&mut Record) -> Result<()>) -> Result<()> {
    let mut record = Record::default();
    run(&mut record).inspect_err(|_| eprintln!("\n{}", record.take_output()))
}

/// Downloads crates, while packages are installed.
fn fetch() -> Result<()> {
    quietly(|record| record.must_run(&mut cargo(&["fetch", "--locked"])))
}

fn compile(progress: &Progress) -> Result<()> {
    let mut build = cargo(&[
        "build",
        "--locked",
        "--profile",
        PROFILE,
        "--package",
        "wigwag",
        "--bin",
        "wigwag",
        // `publish` is all that the demo runs.
        "--no-default-features",
        "--features",
        "gst",
    ]);
    build
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "80")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let name = shown(&build);
    println!("$ {name}");
    let mut child = build.spawn().context("cannot run cargo")?;
    let output = child.stderr.take().context("no output")?;
    let said = watch(output, progress)?;
    let status = child.wait()?;
    if !status.success() {
        let from = said.len().saturating_sub(SHOWN_LINES);
        eprintln!("\n{}", said[from..].join("\n"));
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// Reads what Cargo writes until it ends; returns what is not about progress.
fn watch(output: ChildStderr, progress: &Progress) -> Result<Vec<String>> {
    let (mut said, mut line) = (Vec::new(), Vec::new());
    for byte in BufReader::new(output).bytes() {
        let byte = byte?;
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        match crates_of(&text) {
            Some((done, all)) => progress.crates(done, all),
            None if !text.trim().is_empty() => {
                said.push(text);
                if said.len() > 2 * SHOWN_LINES {
                    said.drain(..SHOWN_LINES);
                }
            }
            None => {}
        }
    }
    Ok(said)
}

/// The numbers in Cargo's `Building [====>    ] 12/340: ring, libc`.
fn crates_of(line: &str) -> Option<(u32, u32)> {
    let (_, rest) = line.split_once("Building [")?;
    let (_, rest) = rest.split_once("] ")?;
    let (numbers, _) = rest.split_once(':')?;
    let (done, all) = numbers.split_once('/')?;
    Some((done.trim().parse().ok()?, all.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_progress_gives_its_numbers_and_another_gives_none() {
        let line = "    Building [=======>                 ] 123/340: str0m, tokio";
        assert_eq!(crates_of(line), Some((123, 340)));
        assert_eq!(crates_of("   Compiling str0m v0.25.0"), None);
    }
}
