//! `wigwag serve`.
//!
//! Settings are read once, before anything else happens ([`sources`]), and again at each SIGHUP ([`reload`]). What
//! systemd hands over is taken before there are threads ([`service_manager`]).

mod arguments;
mod check;
mod file;
mod flags;
mod health;
mod mistake;
mod quantity;
mod reload;
mod service_manager;
mod settings;
mod sources;
mod value;

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use wigwag_server::{Server, Sockets};

pub use arguments::ServeArguments;

use crate::arguments::USAGE;
use crate::logging::{self, LogHandle};
use mistake::Mistake;
use reload::Reload;
use sources::Effective;

/// Why it does not serve, or no more.
#[derive(Debug)]
pub(crate) enum ServeError {
    /// The settings are wrong in all these ways.
    Settings(Vec<Mistake>),
    /// Anything else.
    Failed(Box<dyn Error>),
}

impl ServeError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(mistakes) if mistakes.iter().any(Mistake::is_usage) => {
                ExitCode::from(USAGE)
            }
            _ => ExitCode::FAILURE,
        }
    }
}

/// Each mistake in a line of its own.
impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(mistakes) => {
                let lines: Vec<_> = mistakes.iter().map(|one| format!("error: {one}")).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Failed(error) => write!(f, "error: {error}"),
        }
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for ServeError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Serves until the process is told to end (SIGINT, SIGTERM), or does what it is told to do instead.
pub(crate) fn run(arguments: ServeArguments) -> Result<(), ServeError> {
    if arguments.instead().print_config {
        io::stdout().write_all(settings::sample().as_bytes())?;
        return Ok(());
    }
    let effective = arguments.sources().read().map_err(ServeError::Settings)?;
    if arguments.instead().check {
        return Ok(check::run(&effective)?);
    }
    if arguments.instead().check_health {
        return Ok(health::run(&effective.config)?);
    }
    let log = logging::start_with(&effective.settings.log, effective.settings.log_format)?;
    for warning in &effective.warnings {
        tracing::warn!("{warning}");
    }
    let sockets = service_manager::sockets()?;
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
        .block_on(serve(arguments, effective, sockets, log))?;
    Ok(())
}

async fn serve(
    arguments: ServeArguments,
    effective: Effective,
    sockets: Sockets,
    log: LogHandle,
) -> Result<(), Box<dyn Error>> {
    // Before anyone is told that it serves, because until then this signal ends the process.
    let hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::bind_with(effective.config.clone(), sockets).await?;
    // For people and for scripts that chose port 0. That nobody listens is no reason to stop.
    let _ = writeln!(io::stdout(), "signalling at {}", server.url());
    if let Some(url) = server.text_url() {
        let _ = writeln!(io::stdout(), "text protocol at {url}");
    }
    if let Some(url) = server.admin_url() {
        let _ = writeln!(io::stdout(), "admin API at {url}");
    }
    if let Some(path) = server.admin_socket() {
        let _ = writeln!(io::stdout(), "admin API at socket {}", path.display());
    }
    let status = format!("serving at {}", server.url());
    service_manager::ready(&status);
    let reload = Reload {
        arguments: Arc::new(arguments),
        log_format: effective.settings.log_format,
        effective,
        server: server.handle(),
        log,
        status,
    };
    let watched = server.handle();
    let told_to_stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        service_manager::stopping();
    };
    tokio::select! {
        () = server.run(told_to_stop) => {}
        () = reload.at_each(hangup) => {}
        () = service_manager::watchdog(watched) => {}
    }
    Ok(())
}
