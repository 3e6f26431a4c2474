//! A server process for tests, ended with the test.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn wigwag() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wigwag"))
}

/// Polls until there is something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not in time");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts it on a port that the system chooses.
    pub(crate) fn start(mut command: Command) -> Self {
        command.args(["--host", "127.0.0.1", "--port", "0"]);
        Self::start_as_told(command)
    }

    /// Starts it without further arguments.
    pub(crate) fn start_as_told(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let reader = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut line = String::new();
                while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                    log.lock().expect("no panic").push_str(&line);
                    line.clear();
                }
            }
        });
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line
            .trim()
            .strip_prefix("signalling at ")
            .unwrap_or_else(|| panic!("not served: {line:?} {:?}", log.lock()))
            .to_owned();
        Self {
            child,
            url,
            log,
            reader: Some(reader),
        }
    }

    pub(crate) fn address(&self) -> &str {
        let (_, rest) = self.url.split_once("://").expect("a URL");
        rest.trim_end_matches('/')
    }

    /// A peer that was welcomed.
    pub(crate) fn peer(&self) -> WebSocket<TcpStream> {
        let mut socket = connect(self.address());
        assert!(matches!(socket.read(), Ok(Message::Text(_))), "welcomed");
        socket
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status();
        assert!(killed.expect("kill runs").success());
    }

    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        let child = &mut self.child;
        eventually("its end", || child.try_wait().expect("a child"))
    }

    /// Waits for something in the log.
    pub(crate) fn wait_for_log(&self, what: &str) {
        let start = Instant::now();
        while !self.log_so_far().contains(what) {
            let log = self.log_so_far();
            assert!(start.elapsed() < DEADLINE, "no \"{what}\" in: {log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn log_so_far(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// All of the log, after the end.
    pub(crate) fn log(mut self) -> String {
        self.terminate();
        let reader = self.reader.take().expect("taken once");
        reader.join().expect("no panic");
        self.log_so_far()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A WebSocket to the JSON protocol.
pub(crate) fn connect(address: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).expect("accepted");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    let url = format!("ws://{address}/");
    tungstenite::client(url, stream).expect("an upgrade").0
}
