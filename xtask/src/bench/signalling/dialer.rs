//! Connections to the server under measurement.

use std::net::SocketAddr;

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bench::load::Peer;

pub(super) struct Dialer {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<TlsConnector>,
}

impl Dialer {
    /// Some at a time.
    pub(super) async fn connect(&self, count: usize) -> Result<Vec<Peer>> {
        let mut peers = Vec::with_capacity(count);
        while peers.len() < count {
            let some = (0..16.min(count - peers.len())).map(|_| self.connect_one());
            peers.extend(try_join_all(some).await?);
        }
        Ok(peers)
    }

    pub(super) async fn connect_one(&self) -> Result<Peer> {
        let address = self.address;
        let Some(tls) = &self.tls else {
            return Peer::connect(address).await;
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect(address.ip().into(), stream).await?;
        Peer::over(Box::new(stream), format!("wss://{address}/")).await
    }
}
