//! `cargo xtask fuzz`: the parsers of untrusted input, with inputs that the fuzzer makes up.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::commands::{cargo, command};
use crate::record::Record;
use crate::third_party::ThirdParty;
use crate::{install, places, third_party};

/// The longest input that is tried, in bytes.
const MAX_INPUT: u32 = 4096;

/// Each fuzz target by its folder and name; seeds stand beside it.
const TARGETS: [(&str, &str); 4] = [
    ("crates/protocol/fuzz", "json"),
    ("crates/protocol/fuzz", "text"),
    ("crates/server/fuzz", "request"),
    ("crates/server/fuzz", "frames"),
];

/// Runs the fuzz targets; inputs that fail stand in the folder `artifacts` beside the target
#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// This target alone
    target: Option<String>,

    /// How long each runs
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
}

pub(crate) fn run(arguments: &Fuzz) -> Result<ExitCode> {
    let mut record = Record::live();
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    if let Some(name) = &arguments.target
        && !TARGETS.iter().any(|(_, target)| target == name)
    {
        let names = TARGETS.map(|(_, target)| target).join(", ");
        bail!("there is no fuzz target {name}; there are {names}");
    }
    install::debian_packages(&mut record)?;
    build(&mut record)?;
    let wanted = |name: &&str| arguments.target.as_deref().is_none_or(|one| one == *name);
    for (folder, name) in TARGETS {
        if wanted(&name) {
            fuzz(&mut record, folder, name, time)?;
        }
    }
    Ok(record.summary())
}

/// Builds all fuzz targets.
pub(crate) fn build(record: &mut Record) -> Result<()> {
    let mut folders = TARGETS.map(|(folder, _)| folder).to_vec();
    folders.dedup();
    for folder in folders {
        // The fuzzer would bring a lock file up to date without a word.
        let manifest = format!("{folder}/Cargo.toml");
        record.check(&mut cargo(&[
            "fetch",
            "--locked",
            "--manifest-path",
            &manifest,
        ]))?;
        // Build scripts and macros are built for this machine, the rest with the fuzzer's instrumentation.
        let name = folder.replace('/', "-");
        let instrumented = target_folder().join(third_party::host_triple()?);
        let kept = [("host", target_folder()), ("instrumented", instrumented)].map(|(part, at)| {
            let manifest = places::root().join(&manifest);
            ThirdParty::new(&format!("{name}-{part}"), &manifest, at.join("release"))
        });
        let kept: Vec<ThirdParty> = kept.into_iter().collect::<Result<_>>()?;
        for third_party in &kept {
            third_party.restore(record)?;
        }
        let mut build = cargo_fuzz(record, folder, "build")?;
        record.must_run(&mut build)?;
        for third_party in &kept {
            third_party.save(record)?;
        }
    }
    Ok(())
}

/// Targets that run at once: each keeps one core busy.
const AT_ONCE: usize = 2;

/// Runs every target for so long; they were built before.
pub(crate) fn every_target(record: &mut Record, time: Duration) -> Result<()> {
    for some in TARGETS.chunks(AT_ONCE) {
        let ran: Vec<(Record, Result<()>)> = thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|(folder, name)| {
                    scope.spawn(move || {
                        let mut record = Record::default();
                        let ran = fuzz(&mut record, folder, name, time);
                        (record, ran)
                    })
                })
                .collect();
            let ends = running.into_iter().map(|thread| thread.join());
            ends.map(|end| end.unwrap_or_else(|_| (Record::default(), Err(anyhow!("panicked")))))
                .collect()
        });
        for (part, ran) in ran {
            record.add(part);
            ran?;
        }
    }
    Ok(())
}

fn fuzz(record: &mut Record, folder: &str, name: &str, time: Duration) -> Result<()> {
    // What the fuzzer finds on its way; the seeds in the tree stay as they are.
    let found = places::target().join("fuzz-corpus").join(name);
    fs::create_dir_all(&found)?;
    let mut fuzz = cargo_fuzz(record, folder, "run")?;
    fuzz.arg(name)
        .arg(&found)
        .arg(format!("{folder}/seeds/{name}"))
        .arg("--")
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-max_len={MAX_INPUT}"))
        .args(["-verbosity=0", "-print_funcs=0"]);
    record.check(&mut fuzz)
}

fn cargo_fuzz(record: &mut Record, folder: &str, task: &str) -> Result<Command> {
    let program = install::cargo_fuzz(record)?.join("cargo-fuzz");
    let mut fuzz = command(&program.to_string_lossy(), &["fuzz", task]);
    fuzz.args(["--fuzz-dir", folder, "--target-dir"])
        .arg(target_folder())
        // The fuzzer's instrumentation is there on a stable toolchain, but has to be asked for.
        .env("RUSTC_BOOTSTRAP", "1");
    Ok(fuzz)
}

fn target_folder() -> PathBuf {
    places::target().join("fuzz")
}
