//! The process of the load, as the process that measures sees it.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::certificate::Certificate;
use super::crowd::{Done, Task};
use crate::bench::server_process::ServerProcess;

pub(super) struct LoadProcess {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl LoadProcess {
    pub(super) fn start(server: &ServerProcess, tls: Option<&Certificate>) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["bench", "signalling-load", &server.address.to_string()]);
        if let Some(files) = tls {
            command.arg("--certificate").arg(&files.certificate);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the load")?;
        let orders = child.stdin.take().context("piped")?;
        let answers = BufReader::new(child.stdout.take().context("piped")?);
        Ok(Self {
            child,
            orders,
            answers,
        })
    }

    /// Waits until it is done.
    pub(super) fn act(&mut self, task: Task) -> Result<Done> {
        writeln!(self.orders, "{}", serde_json::to_string(&task)?)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the load ended at {task:?}");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// What each message of a task costs the server.
    pub(super) fn cost(&mut self, server: &ServerProcess, task: Task) -> Result<(Duration, Done)> {
        let before = server.processor_time()?;
        let done = self.act(task)?;
        let spent = server.processor_time()? - before;
        Ok((spent / done.messages as u32, done))
    }
}

impl Drop for LoadProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
