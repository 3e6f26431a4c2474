//! `wigwag publish`, while it runs for the demo.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long it may take to tell its viewers that this is the end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// It writes where its page is.
const PAGE: &str = "watch at ";

/// The running program; killed when dropped.
pub(super) struct Publisher {
    child: Child,
    results: Lines<BufReader<ChildStdout>>,
}

impl Publisher {
    /// Starts it with a server of its own, for this machine only. Nobody outside is asked for an address: without
    /// `--stun-server` there is none.
    pub(super) fn start(program: &Path, input: &str) -> Result<Self> {
        let arguments = [
            "publish",
            input,
            "--embed",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--loop",
        ];
        println!("$ wigwag {}", arguments.join(" "));
        // In the folder where the user is: the input may be a file there.
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let results = child.stdout.take().context("no standard output")?;
        Ok(Self {
            child,
            results: BufReader::new(results).lines(),
        })
    }

    /// The address of its page, once it is there; none if it ended before.
    pub(super) async fn page(&mut self) -> Result<Option<String>> {
        while let Some(line) = self.results.next_line().await? {
            if let Some(page) = line.strip_prefix(PAGE) {
                return Ok(Some(page.to_owned()));
            }
            show(&line);
        }
        Ok(None)
    }

    /// Shows what it says until it says no more, because it ended.
    pub(super) async fn over(&mut self) {
        while let Ok(Some(line)) = self.results.next_line().await {
            show(&line);
        }
        // It closed its output on its way out.
        let _ = timeout(END_TIMEOUT, self.child.wait()).await;
    }

    /// Ends it, unless it ended already; it has said why.
    pub(super) async fn end(mut self) -> Result<ExitCode> {
        if let Some(id) = self.child.id().filter(|_| !self.has_ended()) {
            // It tells its viewers, which a kill would not.
            let told = Command::new("kill").arg(id.to_string()).status().await;
            let told = told.context("cannot run kill")?;
            if !told.success() && !self.has_ended() {
                bail!("cannot end wigwag publish, process {id}");
            }
        }
        let status = match timeout(END_TIMEOUT, self.child.wait()).await {
            Ok(status) => status?,
            Err(_) => {
                self.child.kill().await?;
                bail!("wigwag publish did not end when it was told to, and was killed");
            }
        };
        Ok(code(status))
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

/// Above the line with how it goes, which it draws on a terminal.
fn show(line: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    println!("{line}");
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
