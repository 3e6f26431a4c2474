//! A stranger who sends bytes to a server, and a bystander who must notice nothing but that.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wigwag_server::in_memory::InMemoryServer;
use wigwag_server::{Config, Limits};

/// More than any connection of a stranger who has said everything may last.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Not on this machine, which is free of some limits.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const ADDRESS_OF_BYSTANDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Sends the bytes in pieces of this length, reads all answers, and leaves.
pub fn send(bytes: &[u8], piece: usize) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(async {
            let config = Config {
                limits: Limits {
                    max_message_bytes: 2_048,
                    max_queued_bytes: 16_384,
                    max_queued_messages: 64,
                    ..Limits::default()
                },
                ..Config::default()
            };
            let server = InMemoryServer::new(&config).expect("a good configuration");
            let mut bystander = Bystander::join(&server).await;
            let before = server.remembered();
            let talk = timeout(DEADLINE, talk(&server, bytes, piece));
            talk.await.expect("the connection ends");
            bystander.is_well().await;
            while server.connections() > 1 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            bystander.is_well().await;
            assert_eq!(
                server.remembered(),
                before,
                "something is kept of the stranger"
            );
        });
}

async fn talk(server: &InMemoryServer, bytes: &[u8], piece: usize) {
    let (client, stream) = duplex(1_024);
    server.accept_from(ADDRESS, stream).await;
    let (mut from, mut to) = split(client);
    let say = async {
        for piece in bytes.chunks(piece.max(1)) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = to.shutdown().await;
    };
    let hear = async {
        let mut answers = Vec::new();
        let _ = from.read_to_end(&mut answers).await;
    };
    tokio::join!(say, hear);
}

/// A listener that reads.
struct Bystander(WebSocketStream<DuplexStream>);

impl Bystander {
    async fn join(server: &InMemoryServer) -> Self {
        let (client, stream) = duplex(65_536);
        server.accept_from(ADDRESS_OF_BYSTANDER, stream).await;
        let upgrade = tokio_tungstenite::client_async("ws://fuzz/", client).await;
        let mut bystander = Self(upgrade.expect("an upgrade").0);
        let status = r#"{"type":"setPeerStatus","roles":["listener"]}"#;
        bystander.0.send(Message::text(status)).await.expect("sent");
        bystander.is_well().await;
        bystander
    }

    /// It is answered.
    async fn is_well(&mut self) {
        let list = Message::text(r#"{"type":"list"}"#);
        self.0.send(list).await.expect("the server takes it");
        loop {
            match self
                .0
                .next()
                .await
                .expect("not closed")
                .expect("not broken")
            {
                Message::Text(text) if text.contains(r#""type":"list""#) => return,
                Message::Close(reason) => panic!("closed: {reason:?}"),
                _ => {}
            }
        }
    }
}
