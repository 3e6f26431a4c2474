//! The UDP sockets of a shard: one for each address family.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::socket::Port;
use super::statistics::{Counters, count};
use crate::udp::{RECEIVE_BUFFERS, Received};

/// Datagrams that are read from a socket between two turns of sending. What is thrown away costs about a
/// microsecond each, so that a flood takes half a millisecond of each turn.
const DATAGRAMS_AT_ONCE: usize = 512;

/// Where datagrams go out.
pub(super) trait Network {
    /// Sends a datagram, or loses it, as networks do. An unspecified source address is any of ours.
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]);

    /// Sends what still waits to be sent.
    fn flush(&mut self);

    /// Where viewers reach us at an address of ours, if we listen on its family.
    fn at(&self, address: IpAddr) -> Option<SocketAddr>;
}

/// The sockets of a shard. A machine may lack one of the families.
pub(super) struct Ports {
    ports: [Option<Port>; 2],
    counters: Arc<Counters>,
}

impl Ports {
    /// Opens the sockets, and has them watched under the tokens 0 and 1.
    pub(super) fn open(registry: &mio::Registry, counters: Arc<Counters>) -> io::Result<Self> {
        let v4 = Port::open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        // The same number is easier to read in a description; any other will do.
        let number = v4.as_ref().map_or(0, |port| port.local().port());
        let any = |number| SocketAddr::from((Ipv6Addr::UNSPECIFIED, number));
        let v6 = Port::open(any(number)).or_else(|_| Port::open(any(0)));
        let mut ports = match (v4, v6) {
            (Err(error), Err(_)) => return Err(error),
            (v4, v6) => [v4.ok(), v6.ok()],
        };
        for (token, port) in ports.iter_mut().enumerate() {
            if let Some(port) = port {
                port.watch(registry, mio::Token(token))?;
            }
        }
        Ok(Self { ports, counters })
    }

    /// The socket with this token has something to read.
    pub(super) fn is_readable(&mut self, token: mio::Token) {
        if let Some(Some(port)) = self.ports.get_mut(token.0) {
            port.is_readable();
        }
    }

    /// Whether there may be something to read without waiting.
    pub(super) fn may_have_more(&self) -> bool {
        self.ports.iter().flatten().any(|port| port.may_have_more())
    }

    /// Reads from each socket until it has no more, or `until`, or [`DATAGRAMS_AT_ONCE`] came or as many calls as that
    /// would need were made, and shows what came. Reads at least once.
    ///
    /// What is not read in time, the system throws away, whosever it is. So when somebody sends a flood, all
    /// of it has to be read; but not before the next frame is sent. What joins take is as much, with far fewer datagrams.
    pub(super) fn receive(
        &mut self,
        received: &mut Received,
        until: Instant,
        mut show: impl FnMut(&mut Self, &Received),
    ) {
        for place in 0..self.ports.len() {
            let mut left = DATAGRAMS_AT_ONCE;
            for _ in 0..DATAGRAMS_AT_ONCE / RECEIVE_BUFFERS {
                let Some(Some(port)) = self.ports.get_mut(place) else {
                    break;
                };
                if left == 0 || !port.receive(received) {
                    break;
                }
                let came = received.count();
                left = left.saturating_sub(came);
                count(&self.counters.received, came);
                show(self, received);
                if Instant::now() >= until {
                    break;
                }
            }
        }
    }
}

impl Network for Ports {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        let Self { ports, counters } = self;
        let port = ports[family(destination.ip())].as_mut();
        let port = port.filter(|_| is_sendable(destination));
        let Some(port) = port else {
            return count(&counters.not_sent, 1);
        };
        if !port.send(source, destination, datagram, counters) {
            count(&counters.not_sent, 1);
        }
    }

    fn flush(&mut self) {
        let Self { ports, counters } = self;
        for port in ports.iter_mut().flatten() {
            port.flush(counters);
        }
    }

    fn at(&self, address: IpAddr) -> Option<SocketAddr> {
        let port = self.ports[family(address)].as_ref()?;
        Some(SocketAddr::new(address, port.local().port()))
    }
}

