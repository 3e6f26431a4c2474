//! The processes of a scene, each in a namespace. They end with the scene.

use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use wigwag_link::Namespace;

use crate::places;

const PAUSE: Duration = Duration::from_millis(20);

/// A process that is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    /// Where its standard error goes.
    errors: PathBuf,
}

impl Process {
    /// Starts a program in a namespace. Its standard error goes to a file of that name beside the film.
    pub(super) fn start(host: &Namespace, command: &Command, name: &str) -> Result<Self> {
        let errors = places::target().join(format!("attack/{name}.log"));
        let file = File::create(&errors).with_context(|| format!("no {}", errors.display()))?;
        let mut command = host.enter(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .context("cannot run nsenter")?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self {
            child,
            output,
            errors,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// A line on its standard input.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("its input has ended")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Ends its standard input.
    pub(super) fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// What the next line of its standard output says.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        let output = self.output.as_mut().context("its output is read")?;
        output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| {
            let errors = read_to_string(&self.errors).unwrap_or_default();
            let last = errors.lines().next_back().unwrap_or_default();
            format!("a process ended before it wrote its report; its last words: {last:?}")
        })
    }

    /// Waits until it has ended by itself, or kills it.
    pub(super) fn end_by(&mut self, deadline: Instant) {
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
