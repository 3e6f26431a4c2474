//! Candidates to cameras, until the victim's queue is full or somebody stops it.

use std::time::Duration;

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;

use crate::attack::client::{Crowd, call, read_on};

const CLIENTS: usize = 40;
/// Cameras that are attacked.
const VICTIMS: usize = 2;
/// As many go out every [`PACE`].
const AT_ONCE: u64 = 10;
const PACE: Duration = Duration::from_millis(20);
const LENGTH: usize = 4_000;

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| send(crowd, client))
        .await;
}

async fn send(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.peer(client).await?;
    let session = call(&mut peer, crowd.producer_of(client % VICTIMS)).await?;
    let candidate = "x".repeat(LENGTH);
    let ice = json!({"candidate": candidate, "sdpMLineIndex": 0});
    let message = json!({"type": "peer", "sessionId": session, "ice": ice}).to_string();
    let (mut sink, mut stream) = peer.socket.split();
    let flood = async {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for _ in 0..AT_ONCE {
                sink.feed(Message::text(message.clone())).await?;
            }
            sink.flush().await?;
            crowd.count_sent(AT_ONCE);
        }
    };
    tokio::select! {
        ended = flood => ended,
        ended = read_on(&mut stream) => ended,
    }
}
