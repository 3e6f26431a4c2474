//! The processes that share the work, and what they tell.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::arguments::LoadArguments;
use super::record::{ProcessRecord, Progress, Record, ViewerRecord};
use super::worker;

/// What all processes told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) viewers: Vec<ViewerRecord>,
    pub(super) processes: Vec<ProcessRecord>,
}

/// A line of a process, or that it said its last; or that somebody wants the end.
enum Line {
    Record(usize, Record),
    Ended(Result<(), String>),
    Interrupted,
}

struct Process {
    child: Child,
    /// It ends when this is closed, so that it does not outlive this process.
    input: Option<ChildStdin>,
}

/// Runs all viewers, and shows how it goes.
pub(super) fn run(
    arguments: &LoadArguments,
    mut show: impl FnMut(&Progress),
) -> Result<Told, String> {
    let (lines, told) = channel();
    let mut processes = Vec::new();
    if arguments.processes == 1 {
        let arguments = arguments.clone();
        thread::spawn(move || run_here(&arguments, &lines));
    } else {
        for number in 0..arguments.processes {
            let started = start(arguments, number, &lines);
            processes.push(started.map_err(|error| format!("cannot start a process: {error}"))?);
        }
        forward_interrupts(lines)?;
    }
    let end_all = |processes: &mut Vec<Process>| {
        for process in processes {
            process.input = None;
        }
    };
    let gathered = gather(&told, arguments.processes, &mut show, || {
        end_all(&mut processes);
    });
    for Process { child, .. } in &mut processes {
        if gathered.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let _ = child.wait();
    }
    gathered
}

/// Ctrl-C must not end this process before the others told what they have.
fn forward_interrupts(lines: Sender<Line>) -> Result<(), String> {
    let runtime = runtime()?;
    let streams = {
        let _inside = runtime.enter();
        let stream = |kind| signal(kind).map_err(|error| error.to_string());
        [
            stream(SignalKind::interrupt())?,
            stream(SignalKind::terminate())?,
        ]
    };
    thread::spawn(move || {
        let [mut interrupt, mut terminate] = streams;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // It may be over.
        let _ = lines.send(Line::Interrupted);
    });
    Ok(())
}

/// Runs as one of several processes: tells by lines on the standard output.
pub(super) fn run_as_worker(arguments: &LoadArguments, number: usize) -> Result<(), String> {
    let (sender, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        let mut ignored = [0; 64];
        while matches!(io::stdin().read(&mut ignored), Ok(1..)) {}
        drop(sender);
    });
    let ended = async {
        let _ = ended.await;
    };
    let tell = |record| {
        let line = serde_json::to_string(&record).map_err(io::Error::other)?;
        let mut output = io::stdout().lock();
        writeln!(output, "{line}")?;
        output.flush()
    };
    runtime()?.block_on(worker::run(arguments, number, ended, tell))
}

fn run_here(arguments: &LoadArguments, lines: &Sender<Line>) {
    let tell = |record| {
        let line = Line::Record(0, record);
        lines
            .send(line)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    };
    let ran = runtime().and_then(|runtime| {
        runtime.block_on(worker::run(arguments, 0, std::future::pending(), tell))
    });
    // Whoever does not listen any more need not know.
    let _ = lines.send(Line::Ended(ran));
}

fn start(arguments: &LoadArguments, number: usize, lines: &Sender<Line>) -> io::Result<Process> {
    let (variable, headers) = arguments.worker_environment();
    let mut child = Command::new(env::current_exe()?)
        .args(arguments.for_worker(number))
        .env(variable, headers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take();
    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let lines = lines.clone();
    thread::spawn(move || {
        let mut read = Ok(());
        for line in BufReader::new(output).lines() {
            let record = line.and_then(|line| Ok(serde_json::from_str(&line)?));
            match record {
                Ok(record) => {
                    if lines.send(Line::Record(number, record)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    read = Err(format!("a process says what makes no sense: {error}"));
                    break;
                }
            }
        }
        let _ = lines.send(Line::Ended(read));
    });
    Ok(Process { child, input })
}

fn gather(
    lines: &Receiver<Line>,
    processes: usize,
    show: &mut impl FnMut(&Progress),
    mut end_all: impl FnMut(),
) -> Result<Told, String> {
    let mut told = Told::default();
    let mut progress = vec![Progress::default(); processes];
    let mut running = processes;
    while running > 0 {
        let line = lines
            .recv()
            .map_err(|_| "the processes are gone".to_owned())?;
        match line {
            Line::Record(process, Record::Progress(made)) => {
                if let Some(place) = progress.get_mut(process) {
                    *place = made;
                }
                show(&sum(&progress));
            }
            Line::Record(_, Record::Viewer(viewer)) => told.viewers.push(viewer),
            Line::Record(_, Record::Process(process)) => told.processes.push(process),
            Line::Interrupted => end_all(),
            Line::Ended(ended) => {
                ended?;
                running -= 1;
            }
        }
    }
    if told.processes.len() != processes {
        return Err("a process ended before it told its results".to_owned());
    }
    told.viewers.sort_unstable_by_key(|viewer| viewer.viewer);
    told.processes
        .sort_unstable_by_key(|process| process.process);
    Ok(told)
}

fn sum(all: &[Progress]) -> Progress {
    all.iter().fold(Progress::default(), |sum, one| Progress {
        elapsed: sum.elapsed.max(one.elapsed),
        joined: sum.joined + one.joined,
        watching: sum.watching + one.watching,
        failed: sum.failed + one.failed,
    })
}

fn runtime() -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(joined: usize) -> Record {
        Record::Progress(Progress {
            joined,
            ..Progress::default()
        })
    }

    #[test]
    fn what_processes_tell_is_put_together() {
        let (lines, told) = channel();
        let viewer = |viewer| {
            Record::Viewer(ViewerRecord {
                viewer,
                ..ViewerRecord::default()
            })
        };
        let process = |process| {
            Record::Process(ProcessRecord {
                process,
                ..ProcessRecord::default()
            })
        };
        for (from, record) in [
            (0, progress(1)),
            (1, progress(2)),
            (0, progress(3)),
            (1, viewer(1)),
            (1, process(1)),
            (0, viewer(0)),
            (0, process(0)),
        ] {
            let text = serde_json::to_string(&record).expect("JSON");
            let read = serde_json::from_str(&text).expect("a record");
            lines.send(Line::Record(from, read)).expect("heard");
        }
        lines.send(Line::Interrupted).expect("heard");
        let (mut shown, mut ends) = (Vec::new(), 0);
        for _ in 0..2 {
            lines.send(Line::Ended(Ok(()))).expect("heard");
        }
        let told = gather(
            &told,
            2,
            &mut |progress| shown.push(progress.joined),
            || ends += 1,
        )
        .expect("told");
        assert_eq!((shown, ends), (vec![1, 3, 5], 1));
        assert_eq!([told.viewers[0].viewer, told.viewers[1].viewer], [0, 1]);
        assert_eq!(
            [told.processes[0].process, told.processes[1].process],
            [0, 1]
        );
    }

    #[test]
    fn a_process_that_dies_is_an_error() {
        let (lines, told) = channel();
        lines.send(Line::Record(0, progress(1))).expect("heard");
        lines.send(Line::Ended(Ok(()))).expect("heard");
        let error = gather(&told, 1, &mut |_| (), || ()).expect_err("it told nothing");
        assert!(error.contains("before it told"), "{error}");
    }
}
