//! What systemd hands over and is told, with a systemd that is these tests. The end-to-end tests have
//! some of its tools.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tungstenite::Message;

use crate::served::{DEADLINE, Served, connect, wigwag};

/// Where a service tells what becomes of it.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        Self { socket, folder }
    }

    fn command(&self) -> Command {
        let mut command = wigwag();
        command.arg("serve");
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command
    }

    /// The next message, as lines.
    fn hear(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("told in time");
        let text = str::from_utf8(&message[..length]).expect("text");
        text.lines().map(ToOwned::to_owned).collect()
    }
}

#[test]
fn it_tells_when_it_serves_reloads_and_stops() {
    let manager = Manager::new();
    let mut served = Served::start(manager.command());
    let ready = [
        "READY=1".to_owned(),
        format!("STATUS=serving at {}", served.url),
    ];
    assert_eq!(manager.hear(), ready);
    served.peer();
    served.signal("-HUP");
    let reloading = manager.hear();
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(manager.hear(), ready);
    assert!(served.terminate().success());
    assert_eq!(manager.hear()[0], "STOPPING=1");
}

#[test]
fn sign_of_life_comes_within_the_patience_of_the_manager() {
    const PATIENCE: Duration = Duration::from_secs(3);
    let manager = Manager::new();
    let mut command = manager.command();
    command.env("WATCHDOG_USEC", PATIENCE.as_micros().to_string());
    let served = Served::start(command);
    assert_eq!(manager.hear()[0], "READY=1");
    // A manager that hears nothing for that long ends the service.
    let patience = manager.socket.set_read_timeout(Some(PATIENCE));
    patience.expect("a socket option");
    for _ in 0..3 {
        assert_eq!(manager.hear(), ["WATCHDOG=1"]);
    }
    // What proves it are connections that the server accepts, which are no clients.
    served.peer();
    assert!(!served.log().contains("no connection is accepted"));
}

#[test]
fn a_manager_that_does_not_listen_is_no_reason_to_end() {
    let manager = Manager::new();
    let command = manager.command();
    drop(manager);
    let served = Served::start(command);
    served.peer();
    assert!(served.log().contains("cannot tell the service manager"));
}

/// Hands a socket over as systemd does: as descriptor 3.
fn started_with(socket: &TcpListener) -> Served {
    let mut command = Command::new("sh");
    let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve 3<&0 </dev/null";
    command.args(["-c", script, env!("CARGO_BIN_EXE_wigwag")]);
    let copy = socket.try_clone().expect("a copy");
    command.stdin(Stdio::from(OwnedFd::from(copy)));
    Served::start_as_told(command)
}

#[test]
fn a_restart_refuses_nobody_when_the_socket_is_held_for_it() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    let mut before = started_with(&socket);
    before.peer();
    assert!(before.terminate().success());
    // Nobody serves now.
    let mut waiting: Vec<_> = (0..20)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || {
                let mut peer = connect(&address);
                assert!(matches!(peer.read(), Ok(Message::Text(_))), "welcomed");
            })
        })
        .collect();
    let early = TcpStream::connect(&address).expect("the socket takes it");
    let after = started_with(&socket);
    assert_eq!(after.address(), address);
    early
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    let url = format!("ws://{address}/");
    let (mut peer, _) = tungstenite::client(url, early).expect("an upgrade");
    assert!(matches!(peer.read(), Ok(Message::Text(_))), "welcomed");
    for waiting in waiting.drain(..) {
        waiting.join().expect("no panic");
    }
}
