//! Rooms of the text protocol, each with one member.

use anyhow::Result;

use crate::attack::client::Crowd;

const CLIENTS: usize = 2_000;

pub(super) async fn attack(crowd: &Crowd) {
    crowd.all(CLIENTS, |client| open(crowd, client)).await;
}

async fn open(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.raw_peer(client, "/text").await?;
    peer.send_text(&format!("HELLO attacker-{client}")).await?;
    peer.send_text(&format!("ROOM attacked-{client}")).await?;
    crowd.count_sent(2);
    peer.read_on().await
}
