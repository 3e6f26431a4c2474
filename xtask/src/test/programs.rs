//! The test programs of the crates, each with its Cargo target, several at once.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand};

use crate::commands::{cargo, shown};
use crate::record::{Record, Running};
use crate::{install, places};

/// Test programs that run at once.
const AT_ONCE: usize = 2;

/// The tests of a program that run at once: most wait for something.
const THREADS: &str = "3";

/// The package of the tests with programs of others, a part of its own.
pub(crate) const END_TO_END: &str = "wigwag-end-to-end";

/// The package whose tests make network interfaces.
const NEEDS_ROOT: &str = "wigwag-link";

/// A program that Cargo built from tests.
#[derive(Clone, Debug)]
pub(crate) struct TestProgram {
    pub(crate) package: String,
    /// The name of the Cargo target.
    pub(crate) target: String,
    executable: PathBuf,
    /// Where Cargo would start it.
    folder: PathBuf,
}

/// Builds all tests of the workspace, and with them our programs and the plugin.
pub(crate) fn build(record: &mut Record, profile: &str) -> Result<Vec<TestProgram>> {
    // The messages in one pass with the build would mix with what is meant for people; the second is a look only.
    let arguments = [
        "test",
        "--workspace",
        "--locked",
        "--no-run",
        "--profile",
        profile,
    ];
    record.must_run(&mut cargo(&arguments))?;
    list(&arguments)
}

/// Builds one test program of one package.
pub(crate) fn build_one(
    record: &mut Record,
    package: &str,
    test: &str,
) -> Result<Vec<TestProgram>> {
    let arguments = [
        "test",
        "--locked",
        "--no-run",
        "--package",
        package,
        "--test",
        test,
    ];
    record.must_run(&mut cargo(&arguments))?;
    list(&arguments)
}

fn list(arguments: &[&str]) -> Result<Vec<TestProgram>> {
    let mut look = cargo(arguments);
    look.args(["--quiet", "--message-format=json"])
        .stdin(Stdio::null());
    let output = look.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`{}` failed", shown(&look));
    }
    let manifest = places::root().join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()?;
    let mut programs = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        let Message::CompilerArtifact(artifact) = message? else {
            continue;
        };
        let (true, Some(executable)) = (artifact.profile.test, artifact.executable) else {
            continue;
        };
        let package = metadata
            .packages
            .iter()
            .find(|package| package.id == artifact.package_id)
            .context("a test of no package")?;
        let folder = package.manifest_path.parent().context("no folder")?;
        programs.push(TestProgram {
            package: package.name.to_string(),
            target: artifact.target.name,
            executable: executable.into(),
            folder: folder.into(),
        });
    }
    Ok(programs)
}

/// Runs test programs, several at once, with variables for all of them.
pub(crate) fn run(
    record: &mut Record,
    programs: Vec<TestProgram>,
    variables: &[(&str, String)],
    at_once: usize,
) -> Result<()> {
    if programs.is_empty() {
        bail!("there are no test programs");
    }
    let waiting = Mutex::new(VecDeque::from(programs));
    let record = Mutex::new(record);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| work(&waiting, &record, variables)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("panicked")))
    })
}

/// The tests of the crates alone.
pub(crate) fn run_crates(record: &mut Record, programs: &[TestProgram]) -> Result<()> {
    let crates = programs
        .iter()
        .filter(|program| program.package != END_TO_END);
    run(record, crates.cloned().collect(), &[], AT_ONCE)
}

fn work(
    waiting: &Mutex<VecDeque<TestProgram>>,
    record: &Mutex<&mut Record>,
    variables: &[(&str, String)],
) -> Result<()> {
    loop {
        let mut queue = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(program) = queue.pop_front() else {
            return Ok(());
        };
        drop(queue);
        let mut command = if program.package == NEEDS_ROOT {
            install::as_root(&install::text(&program.executable)?, &[])?
        } else {
            Command::new(&program.executable)
        };
        command
            .current_dir(&program.folder)
            .env("CARGO_MANIFEST_DIR", &program.folder)
            .env("RUST_TEST_THREADS", THREADS)
            .envs(variables.iter().map(|(name, value)| (name, value)));
        let name = format!("{} {}", program.package, program.target);
        let began = Instant::now();
        let mut output = String::new();
        let (status, report) = Running::start(&mut command)?.finish(|line| {
            output.push_str(line);
            output.push('\n');
        })?;
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        record.say(&format!(
            "\n$ {name} ({:.1} s)",
            began.elapsed().as_secs_f64()
        ));
        record.say(&output);
        // A crate without tests in its library has a test program for it all the same.
        record.count_report(&name, status.success(), report);
    }
}
