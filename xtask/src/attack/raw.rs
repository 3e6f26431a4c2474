//! A WebSocket whose frames are written by hand: unfinished, empty, many at once.

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest answer to an upgrade that is read.
const MAX_HEAD: usize = 4_096;

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const PONG: u8 = 0xa;

/// A connection after its upgrade.
pub(super) struct RawPeer {
    pub(super) stream: TcpStream,
}

impl RawPeer {
    pub(super) async fn over(mut stream: TcpStream, host: &str, path: &str) -> Result<Self> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
            head.push(stream.read_u8().await?);
        }
        ensure!(head.starts_with(b"HTTP/1.1 101"), "refused");
        Ok(Self { stream })
    }

    pub(super) async fn send_text(&mut self, text: &str) -> Result<()> {
        self.send(&frame(TEXT, true, text.as_bytes())).await
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads and forgets until the server closes.
    pub(super) async fn read_on(&mut self) -> Result<()> {
        let mut room = [0; 4_096];
        loop {
            let read = self.stream.read(&mut room).await?;
            ensure!(read > 0, "closed");
        }
    }
}

/// A frame (RFC 6455, section 5.2) under a mask that changes nothing.
pub(super) fn frame(opcode: u8, is_last: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, is_last, payload.len());
    frame.extend(payload);
    frame
}

/// The head of a frame that says it is so long.
pub(super) fn head(opcode: u8, is_last: bool, length: usize) -> Vec<u8> {
    let mut head = vec![opcode | if is_last { 0x80 } else { 0 }];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65_536 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_of_a_frame_has_its_length_in_the_shortest_form() {
        assert_eq!(frame(TEXT, true, b"hi"), b"\x81\x82\0\0\0\0hi");
        assert_eq!(head(CONTINUATION, false, 300), b"\x00\xfe\x01\x2c\0\0\0\0");
        assert_eq!(
            head(PONG, true, 65_536),
            b"\x8a\xff\0\0\0\0\0\x01\0\0\0\0\0\0"
        );
    }
}
