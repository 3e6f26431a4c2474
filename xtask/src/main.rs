//! `cargo xtask …`: what a newcomer and CI call.

mod attack;
mod bench;
mod cases;
mod commands;
mod demo;
mod fuzz;
mod install;
mod peers;
mod places;
mod record;
mod report;
mod soak;
mod supply_chain;
mod test;
mod third_party;

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
    Fuzz(fuzz::Fuzz),
    Cases(cases::Cases),
    /// Measures beside the published peer, in the same run
    #[command(subcommand)]
    Bench(bench::Bench),
    Soak(soak::Soak),
    Attack(attack::Attack),
    #[command(hide = true)]
    Attackers(attack::Attackers),
    #[command(hide = true)]
    AttackWatch(attack::Watch),
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
        Task::Fuzz(fuzz) => fuzz::run(&fuzz),
        Task::Cases(cases) => cases::run(&cases),
        Task::Bench(bench) => bench::run(&bench),
        Task::Soak(soak) => soak::run(&soak),
        Task::Attack(attack) => attack::run(&attack),
        Task::Attackers(attackers) => attack::attack(&attackers),
        Task::AttackWatch(watch) => attack::watch(&watch),
    }
}
