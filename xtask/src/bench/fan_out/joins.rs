//! How soon viewers see the first frame, and what those who watch notice of a crowd that comes.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::Programs;
use super::audience::{Audience, Watched};
use super::pauses::Pauses;
use super::sender::{Implementation, Sender, Source};

const SINGLE: usize = 20;
/// The next comes when the one before has its picture, and at another moment between two pictures.
const APART: Duration = Duration::from_millis(717);
const BURST: usize = 100;
/// What the published sink can take at once, with an encoder for each.
const BURST_OF_PUBLISHED: usize = 4;
const WATCHERS: usize = 20;
const WATCH: Duration = Duration::from_secs(12);
const AFTERWARDS: Duration = Duration::from_secs(3);

/// A run in which the machine itself stood still for longer says little of the sender, and is repeated, so often at most.
const STILL: f64 = 50.0;
const RUNS: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Joins {
    pub(super) single: Watched,
    pub(super) single_of_published: Watched,
    pub(super) burst: Watched,
    pub(super) burst_of_published: Watched,
    /// Who watched while the crowd came.
    pub(super) watchers: Watched,
    /// For how long the machine stood still at most meanwhile, in milliseconds.
    pub(super) pause: f64,
}

pub(super) async fn measure(programs: &Programs<'_>) -> Result<Joins> {
    let (single_of_published, burst_of_published, _) =
        of(programs, programs.published, 4, BURST_OF_PUBLISHED, 1).await?;
    let mut best: Option<Joins> = None;
    for _ in 0..RUNS {
        let pauses = Pauses::watch();
        let (single, burst, watchers) =
            of(programs, programs.ours, SINGLE, BURST, WATCHERS).await?;
        let pause = pauses.worst();
        println!(
            "100 at once: p99 {:.0} ms, gap of the others {:.0} ms; the machine stood still for {pause:.0} ms at most",
            burst.first_frame(0.99),
            watchers.worst_gap
        );
        if best.as_ref().is_none_or(|best| pause < best.pause) {
            best = Some(Joins {
                single,
                single_of_published: single_of_published.clone(),
                burst,
                burst_of_published: burst_of_published.clone(),
                watchers,
                pause,
            });
        }
        if pause <= STILL {
            break;
        }
    }
    best.context("there was a run")
}

async fn of(
    programs: &Programs<'_>,
    implementation: Implementation<'_>,
    single: usize,
    burst: usize,
    watchers: usize,
) -> Result<(Watched, Watched, Watched)> {
    let sender = Sender::start(implementation, programs.wigwag, &Source::Live).await?;
    let join = |viewers, stagger, time| {
        Audience::join(programs.wigwag, sender.server(), viewers, stagger, time)
    };
    let single = join(single, APART, Duration::from_secs(1))?
        .watched()
        .await?;
    let watchers = join(watchers, Duration::from_millis(50), WATCH)?;
    sleep(AFTERWARDS).await;
    let burst = join(burst, Duration::ZERO, AFTERWARDS)?.watched().await?;
    Ok((single, burst, watchers.watched().await?))
}
