//! Connections that come and go, and such that stay with half a request.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::attack::client::Crowd;

const CLIENTS: usize = 400;
/// One in so many stays.
const THAT_STAY: usize = 2;
const LONG: Duration = Duration::from_millis(250);

pub(super) async fn attack(crowd: &Crowd) {
    crowd
        .all(crowd.at_least(CLIENTS), |client| come(crowd, client))
        .await;
}

async fn come(crowd: &Crowd, client: usize) -> Result<()> {
    let mut stream = crowd.dial(client).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        .await?;
    crowd.count_sent(1);
    if client.is_multiple_of(THAT_STAY) {
        // The server ends it.
        let _ = stream.read_to_end(&mut Vec::new()).await?;
    } else {
        tokio::time::sleep(LONG).await;
    }
    Ok(())
}
