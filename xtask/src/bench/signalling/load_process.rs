//! The process of the load, as the process that measures sees it.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::certificate::Certificate;
use super::crowd::{Done, Order, Task};
use super::quantity::Conditions;
use super::rounds::Cost;
use crate::bench::busy::BusyMachine;
use crate::bench::process::voluntary_switches;
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
        self.order(Order { task, awake: false })
    }

    /// What each message of a task costs the server. The machine is as said for as long as it takes.
    pub(super) fn cost(
        &mut self,
        server: &ServerProcess,
        conditions: Conditions,
        task: Task,
    ) -> Result<(Cost, Done)> {
        let _busy = conditions.busy.then(BusyMachine::start).transpose()?;
        let load_sleeps = voluntary_switches(self.child.id())?;
        let before = server.processor_time()?;
        let awake = conditions.awake;
        let done = self.order(Order { task, awake })?;
        ensure!(done.count > 0, "nothing was delivered by {task:?}");
        let cost = Cost {
            count: done.count,
            processor_time: server.processor_time()?.since(before),
            load_sleeps: voluntary_switches(self.child.id())?.saturating_sub(load_sleeps),
        };
        Ok((cost, done))
    }

    fn order(&mut self, order: Order) -> Result<Done> {
        writeln!(self.orders, "{}", serde_json::to_string(&order)?)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the load ended at {:?}", order.task);
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for LoadProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
