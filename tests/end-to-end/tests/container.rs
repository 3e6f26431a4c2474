//! The steps of `packaging/Dockerfile` make a server that runs, as the user and with the files that they say.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wigwag_end_to_end::container::{Dockerfile, Image};
use wigwag_end_to_end::environment::required;
use wigwag_end_to_end::{DEADLINE, Lines};

/// How the program is built in the image, but for the profile; `cargo xtask test` builds it likewise.
const BUILD: &str = "RUN cargo build --release --locked --no-default-features --features acme --package wigwag --bin wigwag";

#[test]
fn the_container_serves() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(project.join("packaging/Dockerfile"))?;
    let dockerfile = Dockerfile::read(&text)?;
    assert_eq!(dockerfile.earlier.last().map(String::as_str), Some(BUILD));
    // The suite that `WIGWAG_CONTAINER_BASE` is of; the slim image lacks documents only.
    assert_eq!(dockerfile.base, "debian:bookworm-slim");
    let base = PathBuf::from(required("WIGWAG_CONTAINER_BASE")?);
    let program = PathBuf::from(required("WIGWAG_SERVE_ONLY")?);
    let authorities = "/etc/ssl/certs/ca-certificates.crt";
    let built = [
        ("/source/target/release/wigwag", program.as_path()),
        (authorities, Path::new(authorities)),
    ];
    let image = Image::build(&dockerfile, &base, &project, &built)?;

    let mut container =
        Container::start(image.entrypoint(&[("WIGWAG_HOST", "127.0.0.1"), ("WIGWAG_PORT", "0")])?)?;
    let address = container.address()?;
    let stream = TcpStream::connect(&address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let (mut client, _) = tungstenite::client(format!("ws://{address}/"), stream)?;
    let welcome = client.read()?.into_text()?;
    ensure!(welcome.contains("\"welcome\""), "{welcome}");

    let (_, port) = address.rsplit_once(':').context("a port")?;
    let well = image
        .health(&[("WIGWAG_HOST", "127.0.0.1"), ("WIGWAG_PORT", port)])?
        .output()?;
    ensure!(well.status.success(), "{well:?}");
    let status = fs::read_to_string(format!("/proc/{}/status", container.process()?))?;
    let (user, _) = image.user().split_once(':').context("a user")?;
    let is_user =
        |line: &str| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some(user);
    ensure!(status.lines().any(is_user), "not user {user}: {status}");

    container.stop()?;
    let ill = image
        .health(&[("WIGWAG_HOST", "127.0.0.1"), ("WIGWAG_PORT", port)])?
        .output()?;
    assert_eq!(ill.status.code(), Some(1));
    Ok(())
}

/// A started entry point, killed when dropped.
struct Container {
    child: Child,
    lines: Lines,
    errors: Lines,
}

impl Container {
    fn start(mut command: Command) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let lines = Lines::of(child.stdout.take().context("piped")?);
        let errors = Lines::of(child.stderr.take().context("piped")?);
        Ok(Self {
            child,
            lines,
            errors,
        })
    }

    /// Where it says that it serves.
    fn address(&self) -> Result<String> {
        let line = self.lines.next(DEADLINE).unwrap_or_default();
        let Some(url) = line.trim().strip_prefix("signalling at ws://") else {
            anyhow::bail!("not served, but {line:?}: {}", self.errors.rest(DEADLINE)?);
        };
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// The server itself: `sudo`, where it is needed, stays as its parent.
    fn process(&self) -> Result<u32> {
        let mut process = self.child.id();
        while let Some(child) = child_of(process)? {
            process = child;
        }
        Ok(process)
    }

    fn stop(&mut self) -> Result<()> {
        let process = self.process()?.to_string();
        let direct = Command::new("kill")
            .arg(&process)
            .stderr(Stdio::null())
            .status()?;
        if !direct.success() {
            let status = Command::new("sudo")
                .args(["--non-interactive", "kill", &process])
                .status()?;
            ensure!(status.success(), "cannot end the server");
        }
        let give_up = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.stop();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn child_of(process: u32) -> Result<Option<u32>> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let child = children.split_whitespace().next();
    Ok(child.map(str::parse).transpose()?)
}
