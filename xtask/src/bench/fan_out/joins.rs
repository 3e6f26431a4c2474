//! How soon viewers see the first frame, and what those who watch notice of a crowd that comes.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Programs;
use super::audience::{Audience, Watched};
use super::sender::{Implementation, Sender, Source};

const SINGLE: usize = 20;
/// The next comes when the one before has its picture.
const APART: Duration = Duration::from_millis(700);
const BURST: usize = 100;
/// What the published sink can take at once, with an encoder for each.
const BURST_OF_PUBLISHED: usize = 4;
const WATCHERS: usize = 20;
const WATCH: Duration = Duration::from_secs(12);
const AFTERWARDS: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub(super) struct Joins {
    pub(super) single: Watched,
    pub(super) single_of_published: Watched,
    pub(super) burst: Watched,
    pub(super) burst_of_published: Watched,
    /// Who watched while the crowd came.
    pub(super) watchers: Watched,
}

pub(super) async fn measure(programs: &Programs<'_>) -> Result<Joins> {
    let (single_of_published, burst_of_published, _) =
        of(programs, programs.published, 4, BURST_OF_PUBLISHED, 1).await?;
    let (single, burst, watchers) = of(programs, programs.ours, SINGLE, BURST, WATCHERS).await?;
    Ok(Joins {
        single,
        single_of_published,
        burst,
        burst_of_published,
        watchers,
    })
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
