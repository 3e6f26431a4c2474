//! Pairs of peers that send to each other, and read nothing once they are in a session.

use std::time::Duration;

use anyhow::Result;
use futures_util::SinkExt;
use serde_json::json;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::attack::client::{Crowd, call};

const CLIENTS: usize = 100;
const LENGTH: usize = 16 * 1024;
const AT_ONCE: u64 = 8;
const PACE: Duration = Duration::from_millis(50);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| fill(crowd, client))
        .await;
}

async fn fill(crowd: &Crowd, client: usize) -> Result<()> {
    let mut callee = crowd.peer(client).await?;
    callee.set_roles("\"producer\"").await?;
    let mut caller = crowd.peer(client).await?;
    let session = call(&mut caller, &callee.id).await?;
    let ice = json!({"candidate": "x".repeat(LENGTH), "sdpMLineIndex": 0});
    let message = json!({"type": "peer", "sessionId": session, "ice": ice}).to_string();
    loop {
        for _ in 0..AT_ONCE {
            caller.socket.feed(Message::text(message.clone())).await?;
            callee.socket.feed(Message::text(message.clone())).await?;
        }
        tokio::try_join!(caller.socket.flush(), callee.socket.flush())?;
        crowd.count_sent(2 * AT_ONCE);
        sleep(PACE).await;
    }
}
