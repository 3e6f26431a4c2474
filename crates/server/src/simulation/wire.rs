//! A client's WebSocket.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::link::{Link, Quality};
use super::running::Simulation;

pub(super) struct Wire {
    pub(super) socket: WebSocketStream<DuplexStream>,
    pub(super) link: Link,
}

/// What comes from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Text(String),
    /// The connection is over, with code and text if the server gave them.
    End(Option<(u16, String)>),
}

impl Wire {
    /// Connects and upgrades; none if the server does not answer.
    pub(super) async fn connect(
        simulation: &Arc<Simulation>,
        path: &str,
        quality: Quality,
        random: &mut StdRng,
    ) -> Option<Self> {
        let (stream, link) = simulation.connect(quality, random).await;
        let url = format!("ws://simulated{path}");
        // Longer than any peer of a link that still does something needs.
        let patience = simulation.patience() * 2;
        let config = WebSocketConfig::default().read_buffer_size(2_048);
        let upgrade = client_async_with_config(url, stream, Some(config));
        let (socket, _) = timeout(patience, upgrade).await.ok()?.ok()?;
        Some(Self { socket, link })
    }

    pub(super) async fn send(&mut self, text: impl Into<String>) {
        // Who cannot send hears the end.
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    /// Lets a text wait; it goes with the next that is sent.
    pub(super) async fn feed(&mut self, text: impl Into<String>) {
        let _ = self.socket.feed(Message::text(text.into())).await;
    }

    pub(super) async fn next(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    // Lets the answer go out.
                    let _ = self.socket.flush().await;
                    let told = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                    return Heard::End(told);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::End(None),
            }
        }
    }

    /// The next message of the JSON protocol, or the end.
    pub(super) async fn next_json(&mut self) -> Result<Value, Option<(u16, String)>> {
        match self.next().await {
            Heard::Text(text) => Ok(serde_json::from_str(&text).expect("the server sends JSON")),
            Heard::End(told) => Err(told),
        }
    }

    /// Closes, and waits until the server has answered.
    pub(super) async fn close(mut self) {
        let _ = self.socket.close(None).await;
        while let Heard::Text(_) = self.next().await {}
    }
}

/// The text in a member.
pub(super) fn text<'a>(message: &'a Value, member: &str) -> &'a str {
    let text = message[member].as_str();
    text.unwrap_or_else(|| panic!("no {member} in {message}"))
}
