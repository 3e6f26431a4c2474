//! `cargo xtask cases FOLDER`: scripts that each show one fault or its absence, run on the build.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::commands::{cargo, command};
use crate::peers::Programs;
use crate::record::{Record, Running};
use crate::{install, places};

/// Where the browsers' driver stands that scripts use.
const BROWSER_TOOLS: &str = "tests/page";

/// What a script returns if the machine lacks something that it needs.
const LACKS: i32 = 2;

/// Runs the scripts FOLDER/*/run.sh on a build of this checkout, and prints a table
///
/// A script gets WIGWAG (the command), PLUGIN (the folder of libgstwigwag.so) and BROWSER_TOOLS (a package.json beside
/// whose node_modules puppeteer-core stands). It returns 0 if the product does the right thing, 1 if not, 2 if the
/// machine lacks something.
#[derive(clap::Args)]
pub(crate) struct Cases {
    /// The folder of the cases
    folder: PathBuf,

    /// These cases alone, by the beginning of their names
    names: Vec<String>,

    /// Runs a build as users get it, instead of one that is made faster
    #[arg(long)]
    release: bool,

    /// Shows what each script writes
    #[arg(long)]
    verbose: bool,
}

struct Outcome {
    name: String,
    code: Option<i32>,
    took: Duration,
    last_line: String,
}

pub(crate) fn run(arguments: &Cases) -> Result<ExitCode> {
    let cases = cases(&arguments.folder, &arguments.names)?;
    let mut record = Record::live();
    install::debian_packages(&mut record)?;
    let programs = if arguments.release {
        Programs::released(&mut record)?
    } else {
        // As tests build it, so that neither builds again what the other did.
        record.must_run(&mut cargo(&["test", "--no-run", "--locked", "--workspace"]))?;
        Programs::in_folder(&places::target().join("debug"))?
    };
    record.must_run(&mut programs.find_element()?)?;
    let tools = places::root().join(BROWSER_TOOLS);
    let node = install::node(&mut record)?;
    if !tools.join("node_modules").exists() {
        install::npm_packages(&mut record, &tools, &node)?;
    }
    let path = install::with_path(&node)?;
    let mut outcomes = Vec::new();
    for script in cases {
        let mut run = command("bash", &[]);
        run.arg(&script)
            .env("PATH", &path)
            .env("WIGWAG", &programs.wigwag)
            .env("PLUGIN", &programs.plugin)
            .env("GST_REGISTRY", programs.plugin.join("registry.bin"))
            .env("BROWSER_TOOLS", tools.join("package.json"));
        let outcome = outcome(&script, &mut run, arguments.verbose)?;
        println!("{}", row(&outcome));
        outcomes.push(outcome);
    }
    Ok(summary(&outcomes))
}

/// The scripts of a folder, in the order of their names.
fn cases(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>> {
    let folder = env::current_dir()?.join(folder);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut scripts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let script = entry.path().join("run.sh");
        let is_wanted = names.is_empty() || names.iter().any(|wanted| name.starts_with(wanted));
        if is_wanted && script.is_file() {
            scripts.push(script);
        }
    }
    if scripts.is_empty() {
        bail!("{} has no such case: none with a run.sh", folder.display());
    }
    scripts.sort();
    Ok(scripts)
}

fn outcome(script: &Path, run: &mut std::process::Command, verbose: bool) -> Result<Outcome> {
    let name = script.parent().and_then(Path::file_name);
    let name = name.unwrap_or_default().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut last_line = String::new();
    let (status, _) = Running::start(run)?.finish(|line| {
        if verbose {
            println!("    {line}");
        }
        if !line.trim().is_empty() {
            line.clone_into(&mut last_line);
        }
    })?;
    Ok(Outcome {
        name,
        code: status.code(),
        took: began.elapsed(),
        last_line,
    })
}

fn row(outcome: &Outcome) -> String {
    let result = match outcome.code {
        Some(0) => "right",
        Some(LACKS) => "lacks",
        _ => "wrong",
    };
    format!(
        "{result:<6} {:>4.0} s  {:<34} {}",
        outcome.took.as_secs_f64(),
        outcome.name,
        outcome.last_line
    )
}

fn summary(outcomes: &[Outcome]) -> ExitCode {
    let passed = outcomes
        .iter()
        .filter(|outcome| outcome.code == Some(0))
        .count();
    let failed = outcomes.len() - passed;
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_by_the_beginning_of_their_names_are_found_in_order() {
        let folder = env::temp_dir().join(format!("wigwag-cases-{}", std::process::id()));
        for name in ["02-b", "01-a", "lib"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        for name in ["02-b", "01-a"] {
            fs::write(folder.join(name).join("run.sh"), "").unwrap();
        }
        let all = cases(&folder, &[]).unwrap();
        assert!(all[0].ends_with("01-a/run.sh") && all.len() == 2);
        assert_eq!(cases(&folder, &["02".to_owned()]).unwrap().len(), 1);
        assert!(cases(&folder, &["3".to_owned()]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
