//! What viewers notice of others that vanish, freeze or flood: a tenth of all.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Programs;
use super::audience::{Audience, Watched};
use super::flood::{flood, media_address};
use super::sender::{Sender, Source};

const GOOD: usize = 90;
const BAD: usize = 10;
const STAGGER: Duration = Duration::from_millis(20);
const WATCH: Duration = Duration::from_secs(16);
/// From the last join until the others misbehave.
const SETTLE: Duration = Duration::from_secs(3);
const FLOOD: Duration = Duration::from_secs(5);
/// More than an uplink of 30 Mbit/s carries, from ten viewers together.
const FLOOD_RATE: u32 = 20_000;

/// What the others got meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Misbehaviour {
    pub(super) vanish: Watched,
    pub(super) freeze: Watched,
    pub(super) flood: Watched,
}

pub(super) async fn measure(programs: &Programs<'_>, film: &Source) -> Result<Misbehaviour> {
    Ok(Misbehaviour {
        vanish: others(programs, film, Way::Vanish).await?,
        freeze: others(programs, film, Way::Freeze).await?,
        flood: others(programs, film, Way::Flood).await?,
    })
}

#[derive(Clone, Copy)]
enum Way {
    Vanish,
    Freeze,
    Flood,
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
