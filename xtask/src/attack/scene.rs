//! A server, cameras and viewers, started for one attack; what they noticed of it.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Kind;
use super::client::Done;
use super::network::{CAMERAS as CAMERAS_ADDRESS, Network, VIEWERS as VIEWERS_ADDRESS};
use super::outcome::{Outcome, percentile};
use super::processes::Process;
use super::sources::Sources;
use super::targets::{CAMERAS, VIEWERS};
use super::watch::Noticed;
use crate::bench::process::{ProcessorTime, status_bytes};

/// From one of the steady viewers to the next.
const STAGGER: Duration = Duration::from_millis(10);
/// From the last of them to the attack.
const SETTLE: Duration = Duration::from_secs(3);
/// From the attack to the end: who had to wait is served by then, and only who was refused is not.
const AFTERWARDS: Duration = Duration::from_secs(6);
/// From one new viewer to the next during the attack.
const ARRIVALS: Duration = Duration::from_millis(200);
/// How long attackers, which end by themselves, may take longer than the attack.
const GRACE: Duration = Duration::from_secs(15);

/// What is attacked how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) sources: Sources,
    pub(super) time: Duration,
}

pub(super) fn play(program: &Path, film: &Path, case: Case) -> Result<Outcome> {
    let network = Network::new()?;
    let address = Network::server_address();
    let mut server = Command::new(program);
    server.args([
        "serve",
        "--host",
        "::",
        "--port",
        &address.port().to_string(),
    ]);
    let mut server = Process::start(&network.server, &server, "server")?;
    let _cameras = Process::start(&network.cameras, &cameras(program, film), "cameras")?;
    let mut watch = Command::new(env::current_exe()?);
    watch.args(["attack-watch", &address.to_string(), &CAMERAS.to_string()]);
    let mut watch = Process::start(&network.viewers, &watch, "watch")?;
    let producers: Vec<String> = watch.hear().context("nothing to attack")?;

    let steady = case.time + SETTLE + AFTERWARDS;
    let steady = load(program, VIEWERS, STAGGER, steady);
    let mut steady = Process::start(&network.viewers, &steady, "viewers")?;
    sleep(STAGGER * VIEWERS as u32 + SETTLE);
    let arrivals = case.time.as_millis() / ARRIVALS.as_millis();
    let newcomers = load(program, arrivals as usize, ARRIVALS, AFTERWARDS);
    let mut newcomers = Process::start(&network.viewers, &newcomers, "newcomers")?;
    watch.say("begin")?;
    let before = ProcessorTime::of(server.id())?;
    let start = Instant::now();
    let attackers = attackers(case, &producers)?;
    let mut attackers = Process::start(&network.attackers, &attackers, "attackers")?;
    attackers.end_by(start + case.time + GRACE);
    let spent =
        ProcessorTime::of(server.id()).map_or(Duration::ZERO, |time| time.since(before).total);
    let lasted = start.elapsed();
    let done: Done = attackers.hear().unwrap_or_else(|_| Done {
        complaint: Some("they did not come to an end".to_owned()),
        ..Done::default()
    });

    let steady: Value = steady.hear().context("the viewers failed")?;
    let newcomers: Value = newcomers.hear().context("the newcomers failed")?;
    watch.end_input();
    let noticed: Noticed = watch.hear()?;
    let viewers = steady["viewers"].as_array().context("viewers")?;
    let newcomers = newcomers["viewers"].as_array().context("viewers")?;
    ensure!(viewers.len() == VIEWERS, "not all viewers came");
    ensure!(server.is_running(), "the server has ended");
    let mut lost = failures(viewers);
    lost.extend((noticed.cameras..CAMERAS).map(|_| "a camera is not listed any more".to_owned()));
    let mut refused = failures(newcomers);
    let requests =
        newcomers.len() + noticed.registrations.answered.len() + noticed.health.answered.len();
    let denied = [
        &noticed.registrations.failures[..],
        &noticed.health.failures,
    ]
    .concat();
    let requests = requests + denied.len();
    refused.extend(denied);
    let first_frames = figures(newcomers, "first_frame_ms");
    Ok(Outcome {
        case,
        lost,
        refused,
        requests,
        gap: figures(viewers, "worst_gap_ms")
            .into_iter()
            .fold(0.0, f64::max),
        new_session: [0.5, 0.99].map(|share| percentile(&first_frames, share)),
        memory: status_bytes(server.id(), "VmHWM:")?,
        health: noticed.health.answered.iter().copied().fold(0.0, f64::max),
        processor: spent.as_secs_f64() / lasted.as_secs_f64(),
        done,
    })
}

fn cameras(program: &Path, film: &Path) -> Command {
    let mut publish = Command::new(program);
    publish
        .args(["publish", "--loop", "--server"])
        .arg(format!("ws://{}", Network::server_address()))
        .env("WIGWAG_ADDRESSES", CAMERAS_ADDRESS.to_string());
    for camera in 0..CAMERAS {
        publish.arg("--input").arg(film);
        publish.args(["--name", &name(camera)]);
    }
    publish
}

fn load(program: &Path, viewers: usize, stagger: Duration, time: Duration) -> Command {
    let mut load = Command::new(program);
    load.args(["load", &format!("ws://{}", Network::server_address())])
        .arg(format!("--bind={VIEWERS_ADDRESS}"))
        .arg(format!("--viewers={viewers}"))
        .arg(format!("--stagger={}ms", stagger.as_millis()))
        .arg(format!("--seconds={}ms", time.as_millis()))
        .args(["--decrypt=none", "--json"]);
    for camera in 0..CAMERAS {
        load.args(["--producer", &name(camera)]);
    }
    load
}

fn attackers(case: Case, producers: &[String]) -> Result<Command> {
    // They have machines of their own, in truth.
    let mut attackers = Command::new("nice");
    attackers.args(["-n", "10"]).arg(env::current_exe()?);
    let kind = clap::ValueEnum::to_possible_value(&case.kind).context("a name")?;
    attackers
        .args(["attackers", kind.get_name()])
        .arg(Network::server_for(case.sources).to_string())
        .arg(case.sources.to_string())
        .arg(case.time.as_secs().to_string())
        .args(producers);
    Ok(attackers)
}

fn name(camera: usize) -> String {
    format!("Camera {camera}")
}

fn failures(viewers: &[Value]) -> Vec<String> {
    let failures = viewers
        .iter()
        .filter_map(|viewer| viewer["failure"].as_str());
    failures.map(ToOwned::to_owned).collect()
}

fn figures(viewers: &[Value], name: &str) -> Vec<f64> {
    let figures = viewers.iter().filter_map(|viewer| viewer[name].as_f64());
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures
}
