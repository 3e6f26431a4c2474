//! What can be wrong with settings.

use std::io;
use std::path::PathBuf;

/// Something that whoever wrote the settings is to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("cannot read the settings in {path}: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}, line {line}: this is not TOML: {reason}", path = path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    #[error("{path}, line {line}: there is no setting \"{key}\"{hint}",
        path = path.display(), hint = did_you_mean(*nearest))]
    UnknownKey {
        path: PathBuf,
        line: usize,
        key: String,
        nearest: Option<&'static str>,
    },
    #[error("{path}, line {line}: {key}: {reason}", path = path.display())]
    InFile {
        path: PathBuf,
        line: usize,
        key: &'static str,
        reason: String,
    },
    #[error("{variable}: {reason}")]
    InEnvironment { variable: String, reason: String },
    #[error("--{flag}: {reason}")]
    InFlag { flag: &'static str, reason: String },
    /// A value that is none together with others.
    #[error("{place}{name} {reason}", place = in_file(place.as_ref()))]
    Unfit {
        /// The file and its line, counted from 1, if it is in one.
        place: Option<(PathBuf, usize)>,
        name: String,
        reason: String,
        /// Whether it is the command line that makes no sense.
        by_flag: bool,
    },
}

impl Mistake {
    /// Whether the command line makes no sense, by custom with an exit code of its own.
    pub(super) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::InFlag { .. } | Self::Unfit { by_flag: true, .. }
        )
    }
}

fn in_file(place: Option<&(PathBuf, usize)>) -> String {
    place.map_or_else(String::new, |(path, line)| {
        format!("{}, line {line}: ", path.display())
    })
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}
