//! Peers that make the load.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const DEADLINE: Duration = Duration::from_secs(60);

/// A connection, with or without TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Peer {
    pub(crate) socket: WebSocketStream<Box<dyn Stream>>,
    pub(crate) id: String,
}

impl Peer {
    /// Connects and waits for the welcome.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(Box::new(stream), format!("ws://{address}/")).await
    }

    /// The same over a connection that is there already.
    pub(crate) async fn over(stream: Box<dyn Stream>, url: String) -> Result<Self> {
        // Small buffers, so that thousands of these fit.
        let config = WebSocketConfig::default().read_buffer_size(2048);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
        let mut peer = Self {
            socket,
            id: String::new(),
        };
        let welcome = peer.receive("welcome").await?;
        peer.id = welcome["peerId"].as_str().context("an id")?.to_owned();
        Ok(peer)
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into())).await?)
    }

    /// The next text.
    pub(crate) async fn next_text(&mut self) -> Result<String> {
        loop {
            let message = timeout(DEADLINE, self.socket.next())
                .await
                .context("the server is silent")?;
            match message.context("the server closed")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(frame) => bail!("the server closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message of a type; others before it are dropped.
    pub(crate) async fn receive(&mut self, kind: &str) -> Result<Value> {
        loop {
            let message: Value = serde_json::from_str(&self.next_text().await?)?;
            if message["type"] == kind {
                return Ok(message);
            }
        }
    }

    /// Waits until the server has handled what was sent.
    pub(crate) async fn sync(&mut self) -> Result<()> {
        self.send(r#"{"type":"listConsumers"}"#).await?;
        self.receive("listConsumers").await.map(drop)
    }

    pub(crate) async fn set_roles(&mut self, roles: &str) -> Result<()> {
        let text = format!(r#"{{"type":"setPeerStatus","roles":[{roles}]}}"#);
        self.send(text).await?;
        self.sync().await
    }
}
