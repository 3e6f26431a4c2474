//! A client of the signalling server that says what it is told to.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::DEADLINE;

/// A connection that was welcomed.
#[derive(Debug)]
pub struct Client {
    /// For what is not said by one of the methods.
    pub socket: WebSocket<TcpStream>,
    /// What the server calls it.
    pub id: String,
}

impl Client {
    /// Connects and waits for the welcome.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        // Small buffers, so that thousands of these fit.
        let config = WebSocketConfig::default().read_buffer_size(1024);
        let url = format!("ws://{address}/");
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config))
            .map_err(|error| anyhow!("no upgrade: {error}"))?;
        let mut client = Self {
            socket,
            id: String::new(),
        };
        let welcome = client.receive_type("welcome")?;
        client.id = welcome["peerId"].as_str().context("an id")?.to_owned();
        Ok(client)
    }

    /// The same, of a server that may not be there yet.
    pub fn connect_once_listening(address: SocketAddr) -> Result<Self> {
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "nobody listens");
            thread::sleep(Duration::from_millis(10));
        }
        Self::connect(address)
    }

    /// Sends a message as it is.
    pub fn send(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into()))?)
    }

    /// The next message.
    pub fn receive(&mut self) -> Result<Value> {
        loop {
            match self.socket.read()? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(reason) => bail!("closed: {reason:?}"),
                _ => {}
            }
        }
    }

    /// The next message of a type.
    pub fn receive_type(&mut self, kind: &str) -> Result<Value> {
        loop {
            let message = self.receive()?;
            if message["type"] == kind {
                return Ok(message);
            }
        }
    }

    /// Waits until the server has handled what was sent.
    pub fn sync(&mut self) -> Result<()> {
        self.send(r#"{"type":"listConsumers"}"#)?;
        self.receive_type("listConsumers").map(drop)
    }

    /// Waits for a ping, and answers it.
    pub fn answer_ping(&mut self) -> Result<()> {
        match self.socket.read()? {
            Message::Ping(_) => Ok(self.socket.flush()?),
            other => bail!("no ping: {other:?}"),
        }
    }
}
