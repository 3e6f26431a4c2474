//! A busy machine: as many processes that never sleep as there are processors.

use std::env;
use std::hint::black_box;
use std::io::{Read, stdin};
use std::process::{Child, Command, ExitCode, Stdio, exit};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The longest a process spins, should nobody end it.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Processes that spin until this is dropped. They also end with the process that started them, by their standard
/// input.
pub(crate) struct BusyMachine {
    spinning: Vec<Child>,
}

impl BusyMachine {
    pub(crate) fn start() -> Result<Self> {
        let mut busy = Self {
            spinning: Vec::new(),
        };
        for _ in 0..thread::available_parallelism()?.get() {
            let child = Command::new(env::current_exe()?)
                .args(["bench", "busy-loop"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .context("cannot start a busy loop")?;
            busy.spinning.push(child);
        }
        Ok(busy)
    }
}

impl Drop for BusyMachine {
    fn drop(&mut self) {
        for child in &mut self.spinning {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Spins until the standard input ends.
pub(crate) fn spin() -> ExitCode {
    thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        exit(0);
    });
    let start = Instant::now();
    while start.elapsed() < LONGEST {
        // Not `spin_loop`, which a virtual machine's host takes for idleness.
        for number in 0..1_000_000 {
            black_box(number);
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn busy_machine_when_dropped_leaves_no_process() {
        let child = Command::new("sleep").arg("60").spawn().expect("started");
        let process = format!("/proc/{}", child.id());
        assert!(Path::new(&process).exists());
        drop(BusyMachine {
            spinning: vec![child],
        });
        assert!(!Path::new(&process).exists());
    }
}
