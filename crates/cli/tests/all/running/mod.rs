//! A server in this process, and plain blocking peers.
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tungstenite::{Message, WebSocket};
use wigwag_server::{AdminConfig, Config, Secret, Server};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin_address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::start_with(0, None)
    }

    /// With the admin API on a port of its own, and asking for a token if there is one.
    pub(crate) fn start_with(admin_port: u16, token: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            admin: Some(AdminConfig {
                port: admin_port,
                token: token.map(|token| Secret::new(token).expect("a good one")),
                ..AdminConfig::default()
            }),
            ..Config::default()
        };
        let server = runtime.block_on(Server::bind(config)).expect("it starts");
        let address = server.address();
        let admin_address = server.admin_address().expect("it has such a port");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }));
        });
        Self {
            address,
            admin_address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.admin_address)
    }

    /// A peer that was welcomed, and said this of itself.
    pub(crate) fn peer(&self, roles: &str, meta: &str) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("accepted");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket option");
        let (mut socket, _) = tungstenite::client(self.url(), stream).expect("an upgrade");
        let status = format!(r#"{{"type":"setPeerStatus","roles":[{roles}],"meta":{meta}}}"#);
        for text in [status.as_str(), r#"{"type":"listConsumers"}"#] {
            socket.send(Message::text(text)).expect("taken");
        }
        // The answer to the question comes after the status was read.
        loop {
            let message = socket.read().expect("an answer");
            if message.to_text().expect("text").contains("listConsumers") {
                return socket;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads until the server closes, and returns code and text.
pub(crate) fn closed(socket: &mut WebSocket<TcpStream>) -> (u16, String) {
    loop {
        if let Message::Close(frame) = socket.read().expect("the server says why") {
            let frame = frame.expect("a reason");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(start.elapsed() < DEADLINE, "no {what}, but\n{seen}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}
