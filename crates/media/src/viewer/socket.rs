//! The socket of a viewer, and reads of several datagrams in one go.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::SockRef;

/// What one call reads: so many datagrams, or several glued together, and the most that the system glues.
pub(super) const READS: usize = 8;
const MAX_READ: usize = 65_536;

/// Asked of the system for what comes while other viewers have their turn; it may give less.
const SOCKET_BUFFER: usize = 1024 * 1024;

/// A socket of one viewer.
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Where datagrams are read to.
pub(super) struct Room {
    bytes: Vec<u8>,
    metas: [RecvMeta; READS],
}

impl Socket {
    /// Opens one at this address, and has it watched.
    pub(super) fn open(registry: &Registry, address: IpAddr, token: Token) -> io::Result<Self> {
        let mut socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
        // Less than asked for is no reason not to run.
        let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            state,
        })
    }

    /// Sends a datagram. What does not go out is lost, as on any network.
    pub(super) fn send(&self, destination: SocketAddr, datagram: &[u8]) {
        let _ = self.socket.send_to(datagram, destination);
    }
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; READS * MAX_READ],
            metas: [RecvMeta::default(); READS],
        }
    }

    /// Reads once; returns how many of the buffers were filled.
    pub(super) fn fill(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut chunks = self.bytes.chunks_mut(MAX_READ);
        let mut buffers: [IoSliceMut<'_>; READS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let (state, metas) = (&socket.state, &mut self.metas);
        let socket = &socket.socket;
        socket.try_io(|| state.recv(UdpSockRef::from(socket), &mut buffers, metas))
    }

    pub(super) fn datagrams(&self, filled: usize) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let filled = self.metas.iter().take(filled);
        filled
            .zip(self.bytes.chunks(MAX_READ))
            .flat_map(|(meta, bytes)| {
                let whole = bytes.get(..meta.len).unwrap_or_default();
                let datagrams = whole.chunks(meta.stride.max(1));
                datagrams.map(|datagram| (meta.addr, datagram))
            })
    }
}
