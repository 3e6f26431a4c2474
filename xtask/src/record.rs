//! Commands run one after the other: their output, and what they count as tests.

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::commands::shown;
use crate::report::Report;

/// How long the output of a command may stay open after its end, because something it started still holds it.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// What commands have counted and written so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Vec<String>,
    output: Output,
    in_background: bool,
}

/// Where the output goes.
#[derive(Debug)]
enum Output {
    /// To the terminal, as it comes.
    Live,
    /// Kept until the part is over: other parts run beside it.
    Kept(String),
}

impl Default for Output {
    fn default() -> Self {
        Self::Kept(String::new())
    }
}

impl Record {
    /// A record whose output is printed as it comes.
    pub(crate) fn live() -> Self {
        Self {
            output: Output::Live,
            ..Self::default()
        }
    }

    /// Lets commands give way to others from now on.
    pub(crate) fn in_background(&mut self) {
        self.in_background = true;
    }

    /// Runs a command that counts as one test.
    pub(crate) fn check(&mut self, command: &mut Command) -> Result<()> {
        let (status, _) = self.execute(command)?;
        self.count(&shown(command), status.success());
        Ok(())
    }

    /// Counts one test that was run otherwise.
    pub(crate) fn count(&mut self, what: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.fail(what.to_owned(), 1);
        }
    }

    /// Runs a test suite and counts the tests that it reports. A suite that reports none, or leaves some out, has
    /// failed.
    pub(crate) fn suite(&mut self, command: &mut Command) -> Result<()> {
        let (status, report) = self.execute(command)?;
        self.count_report(
            &shown(command),
            status.success() && report.passed > 0,
            report,
        );
        Ok(())
    }

    /// Adds the counts of a suite; one that did not succeed has at least one failure.
    pub(crate) fn count_report(&mut self, what: &str, succeeded: bool, report: Report) {
        self.passed += report.passed;
        let bad = report.failed + report.left_out;
        if bad > 0 || !succeeded {
            self.fail(what.to_owned(), bad.max(1));
        }
    }

    /// Runs a command that must succeed, because others need what it makes.
    pub(crate) fn must_run(&mut self, command: &mut Command) -> Result<()> {
        let (status, _) = self.execute(command)?;
        if !status.success() {
            bail!("`{}` failed ({status})", shown(command));
        }
        Ok(())
    }

    /// The end of a part before its last command; a failure, so that the summary does not look like a success.
    pub(crate) fn broke_off(&mut self, error: &anyhow::Error) {
        self.fail(format!("it broke off: {error:#}"), 1);
    }

    /// Prints what failed and the counts; for a command that is one record. Failure if anything failed or nothing ran.
    pub(crate) fn summary(&self) -> ExitCode {
        println!();
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        match &mut self.output {
            Output::Live => println!("{line}"),
            Output::Kept(kept) => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }

    /// Adds what was counted and written beside it.
    pub(crate) fn add(&mut self, mut other: Self) {
        let output = other.take_output();
        self.say(output.trim_end());
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.append(&mut other.failures);
    }

    /// The output that was not printed yet.
    pub(crate) fn take_output(&mut self) -> String {
        match &mut self.output {
            Output::Live => String::new(),
            Output::Kept(kept) => std::mem::take(kept),
        }
    }

    fn execute(&mut self, command: &mut Command) -> Result<(ExitStatus, Report)> {
        self.say(&format!("\n$ {}", shown(command)));
        let run = if self.in_background {
            Running::start(&mut idle(command))?
        } else {
            Running::start(command)?
        };
        run.finish(|line| self.say(line))
    }

    fn fail(&mut self, what: String, tests: u64) {
        self.failed += tests;
        self.failures.push(what);
    }
}

/// The same command, run while nothing else wants to (sched(7), `SCHED_IDLE`): a lower priority alone takes a fifth of
/// the time from browsers, which lower that of their own pages.
fn idle(command: &Command) -> Command {
    let mut idle = Command::new("chrt");
    idle.args(["--idle", "0"]);
    idle.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        idle.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => idle.env(name, value),
            None => idle.env_remove(name),
        };
    }
    idle
}

/// A command whose output, both streams in one, is read while it runs.
pub(crate) struct Running {
    child: std::process::Child,
    lines: Receiver<String>,
    name: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let (reader, writer) = pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = command.spawn();
        // The command would hold the writing ends open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let name = shown(command);
        Ok(Self {
            child: child.with_context(|| format!("cannot run `{name}`"))?,
            lines: lines_of(reader),
            name,
        })
    }

    /// Waits for the end, and hands out each line as it comes.
    pub(crate) fn finish(mut self, mut line: impl FnMut(&str)) -> Result<(ExitStatus, Report)> {
        let mut report = Report::default();
        let mut take = |text: String| {
            report.read(&text);
            line(&text);
        };
        loop {
            // The pipe closes with the command, unless something that it left behind holds it open.
            match self.lines.recv_timeout(OUTPUT_GRACE) {
                Ok(text) => take(text),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    if self.child.try_wait()?.is_some() {
                        break;
                    }
                }
            }
        }
        let status = self.child.wait();
        let status = status.with_context(|| format!("cannot wait for `{}`", self.name))?;
        Ok((status, report))
    }
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn suite_with_counts_adds_them() {
        let mut record = Record::default();
        record.suite(&mut shell("echo '3 passed in 1.0s'")).unwrap();
        assert_eq!((record.passed, record.failed), (3, 0));
        assert!(record.take_output().contains("3 passed"));
    }

    #[test]
    fn suite_without_counts_fails() {
        let mut record = Record::default();
        record.suite(&mut shell("echo nothing")).unwrap();
        assert_eq!((record.passed, record.failed), (0, 1));
    }

    #[test]
    fn suite_that_leaves_tests_out_fails() {
        let mut record = Record::default();
        record
            .suite(&mut shell("echo '3 passed, 2 skipped in 1.0s'"))
            .unwrap();
        assert_eq!((record.passed, record.failed), (3, 2));
    }

    #[test]
    fn command_that_leaves_its_output_open_ends_with_its_process() {
        let mut record = Record::default();
        record.check(&mut shell("sleep 60 & exit 0")).unwrap();
        assert_eq!((record.passed, record.failed), (1, 0));
    }

    #[test]
    fn record_that_is_added_brings_its_counts_failures_and_output() {
        let (mut all, mut part) = (Record::default(), Record::default());
        all.count("first", true);
        part.say("said");
        part.count("second", false);
        all.add(part);
        assert_eq!((all.passed, all.failed), (1, 1));
        assert_eq!(all.failures, ["second"]);
        assert_eq!(all.take_output(), "said\n");
    }

    #[test]
    fn part_that_broke_off_counts_as_failed() {
        let mut record = Record::default();
        record.broke_off(&anyhow::anyhow!("nothing to be had"));
        assert_eq!(record.failed, 1);
    }
}
