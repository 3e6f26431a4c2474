//! A signalling server in this process.

use std::thread::{self, JoinHandle};

use tokio_util::sync::CancellationToken;
use wigwag_server::{Config, Server, TlsFiles};

/// A server on a port of its own. It ends with this.
pub struct SignallingServer {
    pub url: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl SignallingServer {
    pub fn start() -> Self {
        Self::with_tls(None)
    }

    pub fn with_tls(tls: Option<TlsFiles>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            tls: tls.map(Into::into),
            ..Config::default()
        };
        let server = runtime.block_on(Server::bind(config)).expect("it starts");
        let url = server.url();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let thread = thread::spawn(move || runtime.block_on(server.run(stopped)));
        Self {
            url,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for SignallingServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has said so.
            let _ = thread.join();
        }
    }
}
