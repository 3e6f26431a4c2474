//! The stream below a WebSocket: counts what is read without a message, and writes long messages as they are.
//!
//! The WebSocket copies what it writes into a buffer, which keeps the room of the longest message for as long as the
//! connection lives, and reads on for as long as frames come that make no message. Here a long message is a frame of its
//! own beside that buffer, of slices that others may share, and what is read has a bound, for each turn and for each
//! message.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// What is read before other connections have their turn. Who sends long messages all the time makes those wait who
/// send short ones: of 400 such connections each waits for one message of each, and not for four.
const MAX_READ_AT_ONCE: usize = 16 * 1024;

/// What may be read beyond the longest message: the beginning of the next ones.
const SLACK: usize = 64 * 1024;

/// The head of a client's frame that is shorter than 126 bytes (RFC 6455, 5.2).
const CONTROL_HEAD_BYTES: usize = 6;

/// The slices of a frame that are written by one call.
const MAX_SLICES: usize = 16;

/// A stream of frames.
#[derive(Debug)]
pub(crate) struct FrameStream<S> {
    stream: S,
    /// Bytes that may be read between two messages.
    max_unfinished: usize,
    /// Bytes that were read since the last message.
    unfinished: usize,
    /// Bytes that may still be read in this turn.
    turn: usize,
    /// What is left of a frame that is written beside the WebSocket's buffer.
    frame: VecDeque<Bytes>,
}

impl<S> FrameStream<S> {
    /// A stream over which messages of at most `max_message_bytes` bytes come, in as many frames as the client likes, as
    /// long as their heads are no more than a quarter of that.
    pub(crate) fn new(stream: S, max_message_bytes: usize) -> Self {
        let heads = max_message_bytes / 4;
        Self {
            stream,
            max_unfinished: max_message_bytes
                .saturating_add(heads)
                .saturating_add(SLACK),
            unfinished: 0,
            turn: MAX_READ_AT_ONCE,
            frame: VecDeque::new(),
        }
    }

    /// The stream itself.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// From now on a message that is longer than [`SLACK`] cannot be read.
    pub(crate) fn read_no_long_messages(&mut self) {
        self.max_unfinished = SLACK;
    }

    /// Bytes that were read of a message that has not come whole.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// A message came whole.
    pub(crate) fn message_came(&mut self) {
        self.unfinished = 0;
    }

    /// A control frame with so many bytes came, which may come between the frames of a message.
    pub(crate) fn control_came(&mut self, bytes: usize) {
        self.unfinished = self.unfinished.saturating_sub(bytes + CONTROL_HEAD_BYTES);
    }

    /// Begins a frame that is a whole message. What the WebSocket has in its buffer must have been written, and what it
    /// writes next waits until this is.
    pub(crate) fn begin_frame(&mut self, data: Data, slices: impl IntoIterator<Item = Bytes>) {
        self.frame.push_back(Bytes::new());
        self.frame.extend(slices);
        let length: usize = self.frame.iter().map(Bytes::len).sum();
        let header = FrameHeader {
            is_final: true,
            opcode: OpCode::Data(data),
            ..FrameHeader::default()
        };
        let mut head = Vec::with_capacity(header.len(length as u64));
        if header.format(length as u64, &mut head).is_ok()
            && let Some(first) = self.frame.front_mut()
        {
            *first = head.into();
        }
    }

    /// Whether a frame is begun and not written.
    pub(crate) fn has_frame(&self) -> bool {
        !self.frame.is_empty()
    }
}

impl<S: AsyncWrite + Unpin> FrameStream<S> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.has_frame() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.frame) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let written = if self.stream.is_write_vectored() {
                Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
            } else {
                let first = self.frame.front().map(Bytes::as_ref).unwrap_or_default();
                if first.is_empty() {
                    self.frame.pop_front();
                    continue;
                }
                Pin::new(&mut self.stream).poll_write(cx, first)
            };
            let mut written = ready!(written)?;
            if written == 0 && self.frame.iter().any(|bytes| !bytes.is_empty()) {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            while let Some(first) = self.frame.front_mut() {
                if first.len() > written {
                    bytes_advance(first, written);
                    break;
                }
                written -= first.len();
                self.frame.pop_front();
            }
        }
        if self.frame.capacity() > MAX_SLICES {
            self.frame = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }
}

fn bytes_advance(bytes: &mut Bytes, count: usize) {
    *bytes = bytes.slice(count..);
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unfinished > self.max_unfinished {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        if self.turn == 0 {
            self.turn = MAX_READ_AT_ONCE;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        let read = into.filled().len() - before;
        self.turn = self.turn.saturating_sub(read);
        self.unfinished += read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_frame(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_frame(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_frame(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[tokio::test]
    async fn frame_written_between_what_the_websocket_writes_in_order() {
        // A narrow pipe: every write is cut.
        let (client, server) = duplex(7);
        let stream = FrameStream::new(server, 1024);
        let mut server = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let sending = async {
            for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
                server.send(Message::text("before")).await.expect("sent");
                let slice = Bytes::from(vec![b'x'; length / 2]);
                let rest = Bytes::from(vec![b'y'; length - length / 2]);
                let slices = [slice, Bytes::new(), rest];
                server.get_mut().begin_frame(Data::Text, slices);
                assert!(server.get_ref().has_frame());
                server.send(Message::text("after")).await.expect("sent");
                assert!(!server.get_ref().has_frame());
            }
        };
        let receiving = async {
            for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
                let mut next = async || client.next().await.expect("up").expect("a message");
                assert_eq!(next().await, Message::text("before"));
                let long = next().await.into_text().expect("a text");
                assert_eq!(long.len(), length);
                assert_eq!(long.matches('y').count(), length - length / 2);
                assert_eq!(next().await, Message::text("after"));
            }
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test]
    async fn bytes_without_a_message_bounded_and_control_frames_not_counted() {
        let (mut client, server) = duplex(1 << 20);
        let mut stream = FrameStream::new(server, 1_000);
        client.write_all(&[0; 1_000_000]).await.expect("written");
        let mut into = [0; 10_000];
        let mut read = 0;
        let error = loop {
            match stream.read(&mut into).await {
                Ok(count) => read += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!((66_000..80_000).contains(&read), "{read}");
        stream.control_came(4);
        assert_eq!(stream.unfinished(), read - 10);
        stream.message_came();
        stream.read_exact(&mut into).await.expect("a message came");
        stream.read_no_long_messages();
        let mut read = 0;
        let error = loop {
            match stream.read(&mut into).await {
                Ok(count) => read += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(read < 70_000, "{read}");
    }

    #[tokio::test]
    async fn turn_ends_after_its_bytes() {
        let (mut client, server) = duplex(1 << 20);
        let mut stream = FrameStream::new(server, 1 << 20);
        client.write_all(&[0; 200_000]).await.expect("written");
        let mut into = vec![0; 200_000];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut read = 0;
        for _ in 0..20 {
            let mut buffer = ReadBuf::new(&mut into[..10_000]);
            match Pin::new(&mut stream).poll_read(&mut cx, &mut buffer) {
                Poll::Ready(result) => {
                    result.expect("read");
                    read += buffer.filled().len();
                }
                Poll::Pending => break,
            }
        }
        assert_eq!(read, 20_000, "one more than 16 KiB");
        let mut buffer = ReadBuf::new(&mut into);
        let again = Pin::new(&mut stream).poll_read(&mut cx, &mut buffer);
        assert!(again.is_ready());
    }
}
