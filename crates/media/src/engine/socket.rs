//! One UDP socket of a shard: batches both ways.

use std::io;
use std::net::SocketAddr;

use mio::Interest;
use mio::net::UdpSocket;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use super::batch::{Batch, Segments};
use super::statistics::{Counters, count};
use crate::udp::Received;

/// Asked of the system for each direction: a key frame for hundreds of viewers at once, or their reports.
/// The system may give less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// One socket, with what waits to be sent by it.
pub(super) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    batch: Batch,
    /// Whether the system may have more: it says so only once.
    readable: bool,
}

impl Port {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Less than asked for is no reason not to run.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            state,
            local,
            batch: Batch::new(),
            readable: true,
        })
    }

    /// Has it watched.
    pub(super) fn watch(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// The address it is bound to.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The system says that there is something to read.
    pub(super) fn is_readable(&mut self) {
        self.readable = true;
    }

    /// Whether there may be something to read.
    pub(super) fn may_have_more(&self) -> bool {
        self.readable
    }

    /// Sends a datagram with the next ones; false if no path takes one of its size.
    pub(super) fn send(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        counters: &Counters,
    ) -> bool {
        let Self {
            socket,
            state,
            batch,
            ..
        } = self;
        let max_segments = state.max_gso_segments();
        batch.push(source, destination, datagram, max_segments, |segments| {
            send(socket, state, counters, &segments);
        })
    }

    /// Sends what still waits.
    pub(super) fn flush(&mut self, counters: &Counters) {
        let Self {
            socket,
            state,
            batch,
            ..
        } = self;
        batch.flush(|segments| send(socket, state, counters, &segments));
    }

    /// How many datagrams a call may have.
    #[cfg(test)]
    pub(super) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Reads once; true if something came.
    pub(super) fn receive(&mut self, received: &mut Received) -> bool {
        if !self.readable {
            return false;
        }
        match received.read(&self.socket, &self.state, self.local) {
            Ok(filled) => return filled > 0,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    tracing::trace!(%error, "a datagram could not be read");
                }
                // The next datagram that comes is told again.
                self.readable = false;
            }
        }
        false
    }
}

/// Hands a batch to the system. What it does not take is lost.
fn send(
    socket: &UdpSocket,
    state: &mut UdpSocketState,
    counters: &Counters,
    segments: &Segments<'_>,
) {
    let max_segments = state.max_gso_segments();
    let all = segments.bytes;
    let mut sent = 0;
    let mut calls = 1;
    let is_segmented = segments.count > 1;
    let whole = call(
        socket,
        state,
        segments,
        all,
        is_segmented.then_some(segments.segment),
    );
    match whole {
        Ok(()) => sent = segments.count,
        // A full socket: what is sent later is too late.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) if is_segmented => {
            // Some network cards cannot cut a buffer into datagrams; and some errors are of the address.
            for datagram in all.chunks(segments.segment) {
                calls += 1;
                sent += usize::from(call(socket, state, segments, datagram, None).is_ok());
            }
        }
        Err(_) => {}
    }
    // On errors the socket's state gives up segmentation for good. It is at fault only if the datagrams go
    // out one by one; else the address was, as when an interface lost it.
    if sent == 0
        && state.max_gso_segments() < max_segments
        && let Ok(anew) = UdpSocketState::new(UdpSockRef::from(socket))
    {
        *state = anew;
    }
    count(&counters.sent, sent);
    count(&counters.send_calls, calls);
    count(&counters.not_sent, segments.count - sent);
}

fn call(
    socket: &UdpSocket,
    state: &UdpSocketState,
    path: &Segments<'_>,
    contents: &[u8],
    segment_size: Option<usize>,
) -> io::Result<()> {
    let source = path.source.ip();
    let transmit = Transmit {
        destination: path.destination,
        ecn: None,
        contents,
        segment_size,
        src_ip: (!source.is_unspecified()).then_some(source),
    };
    socket.try_io(|| state.try_send(UdpSockRef::from(socket), &transmit))
}
