//! Datagrams as the system hands them out: several in one go, and several glued together.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

/// Buffers that one call fills; each takes what the system glued together.
pub const RECEIVE_BUFFERS: usize = 8;
/// The largest that the system hands out, glued or not.
const RECEIVE_BUFFER: usize = 65_536;

/// Datagrams as they came, and the room for them: for one socket after the other.
pub struct Received {
    bytes: Box<[u8]>,
    metas: [RecvMeta; RECEIVE_BUFFERS],
    filled: usize,
    /// The port they came to.
    local: Option<SocketAddr>,
}

impl Received {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "it takes half a megabyte")]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_BUFFERS * RECEIVE_BUFFER].into(),
            metas: [RecvMeta::default(); RECEIVE_BUFFERS],
            filled: 0,
            local: None,
        }
    }

    /// Reads once what came to a socket, which is bound to `local`; returns how many buffers were filled.
    ///
    /// # Errors
    ///
    /// Those of the system; [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing came.
    pub fn read(
        &mut self,
        socket: &UdpSocket,
        state: &UdpSocketState,
        local: SocketAddr,
    ) -> io::Result<usize> {
        self.filled = 0;
        self.local = Some(local);
        let mut chunks = self.bytes.chunks_mut(RECEIVE_BUFFER);
        let mut buffers: [IoSliceMut<'_>; RECEIVE_BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let metas = &mut self.metas;
        self.filled =
            socket.try_io(|| state.recv(UdpSockRef::from(socket), &mut buffers, metas))?;
        Ok(self.filled)
    }

    /// How many datagrams came.
    pub fn count(&self) -> usize {
        let datagrams = |meta: &RecvMeta| meta.len.div_ceil(meta.stride.max(1));
        self.metas().iter().map(datagrams).sum()
    }

    fn metas(&self) -> &[RecvMeta] {
        self.metas.get(..self.filled).unwrap_or(&self.metas)
    }

    /// Each datagram with where it came from and the address of ours that it came to.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &[u8])> {
        let buffers = self.bytes.chunks(RECEIVE_BUFFER);
        self.metas().iter().zip(buffers).flat_map(|(meta, buffer)| {
            let local = self.local.zip(meta.dst_ip);
            let to = local.map(|(local, address)| SocketAddr::new(address, local.port()));
            let whole = buffer.get(..meta.len).unwrap_or_default();
            whole
                .chunks(meta.stride.max(1))
                .filter_map(move |datagram| Some((meta.addr, to?, datagram)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn datagram_that_came_has_both_addresses() {
        let ours = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        ours.set_nonblocking(true).expect("set");
        let ours = UdpSocket::from_std(ours);
        let state = UdpSocketState::new(UdpSockRef::from(&ours)).expect("a state");
        let local = ours.local_addr().expect("an address");
        let mut received = Received::new();
        let nothing = received.read(&ours, &state, local).map_err(|it| it.kind());
        assert_eq!(nothing, Err(io::ErrorKind::WouldBlock));
        assert_eq!(received.datagrams().count(), 0);

        let theirs = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let source = theirs.local_addr().expect("an address");
        theirs.send_to(b"hello", local).expect("sent");
        let deadline = Instant::now() + Duration::from_secs(10);
        while received.read(&ours, &state, local).is_err() {
            assert!(Instant::now() < deadline, "nothing came");
            std::thread::yield_now();
        }
        let datagrams: Vec<_> = received.datagrams().collect();
        assert_eq!(datagrams, [(source, local, b"hello".as_slice())]);
    }
}
