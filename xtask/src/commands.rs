//! Running other programs, visibly.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::places;

/// Says what is about to happen, and why.
pub(crate) fn say(what: &str) {
    println!("\n=== {what}");
}

/// A command in the top folder of the checkout.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(places::root());
    command
}

/// `cargo` as it runs this, in the top folder of the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(&cargo, arguments);
    // What Cargo tells xtask of xtask's own package is not meant for others.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command.env_remove("CARGO_MANIFEST_DIR");
    // What makes a second build faster costs the first one a quarter more; only where somebody works on the code is
    // there a second one. Cargo makes the folder in any case.
    let incremental = places::target().join("debug/incremental");
    if fs::read_dir(incremental).map_or(0, Iterator::count) == 0 {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Shows a command as one could type it.
pub(crate) fn shown(command: &Command) -> String {
    // The name alone: where a program was found is of no interest.
    let program = Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Runs a command that must succeed.
pub(crate) fn must_run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}
