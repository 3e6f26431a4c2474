//! A program that sends or receives streams, and what it reads and writes.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::bench::process::ProcessorTime;

const DEADLINE: Duration = Duration::from_secs(30);
/// Reports, one a second, before anything is counted: the estimate of the sender rises meanwhile.
const REPORTS_BEFORE: usize = 4;
/// Reports between which processor time and packets are counted.
const REPORTS_MEASURED: usize = 8;

/// Killed when it is dropped.
pub(super) struct Program {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a program reads. It ends with this.
pub(super) struct Input(ChildStdin);

impl Program {
    pub(super) fn start(command: &mut Command) -> Result<(Self, Input)> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.as_std().get_program()))?;
        let output = child.stdout.take().context("no output")?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(output).lines();
        Ok((Self { child, output }, Input(input)))
    }

    /// The description (SDP) that it writes: lines up to an empty one.
    pub(super) async fn description(&mut self) -> Result<String> {
        let mut description = String::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(description);
            }
            description += line.trim_end();
            description += "\r\n";
        }
    }

    /// What a packet costs it: microseconds of processor time.
    pub(super) async fn cost(&mut self) -> Result<f64> {
        while self.report().await? == 0 {}
        for _ in 0..REPORTS_BEFORE {
            self.report().await?;
        }
        let (packets, time) = (self.report().await?, self.processor_time()?);
        for _ in 1..REPORTS_MEASURED {
            self.report().await?;
        }
        let packets = self.report().await? - packets;
        let time = self.processor_time()?.since(time);
        ensure!(packets > 0, "nothing came");
        let each = packets as f64 / REPORTS_MEASURED as f64;
        println!("{each:.0} packets a second");
        Ok(time.total.as_secs_f64() * 1e6 / packets as f64)
    }

    /// The next number of packets that it reports.
    async fn report(&mut self) -> Result<u64> {
        loop {
            let line = self.line().await?;
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            ensure!(event["event"] != "error", "{line}");
            if event["event"] == "packets" {
                return event["count"].as_u64().context("a report without a count");
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(DEADLINE, self.output.next_line()).await;
        let line = line.context("a program is silent")??;
        line.context("a program ended")
    }

    fn processor_time(&self) -> Result<ProcessorTime> {
        ProcessorTime::of(self.child.id().context("a program ended")?)
    }
}

impl Input {
    pub(super) async fn write_description(&mut self, description: &str) -> Result<()> {
        self.write_line(description.trim_end()).await?;
        self.write_line("").await
    }

    pub(super) async fn write_line(&mut self, line: &str) -> Result<()> {
        self.0.write_all(line.as_bytes()).await?;
        Ok(self.0.write_all(b"\n").await?)
    }
}
