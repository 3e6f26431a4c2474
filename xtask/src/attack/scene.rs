//! A server, cameras and viewers, started for one attack; what they noticed of it.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Kind;
use super::client::Done;
use super::film::Films;
use super::network::{CAMERAS as CAMERAS_ADDRESS, Network};
use super::outcome::{Outcome, Processors, percentile};
use super::processes::Process;
use super::sources::Sources;
use super::targets::{CAMERAS, VIEWERS};
use super::viewers::{Audience, Viewers};
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

/// More viewers of a camera that encodes, whose rate is measured: with its steady ones they are twenty.
const MEASURED: usize = 20 - VIEWERS / CAMERAS;
/// The highest rate of its encoder, which a quiet network takes, in bit/s.
const ENCODED_RATE: u32 = 500_000;

/// What is attacked how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) sources: Sources,
    pub(super) time: Duration,
}

impl Case {
    /// Whether the first camera encodes what it sends.
    fn has_encoder(self) -> bool {
        self.kind == Kind::Reports
    }
}

pub(super) fn play(program: &Path, films: &Films, case: Case) -> Result<Outcome> {
    let network = Network::new()?;
    let address = Network::server_address();
    let port = address.port().to_string();
    let mut server = Command::new(program);
    server.args(["serve", "--host", "::", "--port", &port]);
    let mut server = Process::start(&network.server, &server, "server")?;
    let cameras = cameras(program, films, case);
    let cameras = Process::start(&network.cameras, &cameras, "cameras")?;
    let mut watch = Command::new(env::current_exe()?);
    watch.args(["attack-watch", &address.to_string(), &CAMERAS.to_string()]);
    let mut watch = Process::start(&network.viewers, &watch, "watch")?;
    let producers: Vec<String> = watch.hear().context("nothing to attack")?;

    let names: Vec<_> = (0..CAMERAS).map(name).collect();
    let audience = |viewers, stagger, time| Audience {
        viewers,
        cameras: &names,
        stagger,
        time,
    };
    let measured = Audience {
        cameras: &names[..1],
        ..audience(MEASURED, STAGGER, case.time)
    };
    let start = |audience: &Audience<'_>, name: &str| {
        Viewers::start(program, &network.viewers, audience, name)
    };
    let begin = Instant::now() + STAGGER * VIEWERS as u32 + SETTLE;
    let steady = audience(VIEWERS, STAGGER, case.time + SETTLE + AFTERWARDS);
    let steady = start(&steady, "viewers")?;
    sleep(begin.saturating_duration_since(Instant::now()));
    let arrivals = case.time.as_millis() / ARRIVALS.as_millis();
    let newcomers = audience(arrivals as usize, ARRIVALS, AFTERWARDS);
    let newcomers = start(&newcomers, "newcomers")?;
    let measured = match case.has_encoder() {
        true => Some(start(&measured, "measured")?),
        false => None,
    };
    watch.say("begin")?;
    let processes = [server.id(), cameras.id(), steady.id(), newcomers.id()];
    let before = processes.map(processor_time);
    let start = Instant::now();
    let attackers = attackers(case, &producers)?;
    let mut attackers = Process::start(&network.attackers, &attackers, "attackers")?;
    attackers.end_by(start + case.time + GRACE);
    let spent = processes.map(processor_time);
    let lasted = start.elapsed();
    let done: Done = attackers.hear().unwrap_or_else(|_| Done {
        complaint: Some("they did not come to an end".to_owned()),
        ..Done::default()
    });
    let share = |process: usize| {
        let spent = spent[process].saturating_sub(before[process]);
        spent.div_duration_f64(lasted)
    };
    let processors = Processors {
        server: share(0),
        cameras: share(1),
        viewers: share(2) + share(3),
        attackers: done.processor_seconds / lasted.as_secs_f64(),
    };

    let steady = steady.finish().context("the viewers failed")?;
    let newcomers = newcomers.finish().context("the newcomers failed")?;
    let measured = measured.map(Viewers::finish).transpose()?;
    watch.end_input();
    let noticed: Noticed = watch.hear()?;
    ensure!(steady.viewers == VIEWERS, "not all viewers came");
    ensure!(server.is_running(), "the server has ended");
    let mut sessions = CAMERAS + steady.viewers;
    let mut lost = steady.failures;
    lost.extend((noticed.cameras..CAMERAS).map(|_| "a camera is not listed any more".to_owned()));
    let mut refused = newcomers.failures;
    let requests =
        newcomers.viewers + noticed.registrations.answered.len() + noticed.health.answered.len();
    let denied = [
        &noticed.registrations.failures[..],
        &noticed.health.failures,
    ]
    .concat();
    let requests = requests + denied.len();
    refused.extend(denied);
    let rate = measured.and_then(|measured| {
        sessions += measured.viewers;
        lost.extend(measured.failures);
        let possible = f64::from(ENCODED_RATE) * MEASURED as f64 / 1e3;
        Some(measured.kilobits_per_second? / possible)
    });
    Ok(Outcome {
        case,
        sessions,
        lost,
        refused,
        requests,
        gap: steady.gap,
        new_session: [0.5, 0.99].map(|share| percentile(&newcomers.first_frames, share)),
        memory: status_bytes(server.id(), "VmHWM:")?,
        health: noticed.health.answered.iter().copied().fold(0.0, f64::max),
        rate,
        processors,
        done,
    })
}

/// None of a process that has ended.
fn processor_time(process: u32) -> Duration {
    ProcessorTime::of(process).map_or(Duration::ZERO, |time| time.total)
}

fn cameras(program: &Path, films: &Films, case: Case) -> Command {
    let mut publish = Command::new(program);
    publish
        .args(["publish", "--loop", "--server"])
        .arg(format!("ws://{}", Network::server_address()))
        .arg(format!("--max-bitrate={ENCODED_RATE}"))
        .env("WIGWAG_ADDRESSES", CAMERAS_ADDRESS.to_string());
    for camera in 0..CAMERAS {
        publish.arg("--input").arg(match camera {
            0 if case.has_encoder() => &films.noise,
            _ => &films.encoded,
        });
        publish.args(["--name", &name(camera)]);
    }
    publish
}

fn attackers(case: Case, producers: &[String]) -> Result<Command> {
    // They have machines of their own, in truth: here they have what the others leave. What they did is counted.
    let mut attackers = Command::new("chrt");
    attackers.args(["--idle", "0"]).arg(env::current_exe()?);
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
