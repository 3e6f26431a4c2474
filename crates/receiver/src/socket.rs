//! The socket of a viewer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::SockRef;
use wigwag_media::udp::Received;

/// Asked of the system for what comes while other viewers are looked after; it may give less.
const SOCKET_BUFFER: usize = 1024 * 1024;

/// A socket of one viewer.
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    socket: UdpSocket,
    state: UdpSocketState,
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
    /// Reads once; returns how many of the buffers were filled.
    pub(super) fn read(&self, received: &mut Received) -> io::Result<usize> {
        received.read(&self.socket, &self.state, self.local)
    }
}
