//! Networks of their own inside the kernel, for addresses that this machine need not have.
//!
//! A namespace has no name and nothing to clean up: it goes with its last process, and its interfaces go
//! with it. Without root a user namespace around it gives the right to make it.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How long to wait for a namespace: long enough for a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program that keeps a namespace alive: it ends with its input, so also if the test is killed.
const HOLDER: &str = "cat";

/// A network namespace, gone when dropped.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
    is_root: bool,
}

impl Namespace {
    /// Makes a network with nothing but a loopback interface.
    pub fn new() -> Result<Self> {
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        let mut command = Command::new("unshare");
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", HOLDER]);
        Self::hold(&mut command, is_root)
    }

    /// Makes another, which an interface of this one can lead to.
    pub fn beside(&self) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", HOLDER]);
        Self::hold(&mut self.enter(&command), self.is_root)
    }

    /// Joins this and another by a cable whose ends have these addresses; both ends are called `cable`.
    pub fn connect(
        &self,
        addresses: &[&str],
        other: &Self,
        other_addresses: &[&str],
    ) -> Result<()> {
        self.connect_by("cable", addresses, other, other_addresses)
    }

    /// The same by a cable of another name, so that a namespace may have several.
    pub fn connect_by(
        &self,
        cable: &str,
        addresses: &[&str],
        other: &Self,
        other_addresses: &[&str],
    ) -> Result<()> {
        let end = other.holder.id().to_string();
        self.ip(&[
            "link", "add", cable, "type", "veth", "peer", "name", cable, "netns", &end,
        ])?;
        for (namespace, addresses) in [(self, addresses), (other, other_addresses)] {
            // No address but those that are asked for.
            namespace.ip(&["link", "set", cable, "addrgenmode", "none"])?;
            for address in addresses {
                let mut words = vec!["address", "add", address, "dev", cable];
                if address.contains(':') {
                    // Usable at once: nobody else can have it.
                    words.push("nodad");
                }
                namespace.ip(&words)?;
            }
            namespace.ip(&["link", "set", cable, "up"])?;
        }
        Ok(())
    }

    /// Pulls the cable at this end: nothing goes out any more, nor comes in, without a notice to anybody.
    pub fn pull_cable(&self) -> Result<()> {
        self.ip(&["link", "set", "cable", "down"])
    }

    /// The same command, to be run in this namespace.
    #[must_use]
    pub fn enter(&self, command: &Command) -> Command {
        let prefix = self.prefix();
        let mut entering = Command::new(&prefix[0]);
        entering.args(&prefix[1..]).arg(command.get_program());
        entering.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entering.env(name, value),
                None => entering.env_remove(name),
            };
        }
        entering
    }

    /// Runs `job` on a thread in this namespace, and returns what it returns: sockets that it makes belong to this namespace
    /// for ever, on whatever thread they are used later.
    ///
    /// # Panics
    ///
    /// If `job` does.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> Result<T> {
        let name = format!("/proc/{}/ns/net", self.holder.id());
        let network = File::open(&name).with_context(|| format!("cannot open {name}"))?;
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(job())
            });
            thread
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        })
        .map_err(|error: rustix::io::Errno| match error {
            rustix::io::Errno::PERM => anyhow!(
                "a thread may enter a namespace as root only: run this by sudo, or in \
                 `unshare --user --map-root-user` if /dev/net/tun is open to everybody"
            ),
            error => anyhow!(error).context("cannot enter a namespace"),
        })
    }

    /// What stands before a command to run it in this namespace: a program and its arguments.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        let id = self.holder.id().to_string();
        let mut words = vec!["nsenter", "--target", &id, "--net"];
        if !self.is_root {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.push("--");
        words.into_iter().map(ToOwned::to_owned).collect()
    }

    /// Runs `ip` in this namespace.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        let mut ip = Command::new("ip");
        ip.args(arguments);
        let output = self.enter(&ip).output().context("cannot run nsenter")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "ip {}: {complaint}",
            arguments.join(" ")
        );
        Ok(())
    }

    fn hold(command: &mut Command, is_root: bool) -> Result<Self> {
        let holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut namespace = Self { holder, is_root };
        namespace.wait_until_made()?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The program takes its name when all that comes before it is done.
    fn wait_until_made(&mut self) -> Result<()> {
        let name = format!("/proc/{}/comm", self.holder.id());
        let deadline = Instant::now() + DEADLINE;
        while fs::read_to_string(&name)?.trim() != HOLDER {
            if let Some(status) = self.holder.try_wait()? {
                bail!("no network namespace: unshare ended with {status}");
            }
            ensure!(Instant::now() < deadline, "no network namespace in time");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
