//! Producers that change what they say of themselves all the time, before many who listen.

use std::time::Duration;

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;

use crate::attack::client::Crowd;

const PRODUCERS: usize = 8;
const LISTENERS: usize = 100;
const LENGTH: usize = 1_000;
const AT_ONCE: usize = 10;
const PACE: Duration = Duration::from_millis(10);

pub(super) async fn attack(crowd: &Crowd) {
    let listen = crowd.all(LISTENERS, |client| listen(crowd, client));
    let change = crowd.all(crowd.at_least(PRODUCERS), |client| change(crowd, client));
    tokio::join!(listen, change);
}

async fn listen(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/").await?;
    peer.send_text(r#"{"type":"setPeerStatus","roles":["listener"]}"#)
        .await?;
    peer.read_on().await
}

async fn change(crowd: &Crowd, client: usize) -> Result<()> {
    let peer = crowd.peer(client).await?;
    let (mut sink, mut stream) = peer.socket.split();
    let change = async {
        let mut ticks = interval(PACE * u32::try_from(crowd.at_least(PRODUCERS) / PRODUCERS)?);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in (0_u64..).step_by(AT_ONCE) {
            ticks.tick().await;
            for change in number..number + AT_ONCE as u64 {
                let meta = json!({"name": "x".repeat(LENGTH), "change": change});
                let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
                sink.feed(Message::text(status.to_string())).await?;
            }
            sink.flush().await?;
            crowd.count_sent(AT_ONCE as u64);
        }
        anyhow::Ok(())
    };
    let read = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::select! {
        ended = change => ended,
        () = read => anyhow::bail!("closed"),
    }
}
