//! What a child process wrote, kept for failure messages.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

const TAIL: u64 = 4096;

/// A file rather than a pipe: nothing has to read along, and a child that ended has left all of it.
#[derive(Debug)]
pub(crate) struct Output(File);

impl Output {
    pub(crate) fn new() -> io::Result<Self> {
        tempfile::tempfile().map(Self)
    }

    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }

    /// The end of what was written so far.
    pub(crate) fn tail(&self) -> String {
        self.read_tail()
            .unwrap_or_else(|error| format!("(unreadable: {error})"))
    }

    /// All that was written so far.
    pub(crate) fn read_all(&self) -> io::Result<String> {
        self.read_last(u64::MAX)
    }

    fn read_tail(&self) -> io::Result<String> {
        self.read_last(TAIL)
    }

    // The child shares the file position, so this must read without moving it.
    fn read_last(&self, limit: u64) -> io::Result<String> {
        let length = self.0.metadata()?.len();
        let start = length.saturating_sub(limit);
        let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        let count = self.0.read_at(&mut bytes, start)?;
        bytes.truncate(count);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
