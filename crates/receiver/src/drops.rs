//! Datagrams that the system dropped because nobody read them in time.

use std::fs;
use std::net::SocketAddr;

/// Where Linux counts them, for each socket of this network namespace (proc(5)).
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// Of all sockets at these addresses; none where the system does not count them.
pub(super) fn dropped(ours: &[SocketAddr]) -> Option<u64> {
    let mut ports: Vec<_> = ours.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    let mut tables = TABLES
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    let first = tables.next()?;
    Some(tables.fold(sum(&first, &ports), |dropped, table| {
        dropped + sum(&table, &ports)
    }))
}

/// The ports are in order.
fn sum(table: &str, ports: &[u16]) -> u64 {
    let of_line = |line: &str| {
        let mut columns = line.split_whitespace();
        let (_, port) = columns.nth(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        ports.binary_search(&port).ok()?;
        columns.last()?.parse::<u64>().ok()
    };
    table.lines().skip(1).filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_from_the_systems_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            1: 0100007F:1388 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 0 7\n\
            2: 0100007F:1389 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 0 5\n\
            3: 00000000000000000000000001000000:138A 0:0 07 0:0 00:0 0     0        0 18 2 0 2\n\
            nonsense\n";
        assert_eq!(sum(table, &[5_000, 5_002]), 9);
        assert_eq!(sum(table, &[]), 0);
    }

    #[test]
    fn a_socket_that_is_not_read_drops() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        socket2::SockRef::from(&socket)
            .set_recv_buffer_size(1)
            .expect("a small buffer");
        if dropped(&[address]).is_none() {
            return;
        }
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for _ in 0..100 {
            sender.send_to(&[0; 1_000], address).expect("sent");
        }
        assert!(dropped(&[address]) > Some(0));
    }
}
