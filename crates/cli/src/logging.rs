//! Logs go to standard error, filtered by an environment variable.

use std::error::Error;
use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// Ours first, then the reference's, so that its units and scripts keep their filter.
#[cfg(any(feature = "client", feature = "gst"))]
const VARIABLES: [&str; 2] = ["WIGWAG_LOG", "WEBRTCSINK_SIGNALLING_SERVER_LOG"];

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object in JSON, for programs.
    Json,
}

/// Changes what is logged while it is.
#[derive(Clone, Debug)]
pub(crate) struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Takes another filter.
    ///
    /// # Errors
    ///
    /// This is no filter.
    pub(crate) fn set_filter(&self, filter: &str) -> Result<(), Box<dyn Error>> {
        Ok(self.0.reload(EnvFilter::try_new(filter)?)?)
    }
}

/// Starts logging; the filter is for when no variable is set.
///
/// # Errors
///
/// The variable is set to something that is no filter.
#[cfg(any(feature = "client", feature = "gst"))]
pub(crate) fn start(default_filter: &str) -> Result<(), Box<dyn Error>> {
    let chosen = VARIABLES
        .into_iter()
        .find_map(|name| Some((name, std::env::var(name).ok()?)));
    match &chosen {
        Some((name, filter)) => start_with(filter, LogFormat::Text)
            .map_err(|error| format!("{name}=\"{filter}\" is no log filter: {error}"))?,
        None => start_with(default_filter, LogFormat::Text)?,
    };
    Ok(())
}

/// Starts logging with this filter, whatever the variables say.
///
/// # Errors
///
/// This is no filter.
pub(crate) fn start_with(filter: &str, format: LogFormat) -> Result<LogHandle, Box<dyn Error>> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
    Ok(LogHandle(handle))
}
