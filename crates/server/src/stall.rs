//! A connection that ends when its client takes nothing for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writing fails with [`io::ErrorKind::TimedOut`] when the other side has taken nothing
/// for a time.
#[derive(Debug)]
pub(crate) struct Stallable<S> {
    stream: S,
    timeout: Duration,
    /// Runs while something waits to be taken.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Stallable<S> {
    pub(crate) fn new(stream: S, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            deadline: None,
        }
    }

    /// Passes on how writing went; waits for the deadline beside it.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let timeout = self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stallable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stallable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_stalled(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_stalled(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, timeout};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::{WebSocketStream, client_async};

    use super::*;
    use crate::config::Config;
    use crate::in_memory::InMemoryServer;
    use crate::limits::Limits;

    const SECOND: Duration = Duration::from_secs(1);
    /// Ten seconds for the ping and the pong, and a little to notice.
    const SOON: Duration = Duration::from_secs(13);

    /// A server on which nothing else ends a client so soon.
    fn server() -> InMemoryServer {
        let long = Duration::from_secs(3_600);
        let limits = Limits {
            ping_interval: 6 * SECOND,
            pong_timeout: 4 * SECOND,
            handshake_timeout: long,
            hello_timeout: long,
            close_timeout: SECOND,
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::default()
        };
        InMemoryServer::new(&config).expect("a good configuration")
    }

    async fn client(
        server: &InMemoryServer,
        path: &str,
        window: usize,
    ) -> WebSocketStream<DuplexStream> {
        let (client, stream) = duplex(window);
        server.accept(stream).await;
        let upgrade = client_async(format!("ws://simulated{path}"), client);
        upgrade.await.expect("an upgrade").0
    }

    async fn ask(client: &mut WebSocketStream<DuplexStream>, text: &str) -> String {
        client.send(Message::text(text)).await.expect("sent");
        let answer = client.next().await.expect("up").expect("an answer");
        answer.to_text().expect("a text").to_owned()
    }

    /// Says something each second and reads nothing, until it is cut off: not before it had the time.
    async fn is_cut_off(mut client: WebSocketStream<DuplexStream>, text: &str) {
        let start = Instant::now();
        let says = async {
            while client.send(Message::text(text)).await.is_ok() {
                sleep(SECOND).await;
            }
        };
        timeout(SOON, says).await.expect("it is cut off");
        assert!(start.elapsed() > 8 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn http_client_that_never_reads_cut_off() {
        let server = server();
        let (mut client, stream) = duplex(4 * 1024);
        server.accept(stream).await;
        let request = b"GET /healthz HTTP/1.1\r\nHost: simulated\r\n\r\n";
        let asks = async { while client.write_all(request).await.is_ok() {} };
        timeout(SOON, asks).await.expect("it is cut off");
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_whose_partner_left_that_never_reads_cut_off() {
        let server = server();
        let mut stays = client(&server, "/text", 1024).await;
        let mut leaves = client(&server, "/text", 64 * 1024).await;
        assert_eq!(ask(&mut stays, "HELLO stays").await, "HELLO");
        assert_eq!(ask(&mut leaves, "HELLO leaves").await, "HELLO");
        assert_eq!(ask(&mut leaves, "SESSION stays").await, "SESSION_OK");
        // More than is written at once.
        for _ in 0..64 {
            let long = Message::text("m".repeat(1024));
            leaves.send(long).await.expect("sent");
        }
        leaves.close(None).await.expect("closed");
        while let Some(Ok(_)) = leaves.next().await {}
        is_cut_off(stays, "I am still here").await;
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_sends_and_never_reads_cut_off() {
        let server = server();
        let mut client = client(&server, "/", 256).await;
        for _ in 0..100 {
            let list = Message::text(r#"{"type":"list"}"#);
            client.send(list).await.expect("sent");
        }
        is_cut_off(client, r#"{"type":"endSession","sessionId":"none"}"#).await;
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_pings_and_never_reads_not_read_from_and_cut_off() {
        let server = server();
        let mut client = client(&server, "/", 1024).await;
        let start = Instant::now();
        let mut taken = 0;
        let pings = async {
            while client
                .send(Message::Ping(vec![0; 125].into()))
                .await
                .is_ok()
            {
                taken += 1;
            }
        };
        timeout(SOON, pings).await.expect("it is cut off");
        assert!(start.elapsed() > 8 * SECOND);
        // What both windows and the server's own buffers hold.
        assert!(taken < 200, "{taken} pings were read");
        assert_eq!(server.connections(), 0);
    }
}
