//! Whatever requests come to the admin API, with its token and without: each connection ends, and peers notice nothing.
//!
//! The first byte says whether the token is shown. Then comes a request, into whose head the target writes what every one needs.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wigwag_server::in_memory::InMemoryServer;
use wigwag_server::{Config, Secret};

/// More than any connection that has said everything may last.
const DEADLINE: Duration = Duration::from_secs(3600);
const TOKEN: &str = "0123456789abcdef";
const OPERATOR: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fuzz_target!(|bytes: &[u8]| {
    let Some((how, request)) = bytes.split_first() else {
        return;
    };
    let end = request.windows(2).position(|two| two == b"\r\n");
    let (line, rest) = request.split_at(end.unwrap_or(request.len()));
    let mut sent = line.to_vec();
    sent.extend(b"\r\nHost: localhost");
    if how & 1 == 0 {
        sent.extend(format!("\r\nAuthorization: Bearer {TOKEN}").bytes());
    }
    sent.extend(rest);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(async {
            let server = InMemoryServer::new(&Config::default()).expect("a good configuration");
            let mut camera = join(&server, "/").await;
            let status = r#"{"type":"setPeerStatus","roles":["producer"],"meta":{"name":"x"}}"#;
            camera.send(Message::text(status)).await.expect("sent");
            let mut member = join(&server, "/text").await;
            for said in ["HELLO one", "ROOM yard"] {
                member.send(Message::text(said)).await.expect("sent");
                member.next().await.expect("answered").expect("not broken");
            }
            let before = server.remembered();
            timeout(DEADLINE, ask(&server, &sent)).await.expect("the connection ends");
            // An operator may remove peers, but not by chance: their ids are random.
            let list = Message::text(r#"{"type":"listConsumers"}"#);
            camera.send(list).await.expect("the server takes it");
            while !matches!(camera.next().await, Some(Ok(Message::Text(text))) if text.contains("listConsumers")) {}
            while server.connections() > 2 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(server.remembered(), before, "something is kept of a request");
        });
});

async fn join(server: &InMemoryServer, path: &str) -> WebSocketStream<DuplexStream> {
    let (client, stream) = duplex(65_536);
    server.accept_from(PEER, stream).await;
    let upgrade = tokio_tungstenite::client_async(format!("ws://fuzz{path}"), client).await;
    upgrade.expect("an upgrade").0
}

async fn ask(server: &InMemoryServer, request: &[u8]) {
    let (client, stream) = duplex(1_024);
    let token = Secret::new(TOKEN).expect("a token");
    server.accept_operator(OPERATOR, token, stream).await;
    let (mut from, mut to) = tokio::io::split(client);
    let say = async {
        let _ = to.write_all(request).await;
        let _ = to.shutdown().await;
    };
    let mut answers = Vec::new();
    let hear = from.read_to_end(&mut answers);
    let ((), _) = tokio::join!(say, hear);
    let text = String::from_utf8_lossy(&answers);
    let knew = request
        .windows(TOKEN.len())
        .any(|part| part == TOKEN.as_bytes());
    assert!(
        knew || !text.starts_with("HTTP/1.1 200"),
        "served without the token"
    );
}
