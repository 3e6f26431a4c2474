//! The `wigwag` command. It is a library only for its own two binaries; programs use
//! `wigwag-server` and its like.

mod arguments;
mod logging;
mod serve;

use std::process::ExitCode;

pub use arguments::parse;
pub use serve::ServeArguments;

/// Runs `serve`, and turns what goes wrong into one line and the exit code 1.
pub fn run_serve(arguments: ServeArguments) -> ExitCode {
    match logging::start().and_then(|()| serve::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
