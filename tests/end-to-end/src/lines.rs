//! The lines that a child process says.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The lines of an output of a child, read as they come, so that who waits for one can stop waiting.
///
/// They are read to the end whether or not anybody asks for them: a child must neither wait for its reader nor lose it.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    /// Begins to read, on a thread that ends with the output.
    pub fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                // Nobody may want it any more.
                let _ = sender.send(line);
            }
        });
        Self(lines)
    }

    /// The next line, which is waited for so long.
    pub fn next(&self, patience: Duration) -> Result<String> {
        match self.0.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("nothing is said within {patience:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("it ended and said no more"),
        }
    }

    /// All that is said up to the end, which is waited for so long.
    pub fn rest(&self, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        let mut said = String::new();
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.0.recv_timeout(rest) {
                Ok(line) => said = said + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => return Ok(said),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("it did not end within {patience:?}, but said:\n{said}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;
    use crate::DEADLINE;

    #[test]
    fn lines_come_and_end() -> Result<()> {
        let (output, mut input) = pipe()?;
        let lines = Lines::of(output);
        write!(input, "one\ntwo\nth")?;
        assert_eq!(lines.next(DEADLINE)?, "one");
        assert_eq!(lines.next(DEADLINE)?, "two");
        assert!(lines.next(Duration::from_millis(1)).is_err(), "no line yet");
        assert!(lines.rest(Duration::from_millis(1)).is_err(), "no end yet");
        write!(input, "ree\nfour")?;
        drop(input);
        assert_eq!(lines.rest(DEADLINE)?, "three\nfour\n");
        assert!(lines.next(DEADLINE).is_err());
        Ok(())
    }

    #[test]
    fn who_says_more_than_is_asked_for_is_not_held_up() -> Result<()> {
        let (output, mut input) = pipe()?;
        drop(Lines::of(output));
        // More than a pipe holds.
        for _ in 0..10_000 {
            writeln!(input, "something that nobody is there for any more")?;
        }
        Ok(())
    }
}
