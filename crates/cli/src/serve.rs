//! `wigwag serve`.

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, value_parser};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use wigwag_server::{Config, Limits, Policy, Server, TlsFiles};

/// What `wigwag serve` is told.
#[derive(Args, Debug)]
pub struct ServeArguments {
    /// Address or name to listen on ("::" is every address, IPv4 and IPv6)
    #[arg(long, default_value = "0.0.0.0")]
    host: String,

    /// TCP port; 0 lets the system choose one, which is printed
    #[arg(short, long, default_value_t = 8443)]
    port: u16,

    /// TCP port for the text protocol (HELLO, SESSION, ROOM) alone, at any path, besides /text on the port above; 0
    /// lets the system choose one, which is printed
    #[arg(long, value_name = "PORT")]
    text_port: Option<u16>,

    /// Certificate and chain (PEM): serves wss and https
    #[arg(short, long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Private key of the certificate (PEM, not encrypted)
    #[arg(short, long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Seconds of silence after which a client is pinged; it has 30 to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=86_400))]
    keepalive_timeout: u64,

    /// Lets only producers call passive consumers; the reference lets any peer
    #[arg(long)]
    only_producers_call_consumers: bool,
}

/// Serves until the process is told to end (SIGINT, SIGTERM).
pub(crate) fn run(arguments: ServeArguments) -> Result<(), Box<dyn Error>> {
    // Many systems start a process with 1,024 descriptors, and every client is one.
    let descriptors = rlimit::increase_nofile_limit(rlimit::INFINITY)?;
    tracing::debug!(descriptors, "may use this many descriptors");
    // Half of the processors: the kernel's part of the work is as large as ours, and measured on two
    // processors a second thread that is woken for every message costs more than it brings.
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (processors / 2).max(1);
    // One thread that shares nothing needs none of what several need to share.
    let mut runtime = if threads == 1 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    runtime
        .worker_threads(threads)
        .enable_all()
        .build()?
        .block_on(serve(arguments))
}

async fn serve(arguments: ServeArguments) -> Result<(), Box<dyn Error>> {
    let server = Server::bind(arguments.into()).await?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // For people and for scripts that chose port 0. That nobody listens is no reason to stop.
    let _ = writeln!(io::stdout(), "signalling at {}", server.url());
    if let Some(url) = server.text_url() {
        let _ = writeln!(io::stdout(), "text protocol at {url}");
    }
    let told_to_stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    server.run(told_to_stop).await;
    Ok(())
}

impl From<ServeArguments> for Config {
    fn from(arguments: ServeArguments) -> Self {
        let tls = arguments.cert.zip(arguments.key);
        Self {
            host: arguments.host,
            port: arguments.port,
            text_port: arguments.text_port,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }.into()),
            limits: Limits {
                ping_interval: Duration::from_secs(arguments.keepalive_timeout),
                ..Limits::default()
            },
            policy: Policy {
                only_producers_call_consumers: arguments.only_producers_call_consumers,
                ..Policy::default()
            },
            ..Self::default()
        }
    }
}
