//! Running checks and test suites, and counting what they report.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::commands::shown;

/// What passed and what failed so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Counts {
    /// Runs a command that counts as one test.
    pub(crate) fn check(&mut self, command: &mut Command) -> Result<()> {
        println!("\n$ {}", shown(command));
        let status = start(command)?;
        if status.success() {
            self.passed += 1;
        } else {
            self.fail(shown(command), 1);
        }
        Ok(())
    }

    /// Runs a test suite and counts the tests that it reports. A suite that reports none, or leaves
    /// some out, has failed.
    pub(crate) fn suite(&mut self, command: &mut Command) -> Result<()> {
        println!("\n$ {}", shown(command));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{}`", shown(command)))?;
        let mut report = Report::default();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                report.read(&line);
            }
        }
        let status = child.wait()?;
        self.passed += report.passed;
        let ran_well = status.success() && report.passed > 0;
        let bad = report.failed + report.left_out;
        if bad > 0 || !ran_well {
            self.fail(shown(command), bad.max(1));
        }
        Ok(())
    }

    /// What was to come did not: that counts as a failure, so that the last line does not look like a success.
    pub(crate) fn broke_off(&mut self, error: &anyhow::Error) {
        self.fail(format!("it broke off: {error:#}"), 1);
    }

    /// Prints what failed, then the last line that CI reads; true if all is well.
    pub(crate) fn summary(&self) -> bool {
        println!();
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }

    fn fail(&mut self, what: String, tests: u64) {
        self.failed += tests;
        self.failures.push(what);
    }
}

fn start(command: &mut Command) -> Result<std::process::ExitStatus> {
    command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))
}

/// The counts in the output of cargo test, pytest, and node's test runner in TAP form.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    passed: u64,
    failed: u64,
    left_out: u64,
}

impl Report {
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.read_counts(counts.split_once(". ").map_or(counts, |(_, counts)| counts));
        } else if let Some((counts, _)) = line.rsplit_once(" in ")
            && (line.contains(" passed") || line.contains(" failed"))
        {
            self.read_counts(counts.trim_matches(['=', ' ']));
        } else if let Some((name, number)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(' '))
            && let Ok(number) = number.parse::<u64>()
        {
            match name {
                "pass" => self.passed += number,
                "fail" => self.failed += number,
                "cancelled" | "skipped" | "todo" => self.left_out += number,
                _ => {}
            }
        }
    }

    /// `3 passed; 0 failed; 0 ignored` or `3 passed, 1 failed, 1 skipped`.
    fn read_counts(&mut self, counts: &str) {
        for count in counts.split([';', ',']) {
            let mut words = count.split_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" | "error" | "errors" => self.failed += number,
                "ignored" | "skipped" | "deselected" | "xfailed" | "xpassed" => {
                    self.left_out += number;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (u64, u64, u64) {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        (report.passed, report.failed, report.left_out)
    }

    #[test]
    fn what_breaks_off_is_no_success() {
        let mut counts = Counts {
            passed: 5,
            ..Counts::default()
        };
        assert!(counts.summary());
        counts.broke_off(&anyhow::anyhow!("nothing to be had"));
        assert!(!counts.summary());
    }

    #[test]
    fn cargo_test() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let bad = "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(read(&[ok, bad]), (10, 2, 1));
    }

    #[test]
    fn pytest() {
        assert_eq!(read(&["36 passed in 3.05s"]), (36, 0, 0));
        assert_eq!(
            read(&["==== 1 failed, 34 passed, 1 skipped, 2 warnings in 3.05s ===="]),
            (34, 1, 1)
        );
        assert_eq!(
            read(&["2 errors in 1.0s", "3 passed, 1 error in 1.0s"]),
            (3, 1, 0)
        );
    }

    #[test]
    fn node() {
        let lines = [
            "# tests 12",
            "# pass 10",
            "# fail 1",
            "# skipped 1",
            "# todo 0",
        ];
        assert_eq!(read(&lines), (10, 1, 1));
    }
}
