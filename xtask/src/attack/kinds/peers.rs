//! Peers that do nothing but be there.

use anyhow::Result;

use crate::attack::client::Crowd;

/// More than one address may have, in this process's and the server's descriptors.
const CLIENTS: usize = 6_000;

pub(super) async fn attack(crowd: &Crowd) {
    crowd.all(CLIENTS, |client| stay(crowd, client)).await;
}

async fn stay(crowd: &Crowd, client: usize) -> Result<()> {
    crowd.raw_peer(client, "/").await?.read_on().await
}
