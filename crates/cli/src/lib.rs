//! The `wigwag` command. It is a library only for its own two binaries; programs use
//! `wigwag-server` and its like.

mod arguments;
mod bounded_file;
#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "gst", feature = "load"))]
mod header;
#[cfg(feature = "list")]
mod list;
#[cfg(feature = "load")]
mod load;
mod logging;
#[cfg(any(feature = "list", feature = "monitor"))]
mod meta;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(any(
    feature = "gst",
    feature = "list",
    feature = "load",
    feature = "monitor"
))]
mod printable;
#[cfg(feature = "gst")]
mod publish;
mod serve;
#[cfg(any(feature = "list", feature = "monitor"))]
mod table;

#[cfg(feature = "monitor")]
use std::io::{self, IsTerminal};
use std::process::ExitCode;

pub use arguments::parse;
#[cfg(feature = "list")]
pub use list::ListArguments;
#[cfg(feature = "load")]
pub use load::LoadArguments;
#[cfg(feature = "monitor")]
pub use monitor::MonitorArguments;
#[cfg(feature = "gst")]
pub use publish::PublishArguments;
pub use serve::ServeArguments;

/// Runs `serve`, and turns what goes wrong into a line each and the exit code 1; 2 for a command line that makes no
/// sense.
pub fn run_serve(arguments: ServeArguments) -> ExitCode {
    match serve::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

/// Runs `publish`, and turns what goes wrong into one line and the exit code 1; 2 for a command line that
/// makes no sense.
#[cfg(feature = "gst")]
pub fn run_publish(arguments: &PublishArguments) -> ExitCode {
    // What becomes of the connection is said in words of its own.
    if let Err(error) = logging::start("error,wigwag_client=off") {
        say(&error);
        return ExitCode::FAILURE;
    }
    match publish::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            match error {
                publish::PublishError::Usage(_) => ExitCode::from(arguments::USAGE),
                publish::PublishError::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs `load`, and turns what goes wrong into one line and the exit code 1, which is also for viewers that did
/// not get what they should.
#[cfg(feature = "load")]
pub fn run_load(arguments: &LoadArguments) -> ExitCode {
    run_client(true, || load::run(arguments))
}

/// Runs `list`, and turns what goes wrong into one line and the exit code 1.
#[cfg(feature = "list")]
pub fn run_list(arguments: &ListArguments) -> ExitCode {
    run_client(true, || list::run(arguments).map(|()| true))
}

/// Runs `monitor`, and turns what goes wrong into one line and the exit code 1. Where it draws on the terminal that its
/// log would go to, there is no log.
#[cfg(feature = "monitor")]
pub fn run_monitor(arguments: &MonitorArguments) -> ExitCode {
    let logs = !(arguments.draws() && io::stderr().is_terminal());
    run_client(logs, || monitor::run(arguments).map(|()| true))
}

/// Whether all was well is the exit code.
#[cfg(any(feature = "list", feature = "load", feature = "monitor"))]
fn run_client(logs: bool, run: impl FnOnce() -> Result<bool, String>) -> ExitCode {
    // A certificate that is refused is said in the error itself.
    let filter = "error,rustls_platform_verifier=off";
    let started = if logs {
        logging::start(filter).map_err(|error| error.to_string())
    } else {
        Ok(())
    };
    match started.and_then(|()| run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong. What servers, peers and files say of themselves is a part of many errors, so all are made fit
/// for a terminal here.
#[cfg(any(
    feature = "gst",
    feature = "list",
    feature = "load",
    feature = "monitor"
))]
fn say(error: &impl ToString) {
    eprintln!("error: {}", printable::line(&error.to_string()));
}
