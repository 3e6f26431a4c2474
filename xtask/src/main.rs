//! `cargo xtask …`: what a newcomer and CI call.

mod bench;
mod commands;
mod counted;
mod demo;
mod install;
mod peers;
mod places;
mod soak;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Set-up, tests, demo and benchmarks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Shows a test picture, a file or a camera in a browser on this machine, until Ctrl-C
    Demo(demo::Demo),
    Test(test::Test),
    /// Measures beside the published peer, in the same run
    #[command(subcommand)]
    Bench(bench::Bench),
    Soak(soak::Soak),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Demo(demo) => demo::run(&demo),
        Task::Test(test) => test::run(&test),
        Task::Bench(bench) => bench::run(&bench),
        Task::Soak(soak) => soak::run(soak),
    }
}
