//! Calls that are ended at once: each makes a camera say an offer and its candidates.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use crate::attack::client::{Crowd, call};

const CLIENTS: usize = 40;
const PACE: Duration = Duration::from_millis(20);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| ring(crowd, client))
        .await;
}

async fn ring(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.peer(client).await?;
    for callee in (client..).map(|number| crowd.producer_of(number)) {
        let session = call(&mut peer, callee).await?;
        let end = json!({"type": "endSession", "sessionId": session});
        peer.send(end.to_string()).await?;
        crowd.count_sent(2);
        sleep(PACE).await;
    }
    Ok(())
}
