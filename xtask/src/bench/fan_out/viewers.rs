//! What so many viewers cost.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Programs;
use super::audience::{Audience, Watched};
use super::sender::{Implementation, Sender, Source};

/// How long processor time is counted.
pub(super) const MEASURED: Duration = Duration::from_secs(8);
/// From the last join to the first figure: joins are not what is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// They keep what they get apart from joins.
const STAGGER: Duration = Duration::from_millis(20);
const FILM_VIEWERS: [usize; 4] = [1, 100, 200, 400];
/// Without an encoder in the way, and short enough for the film.
const FILM_VIEWERS_OF_PUBLISHED: [usize; 4] = [1, 4, 10, 20];
const LIVE_VIEWERS: [usize; 3] = [1, 10, 100];
/// What two processors can do with an encoder for each viewer.
const LIVE_VIEWERS_OF_PUBLISHED: [usize; 3] = [1, 2, 4];

/// What so many viewers cost and got.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) viewers: usize,
    /// Processor time, in seconds for each second.
    pub(super) processor: f64,
    /// Of that, the time of the threads that send.
    pub(super) sending: f64,
    /// Bytes resident, and threads.
    pub(super) memory: f64,
    pub(super) threads: usize,
    pub(super) watched: Watched,
}

impl Cost {
    /// Microseconds of the threads that send, for each packet.
    pub(super) fn per_packet(&self) -> f64 {
        self.sending * 1e6 / self.watched.packets
    }
}

/// By both, in one run.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    pub(super) ours: Vec<Cost>,
    pub(super) published: Vec<Cost>,
}

pub(super) async fn measure_film(programs: &Programs<'_>, film: &Source) -> Result<Costs> {
    Ok(Costs {
        published: measure(
            programs,
            programs.published,
            film,
            &FILM_VIEWERS_OF_PUBLISHED,
        )
        .await?,
        ours: measure(programs, programs.ours, film, &FILM_VIEWERS).await?,
    })
}

pub(super) async fn measure_live(programs: &Programs<'_>) -> Result<Costs> {
    let live = &Source::Live;
    Ok(Costs {
        published: measure(
            programs,
            programs.published,
            live,
            &LIVE_VIEWERS_OF_PUBLISHED,
        )
        .await?,
        ours: measure(programs, programs.ours, live, &LIVE_VIEWERS).await?,
    })
}

async fn measure(
    programs: &Programs<'_>,
    implementation: Implementation<'_>,
    source: &Source,
    counts: &[usize],
) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for viewers in counts {
        // Anew for each: what earlier viewers left behind is not what these cost.
        let sender = Sender::start(implementation, programs.wigwag, source).await?;
        let stagger = STAGGER * u32::try_from(*viewers)?;
        let time = SETTLE + MEASURED + SETTLE;
        let audience = Audience::join(programs.wigwag, sender.server(), *viewers, STAGGER, time)?;
        sleep(stagger + SETTLE).await;
        let before = sender.reading()?;
        sleep(MEASURED).await;
        let after = sender.reading()?;
        let memory = sender.memory()?;
        let seconds = after.seconds_since(&before);
        let watched = audience.watched().await?;
        println!(
            "{implementation} with {viewers}: {:.0} % of a processor",
            after.spent_since(&before) / seconds * 100.0
        );
        costs.push(Cost {
            viewers: *viewers,
            processor: after.spent_since(&before) / seconds,
            sending: after.spent_sending_since(&before) / seconds,
            memory,
            threads: after.threads(),
            watched,
        });
    }
    Ok(costs)
}
