//! Logs go to standard error, filtered by an environment variable.

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Ours first, then the reference's, so that its units and scripts keep their filter.
const VARIABLES: [&str; 2] = ["WIGWAG_LOG", "WEBRTCSINK_SIGNALLING_SERVER_LOG"];

/// Starts logging; the filter is for when no variable is set.
///
/// # Errors
///
/// The variable is set to something that is no filter.
pub(crate) fn start(default_filter: &str) -> Result<(), Box<dyn Error>> {
    let chosen = VARIABLES
        .into_iter()
        .find_map(|name| Some((name, env::var(name).ok()?)));
    let filter = match &chosen {
        Some((name, filter)) => EnvFilter::try_new(filter)
            .map_err(|error| format!("{name}=\"{filter}\" is no log filter: {error}"))?,
        None => EnvFilter::new(default_filter),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
