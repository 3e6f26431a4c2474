//! A file that holds an input, which stays out of the list of processes.

use std::path::{Path, PathBuf};

/// What is wrong with such a file; one line, for the user.
#[derive(Debug, thiserror::Error)]
#[error("no input in {}: {reason}", path.display())]
pub(crate) struct InputFileError {
    path: PathBuf,
    reason: String,
}

/// The first line of a file, which is an input.
pub(crate) fn first_line(path: &Path) -> Result<String, InputFileError> {
    let failed = |reason: &str| InputFileError {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    match line.is_empty() {
        true => Err(failed("its first line is empty")),
        false => Ok(line.to_owned()),
    }
}
