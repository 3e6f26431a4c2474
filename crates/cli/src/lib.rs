//! The `wigwag` command. It is a library only for its own two binaries; programs use
//! `wigwag-server` and its like.

mod arguments;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "list")]
mod list;
#[cfg(feature = "load")]
mod load;
mod logging;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(any(feature = "list", feature = "monitor"))]
mod printable;
#[cfg(feature = "gst")]
mod publish;
mod serve;

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
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match publish::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
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
    // A certificate that is refused is said in the error itself.
    let filter = "error,rustls_platform_verifier=off";
    let started = logging::start(filter).map_err(|error| error.to_string());
    match started.and_then(|()| load::run(arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `list`, and turns what goes wrong into one line and the exit code 1.
#[cfg(feature = "list")]
pub fn run_list(arguments: &ListArguments) -> ExitCode {
    run_client(|| list::run(arguments))
}

/// Runs `monitor`, and turns what goes wrong into one line and the exit code 1.
#[cfg(feature = "monitor")]
pub fn run_monitor(arguments: &MonitorArguments) -> ExitCode {
    run_client(|| monitor::run(arguments))
}

#[cfg(any(feature = "list", feature = "monitor"))]
fn run_client(run: impl FnOnce() -> Result<(), String>) -> ExitCode {
    // A certificate that is refused is said in the error itself.
    let filter = "error,rustls_platform_verifier=off";
    let started = logging::start(filter).map_err(|error| error.to_string());
    match started.and_then(|()| run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
