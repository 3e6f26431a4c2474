//! Parts of a test run beside each other: each when what it needs is done and its lane has room.
//!
//! Two cores are kept busy best by one build and a few suites that mostly wait for sockets and browsers. Builds
//! that suites do not wait for run while suites leave the machine idle, so that deadlines in tests hold.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::record::Record;

/// What a part mostly does, and so what it may run beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Downloads and unpacks.
    Install,
    /// Compiles.
    Build,
    /// Runs tests.
    Run,
    /// Measures, or fills the machine by itself: nothing else runs beside it.
    Alone,
}

impl Lane {
    /// How many parts of a lane run at once.
    fn room(self) -> usize {
        match self {
            Self::Install | Self::Build | Self::Alone => 1,
            Self::Run => 2,
        }
    }
}

type Work<'a> = Box<dyn FnOnce(&mut Record) -> Result<()> + Send + 'a>;

/// A part of a run.
pub(crate) struct Part<'a> {
    pub(crate) name: &'static str,
    lane: Lane,
    /// The parts that must have succeeded before, by name.
    needs: &'static [&'static str],
    gives_way: bool,
    encodes_all: bool,
    work: Work<'a>,
}

impl<'a> Part<'a> {
    pub(crate) fn new(
        name: &'static str,
        lane: Lane,
        needs: &'static [&'static str],
        work: impl FnOnce(&mut Record) -> Result<()> + Send + 'a,
    ) -> Self {
        Self {
            name,
            lane,
            needs,
            gives_way: false,
            encodes_all: false,
            work: Box::new(work),
        }
    }

    /// The same part beside no other of this kind: it encodes and decodes pictures of every codec, and two at once are too
    /// slow for AV1.
    pub(crate) fn encoding_all(mut self) -> Self {
        self.encodes_all = true;
        self
    }

    /// The same part, run while suites leave the machine idle.
    pub(crate) fn giving_way(mut self) -> Self {
        self.gives_way = true;
        self
    }

    pub(crate) fn needs(&self) -> &'static [&'static str] {
        self.needs
    }
}

/// A part that is over.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Vec<String>,
    /// From the start of the run.
    pub(crate) began: Duration,
    pub(crate) took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Runs,
    Succeeded,
    Failed,
}

