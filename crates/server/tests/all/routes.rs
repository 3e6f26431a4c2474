//! Routes of others on the main port, as a service beside signalling has them.

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tungstenite::Message;
use wigwag_server::axum::Router;
use wigwag_server::axum::routing::get;
use wigwag_server::tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wigwag_server::{ClientAddress, Config, Handle, Limits, Network, Server, WebSocketUpgrade};

use crate::running::{DEADLINE, Running};

/// A route that answers with the address of its client, and one that sends back what it gets until the server stops.
fn routes(handle: Handle) -> Router {
    let echo = async move |upgrade: WebSocketUpgrade| {
        let stopping = handle.stopping();
        let config = WebSocketConfig::default().max_message_size(Some(1024));
        upgrade.on_upgrade(config, async move |mut socket| {
            let echo = async {
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() && socket.send(message).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = echo => {}
                () = stopping => {}
            }
            let _ = timeout(DEADLINE, SinkExt::close(&mut socket)).await;
        })
    };
    let whoami = async |ClientAddress(address): ClientAddress| address.to_string();
    Router::new()
        .route("/whoami", get(whoami))
        .route("/echo", get(echo))
}

fn start(config: Config) -> Running {
    Running::start_with(config, |server: Server| {
        let handle = server.handle();
        server.with_routes(routes(handle))
    })
}

#[test]
fn routes_of_others_served_beside_the_protocols() {
    let mut server = start(Config::default());
    let answer = server.get("/whoami", "");
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    let mut echo = server.websocket("/echo");
    echo.send(Message::text("hello")).expect("sent");
    assert_eq!(echo.read().expect("an answer"), Message::text("hello"));
    // All else is as it was.
    server.peer().sync();
    let mut text = server.text_peer("text");
    assert_eq!(text.ask("SESSION nobody"), "ERROR peer 'nobody' not found");
    assert!(server.get("/", "").contains("<html"));
    assert!(server.get("/healthz", "").ends_with("ok\n"));
    assert!(server.get("/echo", "").starts_with("HTTP/1.1 400 "));
    // Its connections end, and the server waits for them.
    server.tell_to_stop();
    while echo.read().is_ok() {}
    server.join();
}

#[test]
fn websocket_of_a_route_counted_for_its_address_until_it_ends() {
    let server = start(Config {
        limits: Limits {
            max_connections_per_address: 1,
            ..Limits::default()
        },
        trusted_proxies: Network::loopback().into(),
        ..Config::default()
    });
    let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let mut echo = server.websocket_by("/echo", &from("192.0.2.1"));
    echo.send(Message::text("hello")).expect("sent");
    assert_eq!(echo.read().expect("an answer"), Message::text("hello"));
    let refused = server.get("/whoami", &from("192.0.2.1"));
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    let other = server.get("/whoami", &from("192.0.2.2"));
    assert!(other.ends_with("192.0.2.2"), "{other}");
    drop(echo);
    server.wait_for_metric("wigwag_connections", 0);
    let again = server.get("/whoami", &from("192.0.2.1"));
    assert!(again.ends_with("192.0.2.1"), "{again}");
}
