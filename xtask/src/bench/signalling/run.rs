//! All measurements, one after the other.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::Signalling;
use super::candidate::Candidate;
use super::case::{Measured, measure};
use super::certificate::Certificate;
use super::report::{Case, Report};
use super::stalled;
use crate::commands::say;
use crate::install::Speed;
use crate::record::Record;
use crate::{peers, places};

/// Pings would come at other moments of each measurement.
const OURS: &[&str] = &["serve", "--keepalive-timeout", "3600"];

pub(crate) fn run(arguments: &Signalling) -> Result<ExitCode> {
    let ours = match &arguments.ours {
        Some(program) => program.clone(),
        None => peers::Programs::released(&mut Record::live())?.wigwag,
    };
    let ours = Candidate {
        program: &ours,
        arguments: OURS,
    };
    let reference = match &arguments.before {
        Some(program) => program.clone(),
        None => peers::reference_server(&mut Record::live(), Speed::Released)?,
    };
    let reference = Candidate {
        program: &reference,
        arguments: if arguments.before.is_some() {
            OURS
        } else {
            &[]
        },
    };
    let certificate = Certificate::make()?;
    let mut cases = Vec::new();
    for tls in [None, Some(&certificate)] {
        if tls.is_some() && arguments.plain {
            break;
        }
        for peers in arguments.peers.iter().copied() {
            let kind = if tls.is_some() { "TLS" } else { "plain" };
            let mut measured = [Vec::new(), Vec::new()];
            for round in 1..=arguments.rounds {
                say(&format!("{peers} peers, {kind}, round {round}"));
                for (candidate, measured) in [reference, ours].into_iter().zip(&mut measured) {
                    let one = measure(candidate, peers, tls)?;
                    println!("{one:?}");
                    measured.push(one);
                }
            }
            let [reference, ours] = measured.map(|rounds| median(&rounds));
            cases.push(Case {
                peers,
                tls: tls.is_some(),
                reference,
                ours,
            });
        }
    }
    let stalled = if arguments.plain {
        None
    } else {
        say("Three listeners stop reading while 2,500 status changes of 16 KiB pass");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stalled = |candidate| runtime.block_on(stalled::measure(candidate));
        Some((stalled(reference)?, stalled(ours)?))
    };
    let report = Report { cases, stalled };
    report.print();
    if arguments.write {
        report.write(&places::root().join("docs"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Of each quantity for itself.
fn median(rounds: &[Measured]) -> Measured {
    let time = |of: fn(&Measured) -> Duration| {
        let mut times: Vec<_> = rounds.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let mut memory: Vec<_> = rounds.iter().map(|round| round.memory_per_idle).collect();
    memory.sort_unstable_by(f64::total_cmp);
    Measured {
        per_connect: time(|round| round.per_connect),
        memory_per_idle: memory[memory.len() / 2],
        per_relayed: time(|round| round.per_relayed),
        relay_p50: time(|round| round.relay_p50),
        relay_p99: time(|round| round.relay_p99),
        per_notice: time(|round| round.per_notice),
        per_notice_in_burst: time(|round| round.per_notice_in_burst),
    }
}
