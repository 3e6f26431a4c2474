//! The signalling server as a child process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::certificate::ServerCertificate;
use crate::output::Output;
use crate::{DEADLINE, environment, port};

/// A running signalling server, killed when dropped.
#[derive(Debug)]
pub struct SignallingServer {
    child: Child,
    command: String,
    port: u16,
    certificate: Option<ServerCertificate>,
    output: Output,
}

impl SignallingServer {
    /// Starts the server of `WIGWAG_SERVE` for ws and waits until it accepts connections.
    pub fn start() -> Result<Self> {
        Self::start_on_free_port(environment::required("WIGWAG_SERVE")?, None)
    }

    /// Starts another server that takes the same flags.
    pub fn start_program(command: &str) -> Result<Self> {
        Self::start_on_free_port(command.to_owned(), None)
    }

    /// Starts the server of `WIGWAG_SERVE` with more flags.
    pub fn start_with(flags: &[&str]) -> Result<Self> {
        let command = environment::required("WIGWAG_SERVE")?;
        Self::start_program(&format!("{command} {}", flags.join(" ")))
    }

    /// Starts it for wss.
    pub fn start_secure(certificate: &ServerCertificate) -> Result<Self> {
        Self::start_on_free_port(
            environment::required("WIGWAG_SERVE")?,
            Some(certificate.clone()),
        )
    }

    /// The address for clients on this machine.
    #[must_use]
    pub fn uri(&self) -> String {
        self.uri_for("127.0.0.1")
    }

    /// The same, with another name for this machine.
    #[must_use]
    pub fn uri_for(&self, host: &str) -> String {
        let scheme = if self.certificate.is_some() {
            "wss"
        } else {
            "ws"
        };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its resident memory in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.context("the server is gone")?.parse::<u64>()? * 1024)
    }

    /// How long its threads were on a processor so far.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = times.split_whitespace().next().context("no times")?;
            nanoseconds += first.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Kills the server without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts the server anew on the same port, after [`kill`](Self::kill).
    pub fn start_again(&mut self) -> Result<()> {
        self.child = spawn(
            &self.command,
            self.port,
            self.certificate.as_ref(),
            &self.output,
        )?;
        self.wait_until_accepting()
    }

    fn start_on_free_port(command: String, certificate: Option<ServerCertificate>) -> Result<Self> {
        let port = port::free()?;
        let output = Output::new()?;
        let mut server = Self {
            child: spawn(&command, port, certificate.as_ref(), &output)?,
            command,
            port,
            certificate,
            output,
        };
        server.wait_until_accepting()?;
        Ok(server)
    }

    fn wait_until_accepting(&mut self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.output.tail());
            }
            if Instant::now() > deadline {
                bail!("no server on port {}:\n{}", self.port, self.output.tail());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for SignallingServer {
    fn drop(&mut self) {
        let _ = self.kill();
        // The test harness shows this only for a test that failed.
        eprintln!("the server wrote:\n{}", self.output.tail());
    }
}

fn spawn(
    command: &str,
    port: u16,
    certificate: Option<&ServerCertificate>,
    output: &Output,
) -> Result<Child> {
    let mut words = command.split_whitespace();
    let program = words.next().context("the command names no program")?;
    let mut command = Command::new(program);
    command.args(words);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    if let Some(files) = certificate {
        command.arg("--cert").arg(&files.certificate);
        command.arg("--key").arg(&files.key);
    }
    command
        .stdin(Stdio::null())
        .stdout(output.stdio()?)
        .stderr(output.stdio()?)
        .spawn()
        .with_context(|| format!("cannot start the server {program}"))
}
