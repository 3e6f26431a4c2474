//! Whether files are still what they were when they were last read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::tls::settings::{TlsConfig, TlsSource};

/// What distinguishes one content of a file from the next, at the end of all symbolic links; none while there is no file.
/// A file that is replaced has another number, and one that is written to has another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The stamps of the files that a configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<Stamp>>);

impl Stamps {
    /// Looks at each file. Take them before the files are read: what is written meanwhile is then seen the next time.
    pub(crate) fn of(config: &TlsConfig) -> Self {
        Self(files(config).iter().map(|path| stamp(path)).collect())
    }
}

/// The files that may be replaced while a server runs.
fn files(config: &TlsConfig) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let TlsSource::Files(source) = &config.source {
        files.extend([source.certificate.clone(), source.key.clone()]);
    }
    if let Some(clients) = &config.client_certificates {
        files.push(clients.authority.clone());
    }
    files
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata: Metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
