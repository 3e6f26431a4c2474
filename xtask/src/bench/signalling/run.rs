//! All measurements, one after the other.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::candidate::Candidate;
use super::certificate::Certificate;
use super::plan::Plan;
use super::report::{Case, Report};
use super::rounds::{Measured, Rounds};
use super::{Part, Signalling, case, churn, stalled};
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
    let reference = match arguments.before.as_ref().or(arguments.reference.as_ref()) {
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
    let candidates = [reference, ours];
    let plan = Plan::of(arguments);
    let certificate = Certificate::make()?;
    let mut cases = Vec::new();
    for tls in [None, Some(&certificate)] {
        if !plan.includes_peers() || (tls.is_some() && !plan.tls()) {
            break;
        }
        for peers in arguments.peers.iter().copied() {
            let kind = if tls.is_some() { "TLS" } else { "plain" };
            let rounds = in_turns(
                candidates,
                arguments.rounds,
                &format!("{peers} peers, {kind}"),
                |candidate| case::measure(candidate, peers, tls, &plan),
            )?;
            let tls = tls.is_some();
            cases.push(Case { peers, tls, rounds });
        }
    }
    let churn = if plan.includes(Part::Churn) {
        Some(in_turns(
            candidates,
            arguments.rounds,
            "Producers come and leave",
            |candidate| churn::measure(candidate, &plan),
        )?)
    } else {
        None
    };
    let stalled = if plan.includes(Part::Stalled) {
        say("Three listeners stop reading while 2,500 status changes of 16 KiB pass");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stalled = |candidate| runtime.block_on(stalled::measure(candidate));
        Some((stalled(reference)?, stalled(ours)?))
    } else {
        None
    };
    let report = Report {
        cases,
        churn,
        stalled,
        published: arguments.before.is_none(),
    };
    report.print();
    if arguments.write {
        report.write(&places::root().join("docs"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// In each round the reference and then ours.
fn in_turns(
    candidates: [Candidate<'_>; 2],
    rounds: u32,
    what: &str,
    measure: impl Fn(Candidate<'_>) -> Result<Measured>,
) -> Result<Rounds> {
    let mut measured = Rounds::default();
    for round in 1..=rounds {
        say(&format!("{what}, round {round}"));
        let [reference, ours] = candidates;
        let measure = |name, candidate: Candidate<'_>| {
            let one = measure(candidate)
                .with_context(|| format!("of {name} ({})", candidate.program.display()))?;
            one.print(name);
            anyhow::Ok(one)
        };
        let round = [measure("reference", reference)?, measure("wigwag", ours)?];
        measured.push(round);
    }
    Ok(measured)
}
