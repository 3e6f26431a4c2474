//! The server with systemd's own tools: sockets from `systemd-socket-activate`, and the units as `systemd-analyze` sees
//! them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};
use wigwag_end_to_end::environment::required;
use wigwag_end_to_end::{DEADLINE, Lines};

/// What `systemd-analyze security` calls "OK" begins at 5; from 0, safe, to 10.
const MAX_EXPOSURE: &str = "20";

#[test]
fn the_server_starts_with_the_first_client() -> Result<()> {
    let address = free_address()?;
    // The port is that of the socket, whatever the settings say.
    let activated = Activated::start(&["--listen", &address], &["--port", "1"])?;
    let first = connecting(&address);
    assert_eq!(activated.line()?, format!("signalling at ws://{address}/"));
    let mut first = first.join().expect("no panic")?;
    ensure!(matches!(first.read()?, Message::Text(_)), "not welcomed");
    let mut second = connect(&address)?;
    ensure!(matches!(second.read()?, Message::Text(_)), "not welcomed");
    Ok(())
}

#[test]
fn several_sockets_are_told_apart_by_name() -> Result<()> {
    let (address, text) = (free_address()?, free_address()?);
    let names = [
        "--listen",
        &text,
        "--listen",
        &address,
        "--fdname",
        "text:signalling",
    ];
    let activated = Activated::start(&names, &[])?;
    let first = connecting(&text);
    assert_eq!(activated.line()?, format!("signalling at ws://{address}/"));
    assert_eq!(activated.line()?, format!("text protocol at ws://{text}/"));
    let mut peer = first.join().expect("no panic")?;
    peer.send(Message::text("HELLO a"))?;
    assert_eq!(peer.read()?, Message::text("HELLO"));
    let mut other = connect(&address)?;
    ensure!(matches!(other.read()?, Message::Text(_)), "not welcomed");
    Ok(())
}

#[test]
fn sockets_that_cannot_be_told_apart_are_refused() -> Result<()> {
    let (one, other) = (free_address()?, free_address()?);
    let names = [
        "--listen",
        &one,
        "--listen",
        &other,
        "--fdname",
        "one:other",
    ];
    let mut activated = Activated::start(&names, &[])?;
    // Only to wake it.
    let _first = connecting(&one);
    let said = activated.errors.rest(DEADLINE)?;
    let complaint = "error: 2 sockets were handed over, and one is called \"one\"";
    ensure!(said.contains(complaint), "{said}");
    assert_eq!(activated.ended()?.code(), Some(1));
    Ok(())
}

#[test]
fn the_units_are_understood_and_tight() -> Result<()> {
    let folder = TempDir::new()?;
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    let program = required("WIGWAG_SERVE")?;
    let program = program.split_whitespace().next().context("a program")?;
    let copy = |name: &str| -> Result<PathBuf> {
        let text = fs::read_to_string(packaging.join(name))?;
        let path = folder.path().join(name);
        // Programs have to be there, and this one need not be installed.
        fs::write(&path, text.replace("/usr/bin/wigwag", program))?;
        Ok(path)
    };
    let (service, socket) = (copy("wigwag.service")?, copy("wigwag.socket")?);
    for unit in [&service, &socket] {
        let mut verify = Command::new("systemd-analyze");
        let output = verify.arg("verify").arg(unit).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        // What it says of other units on the machine is none of ours.
        ensure!(!said.contains("wigwag"), "{said}");
        ensure!(output.status.success(), "{said}");
    }
    let mut security = Command::new("systemd-analyze");
    security.args([
        "security",
        "--offline=yes",
        "--no-pager",
        "--threshold",
        MAX_EXPOSURE,
    ]);
    let output = security.arg(&service).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// A server that systemd starts with its first client, killed when dropped.
struct Activated {
    child: Child,
    lines: Lines,
    errors: Lines,
}

impl Activated {
    fn start(sockets: &[&str], arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new("systemd-socket-activate");
        command.args(sockets);
        command.args(required("WIGWAG_SERVE")?.split_whitespace());
        let command = command.args(arguments).stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = Lines::of(child.stdout.take().context("piped")?);
        let errors = Lines::of(child.stderr.take().context("piped")?);
        Ok(Self {
            child,
            lines,
            errors,
        })
    }

    fn line(&self) -> Result<String> {
        self.lines.next(DEADLINE)
    }

    /// How it ended by itself.
    fn ended(&mut self) -> Result<ExitStatus> {
        let give_up = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < give_up, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address whose port was free a moment ago.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Connects once somebody listens, which is what starts the server.
fn connecting(address: &str) -> thread::JoinHandle<Result<WebSocket<TcpStream>>> {
    let address = address.to_owned();
    thread::spawn(move || {
        let give_up = Instant::now() + DEADLINE;
        while Instant::now() < give_up {
            if let Ok(stream) = TcpStream::connect(&address) {
                return upgraded(&address, stream);
            }
            thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("nobody listens on {address}")
    })
}

fn connect(address: &str) -> Result<WebSocket<TcpStream>> {
    upgraded(address, TcpStream::connect(address)?)
}

fn upgraded(address: &str, stream: TcpStream) -> Result<WebSocket<TcpStream>> {
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(tungstenite::client(format!("ws://{address}/"), stream)?.0)
}
