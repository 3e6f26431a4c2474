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

/// A fuzz target.
struct Target {
    /// Where it is; its seeds stand there, too.
    folder: &'static str,
    name: &'static str,
    /// The longest input that is tried, in bytes.
    max_input: u32,
}

const CLIENT: &str = "crates/client/fuzz";
const MEDIA: &str = "crates/media/fuzz";
const PROTOCOL: &str = "crates/protocol/fuzz";
const SERVER: &str = "crates/server/fuzz";

/// Those of a folder one after the other: it is built once.
const TARGETS: [Target; 14] = [
    target(CLIENT, "server", 16_384),
    target(MEDIA, "access_units", 8_192),
    target(MEDIA, "depayloaders", 4_096),
    // As long as browsers' are with many codecs.
    target(MEDIA, "descriptions", 32_768),
    // A datagram has no more.
    target(MEDIA, "descriptors", 1_500),
    target(MEDIA, "parameter_sets", 4_096),
    target(MEDIA, "reports", 4_096),
    target(PROTOCOL, "json", 16_384),
    target(PROTOCOL, "text", 4_096),
    // A head of more than 16 KiB is refused.
    target(SERVER, "request", 20_000),
    target(SERVER, "frames", 8_192),
    target(SERVER, "admin", 20_000),
    target(SERVER, "forwarded", 4_096),
    // A record has up to 16 KiB.
    target(SERVER, "tls", 20_000),
];

const fn target(folder: &'static str, name: &'static str, max_input: u32) -> Target {
    Target {
        folder,
        name,
        max_input,
    }
}

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
        && !TARGETS.iter().any(|target| target.name == name)
    {
        let names = TARGETS.map(|target| target.name).join(", ");
        bail!("there is no fuzz target {name}; there are {names}");
    }
    install::debian_packages(&mut record)?;
    build(&mut record)?;
    let one = arguments.target.as_deref();
    for target in &TARGETS {
        if one.is_none_or(|one| one == target.name) {
            fuzz(&mut record, target, time)?;
        }
    }
    Ok(record.summary())
}

/// Builds all fuzz targets.
pub(crate) fn build(record: &mut Record) -> Result<()> {
    let mut folders = TARGETS.map(|target| target.folder).to_vec();
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
                .map(|target| {
                    scope.spawn(move || {
                        let mut record = Record::default();
                        let ran = fuzz(&mut record, target, time);
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

fn fuzz(record: &mut Record, target: &Target, time: Duration) -> Result<()> {
    let Target {
        folder,
        name,
        max_input,
    } = target;
    // What the fuzzer finds on its way; the seeds in the tree stay as they are.
    let found = places::target().join("fuzz-corpus").join(name);
    fs::create_dir_all(&found)?;
    let mut fuzz = cargo_fuzz(record, folder, "run")?;
    fuzz.arg(name)
        .arg(&found)
        .arg(format!("{folder}/seeds/{name}"))
        .arg("--")
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-max_len={max_input}"))
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
