//! A web server in this process, plain blocking clients, and a site to serve.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each of which uses a part"
)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use wigwag_server::{StartError, WebConfig, WebContent, WebServer};

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A web server in this process. It ends with this.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(config: WebConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime
            .block_on(WebServer::bind(WebConfig { port: 0, ..config }))
            .expect("it starts");
        let (address, url) = (server.address(), server.url());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }));
        });
        Self {
            address,
            url,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn directory(folder: &Path) -> Self {
        Self::start(WebConfig {
            content: WebContent::Directory(folder.to_owned()),
            ..WebConfig::default()
        })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        stream
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        ask(self.connect(), method, path, headers)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends without a panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

pub(crate) fn ask(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &str,
) -> Answer {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    )
    .expect("sent");
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        // A connection may end without saying so in TLS.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => panic!("{error}"),
        _ => {}
    }
    let end = all.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = all.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(all).expect("text");
    let status = head.split(' ').nth(1).expect("a status");
    Answer {
        status: status.parse().expect("a number"),
        head,
        body,
    }
}

pub(crate) fn refusal(config: WebConfig) -> StartError {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(WebServer::bind(config)) {
        Err(error) => error,
        Ok(_) => panic!("the server started"),
    }
}

/// A folder with a site in it, and something beside the site that is nobody's business.
pub(crate) fn site() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site");
    fs::create_dir_all(site.join("deep/er")).expect("a folder");
    for (name, content) in [
        ("index.html", "<title>Mine</title>"),
        ("deep/index.html", "<title>Deep</title>"),
        ("deep/app.js", "let x;"),
        ("a name.css", "a{}"),
        ("picture.svg", "<svg/>"),
        ("module.wasm", "\0asm"),
        ("sound.ogg", "0123456789"),
        ("unknown.abcxyz", "?"),
        (".env", "secret"),
        ("../secret.txt", "secret"),
    ] {
        fs::write(site.join(name), content).expect("written");
    }
    folder
}
