//! `cargo xtask test`: everything that must hold before anything lands, and with `--long` what must hold before an
//! issue is closed.

mod long;
mod parts;
mod platforms;
mod programs;
mod schedule;
mod table;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Result, bail};

use crate::places;
use parts::Made;
use schedule::Part;

/// Runs formatting, lints and every test, several parts at once; installs what they need
///
/// At its end stand a table of what each part took, and as the last line `N passed, N failed`.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// These parts alone, and what they need; `--list` names them
    parts: Vec<String>,

    /// What takes long, in the place of all else, to be run before an issue is closed
    #[arg(long)]
    long: bool,

    /// Names the parts, and runs none
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(test: &Test) -> Result<ExitCode> {
    let start = Instant::now();
    let made = Made::default();
    let all = if test.long {
        long::before_closing(&made)
    } else {
        parts::every_landing(&made)
    };
    if test.list {
        for part in all {
            println!("{}", part.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let parts = wanted(all, &test.parts)?;
    keep_this_program(&made)?;
    let done = schedule::run(parts, start);
    if !test.parts.is_empty() {
        println!("\nonly: {}", test.parts.join(", "));
    }
    Ok(table::print(&done, start.elapsed()))
}

/// Tests run `cargo xtask`, and their build may put another in its place, or none.
fn keep_this_program(made: &Made) -> Result<()> {
    let kept = places::target().join("xtask-of-this-run");
    fs::create_dir_all(&kept)?;
    let kept = kept.join("xtask");
    let fresh = kept.with_extension("fresh");
    fs::copy(env::current_exe()?, &fresh)?;
    fs::rename(fresh, &kept)?;
    made.xtask.get_or_init(|| kept);
    Ok(())
}

/// The parts of these names and what they need; all if there are none.
fn wanted<'a>(all: Vec<Part<'a>>, names: &[String]) -> Result<Vec<Part<'a>>> {
    if names.is_empty() {
        return Ok(all);
    }
    let mut wanted = BTreeSet::new();
    let mut open: Vec<&str> = names.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        let Some(part) = all.iter().find(|part| part.name == name) else {
            let known: Vec<_> = all.iter().map(|part| part.name).collect();
            bail!("there is no part {name}; there are {}", known.join(", "));
        };
        if wanted.insert(part.name) {
            open.extend(part.needs());
        }
    }
    Ok(all
        .into_iter()
        .filter(|part| wanted.contains(part.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parts: &[Part<'_>]) -> Vec<&'static str> {
        parts.iter().map(|part| part.name).collect()
    }

    #[test]
    fn part_by_name_brings_what_it_needs() {
        let made = Made::default();
        let parts = wanted(parts::every_landing(&made), &["web".to_owned()]).unwrap();
        assert_eq!(names(&parts), ["packages", "npm", "web"]);
    }

    #[test]
    fn part_of_an_unknown_name_is_an_error_that_names_the_others() {
        let made = Made::default();
        let unknown = wanted(parts::every_landing(&made), &["wbe".to_owned()]);
        let error = unknown.err().unwrap().to_string();
        assert!(error.contains("web"), "{error}");
    }

    #[test]
    fn needs_of_every_part_are_parts() {
        let made = Made::default();
        for all in [parts::every_landing(&made), long::before_closing(&made)] {
            let known = names(&all);
            for part in &all {
                for need in part.needs() {
                    assert!(known.contains(need), "{} needs {need}", part.name);
                }
            }
        }
    }
}
