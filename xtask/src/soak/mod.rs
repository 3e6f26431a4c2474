//! `cargo xtask soak`: viewers come, go, vanish, freeze and flood at random for as long as is told, and what the sender takes must
//! stay flat.
//!
//! The sender is `wigwag publish` with a signalling server beside it. When all have left at the end, it must be back at the
//! threads and descriptors that it had with the steady viewers alone before the first of the others came, and its memory must
//! not have grown from the first third to the last by more than [`readings::GROWTH`]. The steady viewers must have been served
//! all the time.

mod crowd;
mod readings;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use tokio::time::sleep;

use crate::bench::fan_out::audience::Audience;
use crate::bench::fan_out::pauses::Pauses;
use crate::bench::fan_out::sender::{Implementation, Sender, Source};
use crate::commands::say;
use crate::peers::Programs;
use crate::record::Record;
use crate::{install, places};
use crowd::Crowd;
use readings::Readings;

/// Who watch all the time, and must get nearly every frame, without a long stop.
const STEADY: usize = 10;
/// Of [`Source::Live`].
const FRAMES_PER_SECOND: f64 = 30.0;
const LEAST_FRAMES_PER_SECOND: f64 = 0.9 * FRAMES_PER_SECOND;
/// In milliseconds, beyond the longest time for which the machine itself stood still.
const GAP: f64 = 2_000.0;
/// A machine that stood still for longer, in milliseconds, has not encoded every picture either.
const STILL: f64 = 200.0;
/// From the last join of the steady viewers until they alone are what the sender has to do.
const SETTLE: Duration = Duration::from_secs(5);
/// From the beginning until what grows once has grown: buffers, caches, the allocator's.
const WARM_UP: Duration = Duration::from_secs(30);
const STAGGER: Duration = Duration::from_millis(50);
const READ_EVERY: Duration = Duration::from_secs(1);
/// The least that a run can tell anything from.
const LEAST: Duration = Duration::from_secs(60);
/// After the last misbehaving viewer: the sender gives up who is silent for ten seconds, or never answered for fifteen.
const AFTERWARDS: Duration = Duration::from_secs(25);

/// Viewers come, go and misbehave at random; the sender must stay as it is
#[derive(Args)]
pub(crate) struct Soak {
    /// For how long
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Repeats what happened in a run that printed this number
    #[arg(long)]
    seed: Option<u64>,
    /// Writes the plot to docs/pictures/soak.svg
    #[arg(long)]
    write: bool,
    /// Runs this `wigwag`, instead of building one
    #[arg(long, requires = "plugin")]
    wigwag: Option<PathBuf>,
    /// The folder of the plugin that was built with it
    #[arg(long, requires = "wigwag")]
    plugin: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Soak) -> Result<ExitCode> {
    let Programs { wigwag, plugin } = match (&arguments.wigwag, &arguments.plugin) {
        (Some(wigwag), Some(plugin)) => Programs {
            wigwag: wigwag.clone(),
            plugin: plugin.clone(),
        },
        _ => {
            let mut record = Record::live();
            install::debian_packages(&mut record)?;
            Programs::released(&mut record)?
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let ours = Implementation::Wigwag {
            plugin: &plugin,
            program: &wigwag,
        };
        let sender = Sender::start(ours, &wigwag, &Source::Live).await?;
        let time = Duration::from_secs_f64(arguments.minutes * 60.0).max(LEAST);
        let watch = SETTLE + time + AFTERWARDS;
        let pauses = Pauses::watch();
        let steady = Audience::join(&wigwag, sender.server(), STEADY, STAGGER, watch)?;
        sleep(STAGGER * u32::try_from(STEADY)? + SETTLE).await;
        let mut readings = Readings::begin(&sender)?;
        let seed = arguments.seed.unwrap_or_else(crowd::any_seed);
        say(&format!(
            "For {:.1} minutes, viewers come, go, vanish, freeze and flood (--seed {seed})",
            time.as_secs_f64() / 60.0
        ));
        let mut crowd = Crowd::new(&wigwag, &sender, seed);
        let start = Instant::now();
        while start.elapsed() < time {
            crowd.act(start.elapsed()).await?;
            readings.take(start.elapsed(), &sender)?;
            sleep(READ_EVERY).await;
        }
        crowd.leave();
        sleep(AFTERWARDS - READ_EVERY * 5).await;
        readings.take(start.elapsed(), &sender)?;
        let watched = steady.watched().await?;
        println!("{crowd}");
        readings.print(STEADY);
        if arguments.write {
            readings.write(&places::root().join("docs/pictures/soak.svg"))?;
        }
        let flat = readings.are_flat(WARM_UP);
        let pause = pauses.worst();
        let kept = watched.failed == 0
            && (watched.fewest_frames >= LEAST_FRAMES_PER_SECOND || pause > STILL)
            && watched.worst_gap < GAP + pause;
        println!(
            "steady viewers: {} of {STEADY} to the end, fewest frames a second {:.1} (at least {LEAST_FRAMES_PER_SECOND:.0} \
             unless the machine stood still for more than {STILL:.0} ms), worst gap {:.0} ms (less than {GAP:.0} and the {pause:.0} ms for which the machine stood still)",
            STEADY - watched.failed,
            watched.fewest_frames,
            watched.worst_gap
        );
        Ok(if flat && kept {
            println!("flat");
            ExitCode::SUCCESS
        } else {
            println!("NOT flat, or steady viewers were lost or badly served");
            ExitCode::FAILURE
        })
    })
}
