//! Our `webrtcsink`, as users start it: by `gst-launch-1.0`.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use wigwag_link::Namespace;

use crate::gst_plugin_webrtc::{Endpoint, wait_until_listed};
use crate::output::Output;
use crate::{DEADLINE, environment};

/// The name in the metadata of every sink; each test has a server of its own.
const NAME: &str = "garden";

/// A running pipeline with the sink, killed when dropped.
#[derive(Debug)]
pub struct WigwagSink {
    child: Child,
    output: Output,
}

/// Where the sink's media may go.
#[derive(Debug, Clone, Copy)]
pub enum Network<'a> {
    /// 127.0.0.1 only
    Loopback,
    /// Every address that the namespace has
    All(&'a Namespace),
}

impl WigwagSink {
    /// Starts a sink with these properties. Each source is the name of a pad and the elements in front
    /// of it.
    pub fn start(
        network: Network<'_>,
        properties: &[&str],
        sources: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = environment::required("WIGWAG_PLUGIN")?;
        // The kernel ends the pipeline even if this process is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "gst-launch-1.0", "webrtcsink"]);
        // The default of the former names a public server, which a test must not contact.
        command.args(["name=sink", "stun-server=\"\""]);
        command.arg(format!("meta=meta,name={NAME}"));
        command.args(properties);
        for (pad, elements) in sources {
            command.args(elements.split_whitespace());
            command.args(["!", "queue", "!", &format!("sink.{pad}")]);
        }
        command
            .env("GST_PLUGIN_PATH", &folder)
            // A registry of its own neither disturbs the user's, nor trusts what that remembers.
            .env("GST_REGISTRY", Path::new(&folder).join("registry.bin"))
            .env("GST_DEBUG", "webrtcsink:4,webrtc-signaller:4")
            .env("GST_DEBUG_NO_COLOR", "1");
        let mut command = match network {
            Network::Loopback => {
                command.env("WIGWAG_ADDRESSES", "127.0.0.1");
                command
            }
            Network::All(namespace) => namespace.enter(&command),
        };
        let output = Output::new()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.stdio()?)
            .stderr(output.stdio()?)
            .spawn()
            .with_context(|| format!("cannot start the sink: {command:?}"))?;
        Ok(Self { child, output })
    }

    /// Starts a sink at a signalling server and waits until that lists it; returns its id as well.
    pub fn start_at(
        endpoint: &Endpoint,
        properties: &[&str],
        sources: &[(&str, &str)],
    ) -> Result<(Self, String)> {
        let uri = format!("signaller::uri={}", endpoint.uri());
        let properties: Vec<&str> = [uri.as_str()].iter().chain(properties).copied().collect();
        let sink = Self::start(Network::Loopback, &properties, sources)?;
        let id = sink.wait_until_listed(endpoint)?;
        Ok((sink, id))
    }

    /// Waits until a server lists the sink, and returns its id.
    pub fn wait_until_listed(&self, endpoint: &Endpoint) -> Result<String> {
        wait_until_listed(endpoint, |event| event["name"] == NAME)
    }

    /// Interrupts the pipeline, as Ctrl+C does, and waits until it has ended well.
    pub fn interrupt(&mut self) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status()?;
        ensure!(status.success(), "the sink is not there to be interrupted");
        let status = self.wait_for_exit()?;
        ensure!(status.success(), "the interrupted sink ended with {status}");
        Ok(())
    }

    /// Waits until the pipeline ends by itself.
    pub fn wait_for_exit(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("the sink did not end within {DEADLINE:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the pipeline ends with an error, and returns the end of what it wrote.
    pub fn wait_for_refusal(&mut self) -> Result<String> {
        let status = self.wait_for_exit()?;
        ensure!(!status.success(), "the sink did not fail");
        Ok(self.output.tail())
    }
}

impl Drop for WigwagSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The test harness shows this only for a test that failed.
        eprintln!("the sink wrote:\n{}", self.output.tail());
    }
}
