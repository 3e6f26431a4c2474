//! One server with so many peers, from its start to its end.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::certificate::Certificate;
use super::crowd::{Done, Task};
use crate::bench::server_process::ServerProcess;

/// What the first connections make the server set up is not theirs.
const FIRST: usize = 50;

/// So many of the peers listen: that all of ten thousand begin to listen would alone cause fifty million notices.
pub(super) const LISTENERS: usize = 500;
const CHANGES: usize = 400;
/// Producers that change at the same moment, as after a restart.
pub(super) const BURST: usize = 20;

const RELAYED: usize = 100_000;
const RELAYED_PER_SECOND: usize = 10_000;

/// A server and how it is started.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [&'a str],
}

/// What one run showed. Times are of the server's processor.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) per_connect: Duration,
    /// Bytes.
    pub(super) memory_per_idle: f64,
    pub(super) per_relayed: Duration,
    pub(super) relay_p50: Duration,
    pub(super) relay_p99: Duration,
    pub(super) per_notice: Duration,
    pub(super) per_notice_in_burst: Duration,
}

pub(super) fn measure(
    candidate: Candidate<'_>,
    peers: usize,
    tls: Option<&Certificate>,
) -> Result<Measured> {
    let server = candidate.start(tls)?;
    let mut crowd = Crowd::start(&server, tls)?;
    crowd.act(Task::Connect(FIRST))?;
    let memory = server.memory()?;
    let before = server.processor_time()?;
    crowd.act(Task::Connect(peers))?;
    let per_connect = (server.processor_time()? - before) / peers as u32;
    let memory = server.memory()?.saturating_sub(memory);

    crowd.act(Task::Pair)?;
    let sessions = (peers + FIRST) / 2;
    let talk = Task::Talk {
        messages: RELAYED / sessions,
        pace: (sessions * 1_000_000 / RELAYED_PER_SECOND) as u64,
    };
    let (per_relayed, relayed) = crowd.cost(&server, talk)?;
    let (relay_p50, relay_p99) = relayed.delays.context("no delays")?;

    crowd.act(Task::Listen {
        listeners: LISTENERS,
        producers: BURST,
    })?;
    let mut notice = |at_once| {
        let change = Task::Change {
            changes: CHANGES,
            at_once,
        };
        crowd.cost(&server, change).map(|(cost, _)| cost)
    };
    Ok(Measured {
        per_connect,
        memory_per_idle: memory as f64 / peers as f64,
        per_relayed,
        relay_p50,
        relay_p99,
        per_notice: notice(1)?,
        per_notice_in_burst: notice(BURST)?,
    })
}

impl Candidate<'_> {
    pub(super) fn start(self, tls: Option<&Certificate>) -> Result<ServerProcess> {
        let mut arguments = self.arguments.to_vec();
        let paths =
            tls.map(|files| [&files.certificate, &files.key].map(|file| file.to_string_lossy()));
        if let Some([certificate, key]) = &paths {
            arguments.extend(["--cert", certificate, "--key", key]);
        }
        ServerProcess::start(self.program, &arguments)
    }
}

/// The process of the load.
struct Crowd {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Crowd {
    fn start(server: &ServerProcess, tls: Option<&Certificate>) -> Result<Self> {
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
        let tell = child.stdin.take().context("piped")?;
        let told = BufReader::new(child.stdout.take().context("piped")?);
        Ok(Self { child, tell, told })
    }

    /// Waits until it is done.
    fn act(&mut self, task: Task) -> Result<Done> {
        writeln!(self.tell, "{}", serde_json::to_string(&task)?)?;
        let mut line = String::new();
        if self.told.read_line(&mut line)? == 0 {
            bail!("the load ended at {task:?}");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// What each message of a task costs the server.
    fn cost(&mut self, server: &ServerProcess, task: Task) -> Result<(Duration, Done)> {
        let before = server.processor_time()?;
        let done = self.act(task)?;
        let spent = server.processor_time()? - before;
        Ok((spent / done.messages as u32, done))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