fn family(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// Whether the system would take a datagram for there at all. The addresses of candidates are what a
/// viewer claims.
fn is_sendable(destination: SocketAddr) -> bool {
    let is_one_host = match destination.ip() {
        IpAddr::V4(v4) => v4.octets()[0] < 224,
        IpAddr::V6(v6) => !v6.is_multicast() && v6.to_ipv4_mapped().is_none(),
    };
    destination.port() != 0 && is_one_host && !destination.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdSocket;
    use std::time::Duration;

    use super::*;

    fn ports() -> (mio::Poll, Ports, Arc<Counters>) {
        let poll = mio::Poll::new().expect("a poll");
        let counters = Arc::new(Counters::default());
        let ports = Ports::open(poll.registry(), Arc::clone(&counters)).expect("sockets");
        (poll, ports, counters)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn peer() -> StdSocket {
        let socket = StdSocket::bind("127.0.0.1:0").expect("a socket");
        let wait = Some(Duration::from_secs(5));
        socket.set_read_timeout(wait).expect("a timeout");
        socket
    }

    fn here(ports: &Ports) -> SocketAddr {
        ports.at(Ipv4Addr::LOCALHOST.into()).expect("IPv4")
    }

    fn sum(counters: &Counters) -> super::super::EngineStatistics {
        let mut sum = Default::default();
        counters.add_to(&mut sum);
        sum
    }

    #[test]
    fn a_batch_arrives_as_datagrams_from_the_source_address() {
        let (_poll, mut ports, counters) = ports();
        let peer = peer();
        let to = peer.local_addr().expect("an address");
        let from = here(&ports);
        for (number, size) in [1_000, 1_000, 1_000, 400, 1_100].into_iter().enumerate() {
            ports.send(from, to, &vec![number as u8; size]);
        }
        ports.flush();
        let mut buffer = [0; 2_000];
        for (number, size) in [1_000, 1_000, 1_000, 400, 1_100].into_iter().enumerate() {
            let (length, source) = peer.recv_from(&mut buffer).expect("it arrives");
            assert_eq!((length, source), (size, from));
            assert_eq!(buffer[0], number as u8);
        }
        assert_eq!(sum(&counters).datagrams_sent, 5);
        assert!(sum(&counters).send_calls <= 5);
    }

    #[test]
    fn what_arrives_is_shown_with_both_addresses() {
        let (mut poll, mut ports, counters) = ports();
        let peer = peer();
        let from = peer.local_addr().expect("an address");
        let to = here(&ports);
        for number in 0..40u8 {
            peer.send_to(&[number; 100], to).expect("it is sent");
        }
        let mut got = Vec::new();
        let mut received = Received::new();
        let mut events = mio::Events::with_capacity(8);
        while got.len() < 40 {
            let wait = Some(Duration::from_secs(5));
            if !ports.may_have_more() {
                poll.poll(&mut events, wait).expect("it wakes");
                assert!(!events.is_empty(), "in time");
            }
            for event in &events {
                ports.is_readable(event.token());
            }
            ports.receive(&mut received, later(), |_, received| {
                for (source, destination, datagram) in received.datagrams() {
                    assert_eq!((source, destination), (from, to));
                    assert_eq!(datagram.len(), 100);
                    got.push(datagram[0]);
                }
            });
        }
        assert!(got.iter().copied().eq(0..40));
        assert_eq!(sum(&counters).datagrams_received, 40);
    }

    #[test]
    fn a_flood_is_read_in_one_turn_and_not_without_end() {
        let (_poll, mut ports, _) = ports();
        let peer = peer();
        let to = here(&ports);
        let mut received = Received::new();
        let mut came = 0;
        for number in 0..20 {
            // Fewer than the smallest buffer holds.
            for _ in 0..100 {
                peer.send_to(&[number; 20], to).expect("it is sent");
            }
            ports.is_readable(mio::Token(0));
            let mut turn = 0;
            ports.receive(&mut received, later(), |_, received| {
                turn += received.datagrams().count();
            });
            assert!((100..=DATAGRAMS_AT_ONCE).contains(&turn), "{turn}");
            came += turn;
        }
        assert_eq!(came, 2_000);
    }

    #[test]
    fn a_turn_ends_in_time_and_the_rest_is_read_in_the_next() {
        let (_poll, mut ports, _) = ports();
        let peer = peer();
        let to = here(&ports);
        for _ in 0..100 {
            peer.send_to(&[0; 20], to).expect("it is sent");
        }
        let mut received = Received::new();
        let (mut came, mut turns) = (0, 0);
        while ports.may_have_more() {
            let mut turn = 0;
            ports.receive(&mut received, Instant::now(), |_, received| {
                turn += received.datagrams().count();
            });
            turns += 1;
            came += turn;
        }
        assert_eq!(came, 100);
        assert!(turns > 100 / DATAGRAMS_AT_ONCE + 1, "{turns}");
    }

    #[test]
    fn addresses_that_make_no_sense_do_not_spoil_the_others() {
        let (_poll, mut ports, counters) = ports();
        let from = here(&ports);
        let peer = peer();
        let to = peer.local_addr().expect("an address");
        let senseless = [
            "127.0.0.1:0",
            "0.0.0.0:9",
            "224.0.0.1:9",
            "255.255.255.255:9",
            "[::]:9",
            "[ff02::1]:9",
            "[::ffff:127.0.0.1]:9",
        ];
        for destination in senseless {
            ports.send(from, destination.parse().expect("an address"), &[0; 10]);
        }
        // One that is not ours any more.
        let gone = "192.0.2.1:9".parse().expect("an address");
        ports.send(gone, to, &[0; 10]);
        ports.send(gone, to, &[0; 10]);
        ports.flush();
        assert_eq!(
            sum(&counters).datagrams_not_sent,
            senseless.len() as u64 + 2
        );
        let state = |ports: &Ports| ports.ports[0].as_ref().map(|port| port.max_segments());
        let (_poll, untouched, _) = self::ports();
        assert_eq!(state(&ports), state(&untouched), "segmentation goes on");
        ports.send(from, to, &[7; 10]);
        ports.flush();
        let mut buffer = [0; 20];
        assert_eq!(peer.recv(&mut buffer).expect("it arrives"), 10);
    }
}
