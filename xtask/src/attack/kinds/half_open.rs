//! Calls whose offers are never answered: each is a session at a camera until that ends it.

use std::time::Duration;

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::attack::client::Crowd;

const CLIENTS: usize = 40;
const PACE: Duration = Duration::from_millis(100);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| ring(crowd, client))
        .await;
}

async fn ring(crowd: &Crowd, client: usize) -> Result<()> {
    let peer = crowd.peer(client).await?;
    let (mut sink, mut stream) = peer.socket.split();
    let ring = async {
        for callee in (client..).map(|number| crowd.producer_of(number)) {
            let start = json!({"type": "startSession", "peerId": callee});
            sink.send(Message::text(start.to_string())).await?;
            crowd.count_sent(1);
            sleep(PACE).await;
        }
        anyhow::Ok(())
    };
    // Sessions that end are not missed: there will be others.
    let read = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::select! {
        ended = ring => ended,
        () = read => anyhow::bail!("closed"),
    }
}
