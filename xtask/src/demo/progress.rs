//! One line about what is left to do before the demo begins.

use std::io::{IsTerminal, Write, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a terminal a line is written each time so many percent more are done.
const STEP: u32 = 10;

/// What is done; shared by those who do it.
#[derive(Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Default)]
struct State {
    packages: bool,
    crates: Option<Crates>,
    shown: String,
    step: u32,
}

#[derive(Clone, Copy)]
struct Crates {
    done: u32,
    all: u32,
    /// When the first was counted, and how many there were then.
    since: (Instant, u32),
}

impl Progress {
    /// Whether packages are still to be installed.
    pub(super) fn packages(&self, are_missing: bool) {
        self.change(|state| state.packages = are_missing);
    }

    /// So many crates of all are built.
    pub(super) fn crates(&self, done: u32, all: u32) {
        self.change(|state| {
            let since = state
                .crates
                .map_or_else(|| (Instant::now(), done), |crates| crates.since);
            state.crates = Some(Crates { done, all, since });
        });
    }

    /// Leaves the line behind.
    pub(super) fn end(&self) {
        if stdout().is_terminal() {
            println!();
        }
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        how(&mut state);
        let line = state.line(Instant::now());
        let step = state.percent() / STEP;
        if line == state.shown {
            return;
        }
        let mut out = stdout().lock();
        // Nobody reads it any more; the demo goes on.
        let _ = if out.is_terminal() {
            write!(out, "\r\x1b[K{line}").and_then(|()| out.flush())
        } else if step != state.step || state.shown.is_empty() {
            writeln!(out, "{line}")
        } else {
            return;
        };
        state.step = step;
        state.shown = line;
    }
}

impl State {
    fn percent(&self) -> u32 {
        self.crates
            .map_or(0, |crates| 100 * crates.done / crates.all.max(1))
    }

    fn line(&self, now: Instant) -> String {
        let packages = if self.packages {
            "installing packages"
        } else {
            "packages installed"
        };
        match self.crates {
            None => format!("{packages}, downloading crates"),
            Some(crates) => format!(
                "{packages}, built {} of {} crates ({} %){}",
                crates.done,
                crates.all,
                self.percent(),
                crates.left(now)
            ),
        }
    }
}

impl Crates {
    /// What is left at the speed so far, once that says something.
    fn left(&self, now: Instant) -> String {
        const TELLING: Duration = Duration::from_secs(10);
        let (since, first) = self.since;
        let (took, built) = (
            now.saturating_duration_since(since),
            self.done - first.min(self.done),
        );
        if took < TELLING || built == 0 || self.done >= self.all {
            return String::new();
        }
        let left = took / built * (self.all - self.done);
        let seconds = left.as_secs().next_multiple_of(10);
        format!(", about {}:{:02} min left", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_says_what_is_left_at_the_speed_so_far() {
        let start = Instant::now();
        let state = State {
            packages: true,
            crates: Some(Crates {
                done: 100,
                all: 300,
                since: (start, 0),
            }),
            ..State::default()
        };
        let line = state.line(start + Duration::from_secs(60));
        assert_eq!(
            line,
            "installing packages, built 100 of 300 crates (33 %), about 2:00 min left"
        );
        assert!(!state.line(start).contains("left"));
    }
}
