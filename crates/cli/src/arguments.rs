//! Reading the command line.

use std::process::ExitCode;

use clap::Parser;

/// The exit code for a command line that makes no sense, by custom.
pub(crate) const USAGE: u8 = 2;

/// Reads the command line. `Err` is the exit code after help, version or a mistake were printed; a
/// mistake takes one line, so that it is whole wherever it is logged.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        if !error.use_stderr() {
            // Nobody is left to hear of a closed standard output.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        let text = error.render().to_string();
        let mistake: Vec<_> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        eprintln!("{} (--help lists all arguments)", mistake.join(" "));
        ExitCode::from(USAGE)
    })
}
