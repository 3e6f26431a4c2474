//! `cargo xtask demo`: a picture with sound, from one command to a browser. It installs what is missing, builds
//! `wigwag` and runs `wigwag publish INPUT --embed`, which brings the signalling server and the page.

mod browser;
mod build;
mod progress;
mod publisher;

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::commands::say;
use publisher::Publisher;

#[derive(clap::Args)]
pub(crate) struct Demo {
    /// What to show, as `wigwag publish` takes it: test (a picture with a clock and a tone), a file, v4l2,
    /// rtsp://...
    #[arg(value_name = "INPUT", default_value = "test")]
    input: String,

    /// Opens no browser
    #[arg(long)]
    no_open: bool,

    /// Runs this `wigwag`, instead of installing what is missing and building one
    #[arg(long)]
    program: Option<PathBuf>,

    /// Ends by itself after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

pub(crate) fn run(demo: &Demo) -> Result<ExitCode> {
    // Before minutes of building.
    if names_no_file(&demo.input) {
        bail!("{}: there is no such file", demo.input);
    }
    let program = match &demo.program {
        Some(program) => program.clone(),
        None => build::build()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(show(demo, &program));
    // A thread may read standard input for ever.
    runtime.shutdown_background();
    code
}

async fn show(demo: &Demo, program: &Path) -> Result<ExitCode> {
    let mut told_to_end = std::pin::pin!(told_to_end(demo.seconds)?);
    say("Publishing; Ctrl-C ends the demo");
    let mut publisher = Publisher::start(program, &demo.input)?;
    let page = tokio::select! {
        page = publisher.page() => page?,
        () = &mut told_to_end => None,
    };
    if let Some(page) = page {
        say(&format!("Open {page} in a browser, and click Play"));
        println!(
            "It is for browsers on this machine; `wigwag publish --help` says how to serve others.\n"
        );
        if !demo.no_open && browser::can_open() {
            browser::open(&page);
        }
        tokio::select! {
            () = publisher.over() => {}
            () = &mut told_to_end => println!(),
        }
    }
    let code = publisher.end().await?;
    println!("The demo is over.");
    Ok(code)
}

/// Whether an input can only be a file, and is none.
fn names_no_file(input: &str) -> bool {
    let is_other = ["test", "v4l2"].contains(&input) || input.contains("://");
    !is_other && !Path::new(input).exists()
}

/// Ends with Ctrl-C, SIGTERM, the end of the terminal, the end of the input, or when the time is over.
fn told_to_end(seconds: Option<u64>) -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            () = end_of_input() => {}
            () = after(seconds) => {}
        }
    })
}

/// Ends with the standard input if that is a pipe: whoever holds its other end is gone, or wants an end.
async fn end_of_input() {
    let input = std::fs::metadata("/dev/stdin");
    if !input.is_ok_and(|input| input.file_type().is_fifo()) {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        // Nobody waits any more if the demo ended for another reason.
        let _ = ended.send(());
    });
    let _ = end.await;
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_noticed_early_and_nothing_else_is() {
        assert!(names_no_file("nowhere/film.mkv"));
        for input in [
            "test",
            "v4l2",
            "rtsp://camera/1",
            "v4l2:///dev/video9",
            "/dev/null",
        ] {
            assert!(!names_no_file(input), "{input}");
        }
    }
}
