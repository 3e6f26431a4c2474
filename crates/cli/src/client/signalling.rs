//! A connection to a server of the JSON protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use wigwag_protocol::json::{ClientMessage, ServerMessage};

use super::connect::{ByteStream, Way};

/// Small, so that thousands of these fit.
const READ_BUFFER: usize = 4 * 1024;
/// For goodbyes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    socket: WebSocketStream<Box<dyn ByteStream>>,
}

impl Connection {
    /// Connects, and waits for the welcome. A longer message than so many bytes is an error.
    pub(crate) async fn open(way: &Way, address: &str, max_message: usize) -> Result<Self, String> {
        let stream = way.open().await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_frame_size(Some(max_message))
            .max_message_size(Some(max_message));
        let request = address.into_client_request();
        let mut request = request.map_err(|error| format!("no WebSocket at {address}: {error}"))?;
        request.headers_mut().extend(way.headers()?);
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let (socket, _) = opened.map_err(|error| format!("no WebSocket at {address}: {error}"))?;
        let mut connection = Self { socket };
        while !matches!(connection.next().await?, ServerMessage::Welcome { .. }) {}
        Ok(connection)
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<(), String> {
        let text = Message::text(message.to_json());
        self.socket.send(text).await.map_err(broken)
    }

    /// The next message that can be understood. Cancelling loses none.
    pub(crate) async fn next(&mut self) -> Result<ServerMessage, String> {
        loop {
            let message = self.socket.next().await;
            match message
                .ok_or("the server closed the connection")?
                .map_err(broken)?
            {
                Message::Text(text) => {
                    // What a newer server says is no business of ours.
                    if let Ok(message) = ServerMessage::from_json(&text) {
                        return Ok(message);
                    }
                }
                Message::Close(frame) => {
                    let reason =
                        frame.map_or_else(String::new, |frame| format!(": {}", frame.reason));
                    return Err(format!("the server closed the connection{reason}"));
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn close(mut self) {
        // Whether it is heard makes no difference.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }
}

fn broken(error: impl std::fmt::Display) -> String {
    format!("the connection to the server broke: {error}")
}
