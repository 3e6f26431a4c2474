//! A service of its own beside signalling, on the same port: a route, and a WebSocket that sends back what it gets.
//!
//! `cargo run -p wigwag-server --example routes`, then `curl http://127.0.0.1:8443/whoami`.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use wigwag_server::axum::Router;
use wigwag_server::axum::routing::get;
use wigwag_server::tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wigwag_server::{ClientAddress, Config, Server, WebSocketUpgrade};

/// Bytes of a message.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(Config {
        host: "127.0.0.1".to_owned(),
        ..Config::default()
    })
    .await?;
    let handle = server.handle();
    let echo = async move |upgrade: WebSocketUpgrade| {
        let stopping = handle.stopping();
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
        upgrade.on_upgrade(config, async move |mut socket| {
            let echo = async {
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() && socket.send(message).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = echo => {}
                () = stopping => {}
            }
            // The client may be gone.
            let _ = SinkExt::close(&mut socket).await;
        })
    };
    let whoami = async |ClientAddress(address): ClientAddress| format!("{address}\n");
    let routes = Router::new()
        .route("/whoami", get(whoami))
        .route("/echo", get(echo));
    println!("signalling at {}, and routes beside it", server.url());
    let server = server.with_routes(routes);
    server.run(std::future::pending()).await;
    Ok(())
}
