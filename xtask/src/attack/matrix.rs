//! Which attacks run with which addresses, one after the other.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::film::Films;
use super::kinds::EACH;
use super::outcome::header;
use super::scene::{Case, play};
use super::sources::Sources;
use super::{Attack, Kind};
use crate::commands::say;
use crate::record::Record;
use crate::{install, peers};

/// Of each run at each landing.
const SHORT: Duration = Duration::from_secs(6);
/// One hostile viewer of a camera that encodes can be seen by itself only.
const OF_EACH_LANDING: [(Kind, Sources); 3] = [
    (Kind::All, Sources::Ipv4(1)),
    (Kind::All, Sources::Ipv4(200)),
    (Kind::Reports, Sources::Ipv4(1)),
];

pub(crate) fn run(attack: &Attack) -> Result<ExitCode> {
    let program = match &attack.wigwag {
        Some(program) => program.clone(),
        // What attacks in a process that is slow itself is no attack.
        None if cfg!(debug_assertions) => return crate::bench::run_optimised(),
        None => {
            let mut record = Record::live();
            install::debian_packages(&mut record)?;
            peers::Programs::released(&mut record)?.wigwag
        }
    };
    let cases = cases(attack)?;
    let films = Films::make()?;
    say(&format!(
        "{} attacks, each on a server of its own",
        cases.len()
    ));
    println!("{}", header());
    let mut missed = 0;
    for case in cases {
        match play(&program, &films, case) {
            Ok(outcome) => {
                println!("{}", outcome.line());
                missed += usize::from(!outcome.counts_hold());
            }
            Err(error) => {
                println!("{:?} with {}: {error:#}", case.kind, case.sources);
                missed += 1;
            }
        }
    }
    if missed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\nin {missed} attacks honest peers lost something, or the server took too much memory"
    );
    Ok(ExitCode::FAILURE)
}

fn cases(attack: &Attack) -> Result<Vec<Case>> {
    if attack.short {
        return Ok(OF_EACH_LANDING
            .map(|(kind, sources)| Case {
                kind,
                sources,
                time: SHORT,
            })
            .to_vec());
    }
    let sources: Vec<Sources> = attack
        .addresses
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_>>()?;
    let time = Duration::from_secs(attack.seconds.into());
    let case = |kind, sources| Case {
        kind,
        sources,
        time,
    };
    if !attack.only.is_empty() {
        let kinds = attack.only.iter();
        let cases = kinds.flat_map(|kind| sources.iter().map(|sources| case(*kind, *sources)));
        return Ok(cases.collect());
    }
    let mut cases = vec![case(Kind::Nothing, Sources::Ipv4(1))];
    for kind in EACH.into_iter().chain([Kind::All]) {
        cases.extend(sources.iter().map(|sources| case(kind, *sources)));
    }
    Ok(cases)
}
