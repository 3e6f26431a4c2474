//! A peer as a child process that writes one JSON event per line.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::DEADLINE;
use crate::output::Output;

/// A running peer, killed when dropped.
#[derive(Debug)]
pub struct Peer {
    name: String,
    child: Child,
    events: Receiver<Value>,
    unclaimed: VecDeque<Value>,
    errors: Output,
}

impl Peer {
    /// Starts the peer; the name is for failure messages.
    ///
    /// Its standard input stays open for as long as it should run, so that a peer that watches for
    /// the end of its input does not outlive a test program that was killed.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let errors = Output::new()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.stdio()?)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        let stdout = child.stdout.take().context("the peer has no output")?;
        let (sender, events) = channel();
        thread::spawn(move || forward_events(stdout, &sender));
        Ok(Self {
            name: name.to_owned(),
            child,
            events,
            unclaimed: VecDeque::new(),
            errors,
        })
    }

    /// Waits for the next event of this name; events that came before it are kept for later.
    pub fn wait_for(&mut self, event: &str) -> Result<Value> {
        self.wait_until(event, |_| true)
    }

    /// Waits for an event of this name that satisfies the condition.
    pub fn wait_until(&mut self, event: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait_within(DEADLINE, event, condition)
    }

    pub(crate) fn wait_within(
        &mut self,
        patience: Duration,
        event: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let wanted = |candidate: &Value| candidate["event"] == event && condition(candidate);
        if let Some(index) = self.unclaimed.iter().position(wanted) {
            return self.unclaimed.remove(index).context("event vanished");
        }
        let deadline = Instant::now() + patience;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(rest) {
                Ok(candidate) if wanted(&candidate) => return Ok(candidate),
                Ok(other) => self.unclaimed.push_back(other),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure(&format!("no \"{event}\" within {patience:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failure(&format!("ended without \"{event}\"")));
                }
            }
        }
    }

    /// Waits for an event and takes a text from it.
    pub fn wait_for_text(&mut self, event: &str, field: &str) -> Result<String> {
        let found = self.wait_for(event)?;
        let text = found[field].as_str().map(str::to_owned);
        text.with_context(|| format!("{}: no {field} in {found}", self.name))
    }

    /// Forgets the events so far and returns those of this name.
    pub fn take_past(&mut self, event: &str) -> Vec<Value> {
        self.unclaimed.extend(self.events.try_iter());
        let mut past: Vec<Value> = self.unclaimed.drain(..).collect();
        past.retain(|candidate| candidate["event"] == event);
        past
    }

    /// Waits for the peer to end by itself.
    pub fn wait_for_exit(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("did not end within {DEADLINE:?}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes a line to the peer's input.
    pub fn write_line(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("the peer has no input")?;
        writeln!(input, "{line}").with_context(|| format!("{} takes no line", self.name))
    }

    /// Asks the peer to end by closing its input, and waits until it has ended without complaint.
    pub fn stop(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.wait_for_exit()?;
        if !status.success() {
            bail!(self.failure(&format!("ended with {status}")));
        }
        Ok(())
    }

    /// Kills the peer without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn failure(&mut self, what: &str) -> anyhow::Error {
        self.unclaimed.extend(self.events.try_iter());
        let events: Vec<String> = self.unclaimed.iter().map(Value::to_string).collect();
        anyhow!(
            "{}: {what}\nunclaimed events:\n{}\nstandard error:\n{}",
            self.name,
            events.join("\n"),
            self.errors.tail()
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn forward_events(stdout: ChildStdout, sender: &Sender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // GStreamer plugins may print as well; keep the line where a failure message shows it.
        let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
        if sender.send(event).is_err() {
            return;
        }
    }
}