struct Board {
    states: Vec<(&'static str, Lane, &'static [&'static str], State)>,
    /// The parts that encode pictures of every codec.
    encoding_all: Vec<usize>,
    done: Vec<Done>,
}

/// Runs all parts, in their order within a lane as far as their needs allow; returns them in the order of their ends.
pub(crate) fn run(parts: Vec<Part<'_>>, start: Instant) -> Vec<Done> {
    let board = Mutex::new(Board {
        states: parts
            .iter()
            .map(|part| (part.name, part.lane, part.needs, State::Waits))
            .collect(),
        encoding_all: (0..parts.len())
            .filter(|index| parts[*index].encodes_all)
            .collect(),
        done: Vec::new(),
    });
    let changed = Condvar::new();
    let is_alone = parts.len() == 1;
    thread::scope(|scope| {
        for (index, part) in parts.into_iter().enumerate() {
            let (board, changed) = (&board, &changed);
            scope.spawn(move || {
                let mut record = if is_alone {
                    Record::live()
                } else {
                    Record::default()
                };
                if part.gives_way {
                    record.in_background();
                }
                let missing = wait_for_turn(board, changed, index);
                let began = start.elapsed();
                let (name, work) = (part.name, part.work);
                let result = match missing {
                    Some(missing) => Err(anyhow!("{missing} failed, which it needs")),
                    None => {
                        announce(&format!("[{}] {name} begins", clock(began)));
                        // A panic is a failure of this part; others may wait for its end.
                        let result = catch_unwind(AssertUnwindSafe(|| work(&mut record)));
                        result.unwrap_or_else(|_| Err(anyhow!("panicked")))
                    }
                };
                if let Err(error) = &result {
                    record.broke_off(error);
                }
                let took = start.elapsed().saturating_sub(began);
                let state = if record.failed == 0 {
                    State::Succeeded
                } else {
                    State::Failed
                };
                announce(&format!(
                    "\n=== {name}\n{}[{}] {name} is over: {} passed, {} failed, {:.0} s",
                    record.take_output(),
                    clock(start.elapsed()),
                    record.passed,
                    record.failed,
                    took.as_secs_f64()
                ));
                let mut board = lock(board);
                board.states[index].3 = state;
                board.done.push(Done {
                    name,
                    passed: record.passed,
                    failed: record.failed,
                    failures: record.failures,
                    began,
                    took,
                });
                changed.notify_all();
            });
        }
    });
    board
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .done
}

/// Waits until a part may run, and marks it as running; returns the need that failed, if one did.
fn wait_for_turn(board: &Mutex<Board>, changed: &Condvar, index: usize) -> Option<&'static str> {
    let mut board = lock(board);
    loop {
        if let Some(missing) = failed_need(&board, index) {
            return Some(missing);
        }
        if may_run(&board, index) {
            board.states[index].3 = State::Runs;
            changed.notify_all();
            return None;
        }
        board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
}

fn state_of(board: &Board, name: &str) -> Option<State> {
    let found = board.states.iter().find(|(other, ..)| *other == name);
    found.map(|(_, _, _, state)| *state)
}

fn failed_need(board: &Board, index: usize) -> Option<&'static str> {
    let (_, _, needs, _) = board.states[index];
    let failed = |need: &&'static str| state_of(board, need) == Some(State::Failed);
    needs.iter().copied().find(failed)
}

/// A need that is no part of this run counts as done.
fn is_ready(board: &Board, index: usize) -> bool {
    let (_, _, needs, state) = board.states[index];
    let is_busy = board.encoding_all.contains(&index)
        && (board.encoding_all.iter()).any(|other| board.states[*other].3 == State::Runs);
    state == State::Waits
        && !is_busy
        && needs
            .iter()
            .all(|need| matches!(state_of(board, need), None | Some(State::Succeeded)))
}

fn may_run(board: &Board, index: usize) -> bool {
    let (_, lane, ..) = board.states[index];
    let in_lane = |other: &usize| board.states[*other].1 == lane;
    let all = 0..board.states.len();
    let running = all
        .filter(in_lane)
        .filter(|other| board.states[*other].3 == State::Runs);
    let is_first = !(0..index).any(|other| in_lane(&other) && is_ready(board, other));
    let others_allow = board.states.iter().all(|(_, other, _, state)| {
        *state != State::Runs || (*other != Lane::Alone && lane != Lane::Alone)
    });
    is_ready(board, index) && is_first && others_allow && running.count() < lane.room()
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints as a whole: parts run beside each other.
fn announce(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more; the exit status still says how it went.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:>2}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn part_with_needs_runs_after_them() {
        let order = Mutex::new(Vec::new());
        let note = |name| {
            let order = &order;
            move |_: &mut Record| {
                order.lock().unwrap().push(name);
                Ok(())
            }
        };
        let parts = vec![
            Part::new("suite", Lane::Run, &["build"], note("suite")),
            Part::new("build", Lane::Build, &[], note("build")),
        ];
        let done = run(parts, Instant::now());
        assert_eq!(*order.lock().unwrap(), ["build", "suite"]);
        assert_eq!(done.len(), 2);
    }

    #[test]
    fn part_whose_need_failed_fails_without_running() {
        let parts = vec![
            Part::new("build", Lane::Build, &[], |_: &mut Record| {
                Err(anyhow!("no"))
            }),
            Part::new("suite", Lane::Run, &["build"], |_: &mut Record| {
                panic!("must not run")
            }),
        ];
        let done = run(parts, Instant::now());
        assert!(done.iter().all(|done| done.failed == 1), "{done:?}");
    }

    #[test]
    fn part_alone_runs_beside_no_other() {
        let running = AtomicUsize::new(0);
        let lanes = [
            Lane::Build,
            Lane::Alone,
            Lane::Run,
            Lane::Alone,
            Lane::Install,
        ];
        let parts = lanes.map(|lane| {
            let running = &running;
            Part::new("part", lane, &[], move |_: &mut Record| {
                let before = running.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                let beside = running.fetch_sub(1, Ordering::SeqCst) - 1;
                assert!(lane != Lane::Alone || before + beside == 0);
                Ok(())
            })
        });
        let done = run(parts.into(), Instant::now());
        assert!(done.iter().all(|done| done.failed == 0), "{done:?}");
    }

    #[test]
    fn parts_that_encode_all_run_one_at_a_time_and_let_others_pass() {
        let (encoding, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let parts = (0..6).map(|number| {
            let (encoding, others) = (&encoding, &others);
            let encodes = number < 3;
            let part = Part::new("suite", Lane::Run, &[], move |_: &mut Record| {
                if encodes {
                    assert_eq!(encoding.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    encoding.fetch_sub(1, Ordering::SeqCst);
                } else {
                    others.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            });
            if encodes { part.encoding_all() } else { part }
        });
        let done = run(parts.collect(), Instant::now());
        assert!(done.iter().all(|done| done.failed == 0), "{done:?}");
        assert_eq!(others.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn lane_never_runs_more_parts_than_it_has_room_for() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let parts = (0..8).map(|_| {
            Part::new("build", Lane::Build, &[], |_: &mut Record| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        run(parts.collect(), Instant::now());
        assert_eq!(most.load(Ordering::SeqCst), Lane::Build.room());
    }
}
