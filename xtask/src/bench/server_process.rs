//! A server under measurement: a process of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::process::{ProcessorTime, status_bytes};

pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl ServerProcess {
    /// Starts a server on a free port, quiet in its log, and waits until it accepts.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(program)
            .args(arguments)
            .args(["--host", "127.0.0.1", "--port"])
            .arg(address.port().to_string())
            .env("WEBRTCSINK_SIGNALLING_SERVER_LOG", "off")
            .env("WIGWAG_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let server = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                bail!("{} does not listen", program.display());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Time on a processor so far.
    pub(crate) fn processor_time(&self) -> Result<ProcessorTime> {
        ProcessorTime::of(self.child.id())
    }

    /// Resident memory now, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        status_bytes(self.child.id(), "VmRSS:")
    }

    /// The largest resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        status_bytes(self.child.id(), "VmHWM:")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
