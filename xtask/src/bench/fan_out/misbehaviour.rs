//! What viewers notice of others that vanish, freeze or flood: a tenth of all.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::Programs;
use super::audience::{Audience, Watched};
use super::flood::{flood, media_address};
use super::pauses::Pauses;
use super::sender::{Sender, Source};

const GOOD: usize = 90;
const BAD: usize = 10;
const STAGGER: Duration = Duration::from_millis(20);
const WATCH: Duration = Duration::from_secs(12);
/// From the last join until the others misbehave.
const SETTLE: Duration = Duration::from_secs(3);
const FLOOD: Duration = Duration::from_secs(5);
/// More than an uplink of 30 Mbit/s carries, from ten viewers together.
const FLOOD_RATE: u32 = 20_000;

/// A run in which the machine itself stood still for longer says nothing of the sender, and is repeated, so often at most.
const STILL: f64 = 30.0;
const RUNS: usize = 5;

/// What the others got meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Misbehaviour {
    pub(super) vanish: Noticed,
    pub(super) freeze: Noticed,
    pub(super) flood: Noticed,
}

/// What the good viewers got, and for how long the machine stood still at most, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Noticed {
    pub(super) watched: Watched,
    pub(super) pause: f64,
}

pub(super) async fn measure(programs: &Programs<'_>, film: &Source) -> Result<Misbehaviour> {
    Ok(Misbehaviour {
        vanish: undisturbed(programs, film, Way::Vanish).await?,
        freeze: undisturbed(programs, film, Way::Freeze).await?,
        flood: undisturbed(programs, film, Way::Flood).await?,
    })
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Vanish,
    Freeze,
    Flood,
}

/// The run in which the machine paused least.
async fn undisturbed(programs: &Programs<'_>, film: &Source, way: Way) -> Result<Noticed> {
    let mut best: Option<Noticed> = None;
    for _ in 0..RUNS {
        let pauses = Pauses::watch();
        let watched = others(programs, film, way).await?;
        let pause = pauses.worst();
        println!(
            "{way:?}: the others' worst gap {:.0} ms; the machine stood still for {pause:.0} ms at most",
            watched.worst_gap
        );
        if best.as_ref().is_none_or(|best| pause < best.pause) {
            best = Some(Noticed { watched, pause });
        }
        if pause <= STILL {
            break;
        }
    }
    best.context("there was a run")
}

async fn others(programs: &Programs<'_>, film: &Source, way: Way) -> Result<Watched> {
    let program: &Path = programs.wigwag;
    let sender = Sender::start(programs.ours, program, film).await?;
    let good = Audience::join(program, sender.server(), GOOD, STAGGER, WATCH)?;
    let bad = Audience::join(program, sender.server(), BAD, STAGGER, WATCH)?;
    sleep(STAGGER * u32::try_from(GOOD)? + SETTLE).await;
    let _frozen = match way {
        Way::Vanish => {
            bad.vanish();
            None
        }
        Way::Freeze => {
            bad.freeze()?;
            Some(bad)
        }
        Way::Flood => {
            let to = media_address(sender.server(), &sender.producer).await?;
            tokio::task::spawn_blocking(move || flood(to, FLOOD_RATE, FLOOD)).await??;
            Some(bad)
        }
    };
    good.watched().await
}
