//! `wigwag monitor` on a terminal, by way of tmux.
#![cfg(feature = "monitor")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::running::{Running, closed, eventually};
use crate::served::{Served, wigwag};

const PRODUCER: &str = "\"producer\"";
const TOKEN: &str = "correct-horse-battery";

/// A terminal of its own, with a shell.
struct Screen {
    socket: String,
}

impl Screen {
    fn open(columns: u16, lines: u16) -> Self {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let screen = Self {
            socket: format!("wigwag-test-{}-{number}", std::process::id()),
        };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        screen.tmux(&[
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &lines,
            "env PS1=ready: sh",
        ]);
        screen.prompts();
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.socket, "-f", "/dev/null"])
            .args(arguments);
        // Not the one that this may run in.
        let output = tmux.env_remove("TMUX").output().expect("tmux is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn run(&self, arguments: &str) {
        let command = format!("{} monitor {arguments}", env!("CARGO_BIN_EXE_wigwag"));
        self.press(&["-l", &command]);
        self.press(&["Enter"]);
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn picture(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until something is on the screen, and returns all of it.
    fn shows(&self, text: &str) -> String {
        eventually(text, || {
            let picture = self.picture();
            if picture.contains(text) {
                Ok(picture)
            } else {
                Err(picture)
            }
        })
    }

    /// Waits until the shell asks for a command: what is typed before that, the program before it may take.
    fn prompts(&self) {
        eventually("prompt", || {
            let picture = self.picture();
            let last = picture.lines().rfind(|line| !line.trim().is_empty());
            if last.is_some_and(|line| line.trim() == "ready:") {
                Ok(())
            } else {
                Err(picture)
            }
        });
    }

    /// Sends a signal to the program that the shell runs.
    fn signal(&self, signal: &str) {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let mut program = shell.trim().to_owned();
        while let Some(child) = child_of(&program) {
            program = child;
        }
        let killed = Command::new("kill").args([signal, &program]).status();
        assert!(killed.expect("kill runs").success());
    }

    fn shows_no(&self, text: &str) {
        eventually(&format!("screen without {text}"), || {
            let picture = self.picture();
            if picture.contains(text) {
                Err(picture)
            } else {
                Ok(())
            }
        });
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut tmux = Command::new("tmux");
        let _ = tmux.args(["-L", &self.socket, "kill-server"]).output();
    }
}

fn child_of(process: &str) -> Option<String> {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}

fn once(server: &Running, token: Option<&str>) -> Output {
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    wigwag.args(["monitor", "--once", "--admin", &server.admin()]);
    match token {
        Some(token) => wigwag.env("WIGWAG_ADMIN_TOKEN", token),
        None => wigwag.env_remove("WIGWAG_ADMIN_TOKEN"),
    };
    wigwag.output().expect("it runs")
}

#[test]
fn a_peer_is_seen_and_removed_and_the_terminal_is_as_before() {
    let server = Running::start();
    let screen = Screen::open(200, 24);
    screen.run(&format!("--admin {}", server.admin()));
    screen.shows("JSON protocol: 0 peers");
    let mut camera = server.peer(
        PRODUCER,
        "{\"name\":\"\\u001b]0;owned\\u0007\u{202e}yard\"}",
    );
    // As text, and in one piece.
    let shown = screen.shows("\\u{1b}]0;owned\\u{7}");
    assert!(
        shown.contains("producer") && shown.contains("127.0.0.1:"),
        "{shown}"
    );
    screen.shows("Peers 1");
    screen.press(&["k"]);
    screen.shows("remove peer");
    screen.press(&["n"]);
    screen.shows_no("remove peer");
    screen.press(&["k"]);
    screen.shows("remove peer");
    screen.press(&["y"]);
    assert_eq!(
        closed(&mut camera),
        (1008, "removed by the operator".to_owned())
    );
    screen.shows("removed peer");
    screen.shows("Peers 0");
    // The bottom line stays at the bottom.
    screen.tmux(&["resize-window", "-x", "70", "-y", "12"]);
    screen.press(&["Tab"]);
    eventually("line of keys at the bottom", || {
        let picture = screen.picture();
        let last = picture.lines().nth(11).unwrap_or_default();
        if last.starts_with("q end") {
            Ok(())
        } else {
            Err(picture)
        }
    });
    screen.press(&["q"]);
    // The shell's own words are back, it echoes, and its lines begin at the left.
    screen.prompts();
    screen.press(&["echo back-$((1+1))", "Enter"]);
    let shown = screen.shows("\nback-2\n");
    assert!(shown.contains("echo back-"), "{shown}");
    assert!(!shown.contains("JSON protocol"), "{shown}");
}

#[test]
fn a_server_that_goes_away_is_missed_until_it_is_back() {
    let server = Running::start();
    let port = server.admin_address.port();
    let _camera = server.peer(PRODUCER, r#"{"name":"yard"}"#);
    let screen = Screen::open(120, 20);
    screen.run(&format!("--admin {}", server.admin()));
    screen.shows("yard");
    drop(server);
    let shown = screen.shows("no connection, trying again: cannot connect");
    assert!(shown.contains("yard"), "what was seen stays: {shown}");
    let _server = Running::start_with(port, None);
    screen.shows("JSON protocol: 0 peers");
    screen.shows_no("no connection");
    screen.press(&["C-c"]);
    screen.prompts();
    screen.press(&["echo ended-with-$?", "Enter"]);
    screen.shows("ended-with-0\n");
}

#[test]
fn signals_end_it_as_a_key_does() {
    let server = Running::start();
    let screen = Screen::open(120, 20);
    for (number, signal) in ["-INT", "-TERM", "-HUP"].into_iter().enumerate() {
        screen.run(&format!("--admin {}", server.admin()));
        screen.shows("JSON protocol: 0 peers");
        screen.signal(signal);
        screen.prompts();
        screen.press(&[&format!("echo ended-{number}-with-$?"), "Enter"]);
        screen.shows(&format!("ended-{number}-with-0\n"));
        screen.prompts();
    }
}

#[test]
fn one_picture_is_printed_for_scripts() {
    let server = Running::start_with(0, Some(TOKEN));
    let _camera = server.peer(PRODUCER, "{\"name\":\"yard\u{9b}2J\"}");
    let printed = once(&server, Some(TOKEN));
    let text = String::from_utf8(printed.stdout).expect("text");
    assert!(printed.status.success(), "{text}");
    assert!(
        text.contains("JSON protocol: 1 peer (1 producer,"),
        "{text}"
    );
    assert!(text.contains("yard\\u{9b}2J"), "{text}");
    let refused = once(&server, None);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).expect("text");
    assert!(
        error.starts_with("error: the server refused (401)"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_token_that_is_no_text_is_not_passed_over() {
    let server = Running::start();
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    wigwag.args(["monitor", "--once", "--admin", &server.admin()]);
    wigwag.env("WIGWAG_ADMIN_TOKEN", OsStr::from_bytes(b"correct-\xff"));
    let output = wigwag.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(error, "error: WIGWAG_ADMIN_TOKEN is no text\n");
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let server = Running::start();
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    let output = wigwag
        .args(["monitor", "--admin", &server.admin()])
        .output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(error.contains("--once"), "{error}");
}

#[test]
fn server_shown_by_its_socket_without_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("admin.sock");
    let mut command = wigwag();
    command.arg("serve").arg("--admin-socket").arg(&socket);
    let served = Served::start(command);
    let _peer = served.peer();
    let look = |socket: &std::path::Path| {
        let mut command = wigwag();
        command
            .args(["monitor", "--once", "--admin-socket"])
            .arg(socket);
        command
            .env_remove("WIGWAG_ADMIN_TOKEN")
            .output()
            .expect("it runs")
    };
    let output = look(&socket);
    let picture = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        picture.contains("admin.sock") && picture.contains("1 peer"),
        "{picture}"
    );
    let output = look(&folder.path().join("missing.sock"));
    assert_eq!(output.status.code(), Some(1));
}
