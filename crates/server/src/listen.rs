//! Where a server listens, and how it is reached there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::error::StartError;

/// Connections that wait to be accepted, as far as the system lets so many wait (`net.core.somaxconn`, 4,096 by default on
/// Linux). One more is dropped, and its client calls again after a second: with the usual 1,024, a flood of connections had
/// others wait for that second.
const BACKLOG: u32 = 4_096;

/// Listens on the first address of a host that can be listened on, and says which.
pub(crate) async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let mut last_error = None;
    for address in resolve(host, port).await? {
        match bind(address).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => return Ok((listener, address)),
            Err(error) => last_error = Some(error),
        }
    }
    Err(match last_error {
        Some(source) => listen_error(without_brackets(host), port, source),
        None => resolve_error(host, io::ErrorKind::NotFound.into()),
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As usual for servers on Unix: what is left of connections of the server before does not keep the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Finds a port that is wanted twice, on hosts that have an address in common. Port 0 is another each time.
pub(crate) async fn check_apart(wanted: &[(&str, u16)]) -> Result<(), StartError> {
    for (place, &(host, port)) in wanted.iter().enumerate() {
        for &(other, other_port) in &wanted[..place] {
            if port == other_port && port != 0 && overlap(host, other, port).await? {
                return Err(StartError::SamePort { port });
            }
        }
    }
    Ok(())
}

async fn overlap(one: &str, other: &str, port: u16) -> Result<bool, StartError> {
    let others: Vec<_> = resolve(other, port).await?.collect();
    let mut ones = resolve(one, port).await?;
    Ok(ones.any(|one| {
        let one = one.ip().to_canonical();
        others.iter().any(|other| {
            let other = other.ip().to_canonical();
            one == other || is_of_all(one, other) || is_of_all(other, one)
        })
    }))
}

/// Whether who listens on `all` listens on the other address, too. `::` takes in IPv4.
fn is_of_all(all: IpAddr, address: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || address.is_ipv4())
}

/// The addresses of a host.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
) -> Result<impl Iterator<Item = SocketAddr>, StartError> {
    lookup_host((without_brackets(host), port))
        .await
        .map_err(|source| resolve_error(host, source))
}

/// The address for a client on this machine, also where every address is listened on.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Where clients reach what listens at an address, this machine itself first: every address of the machine if it listens
/// at all of them. Addresses of one link alone are left out: elsewhere they mean something else.
pub(crate) fn reached(address: SocketAddr) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let others = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback());
    let others = others.map(if_addrs::Interface::ip).filter(|ip| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => address.is_ipv6() && !ip.is_unicast_link_local(),
    });
    let mut reached = vec![reachable(address)];
    for ip in others {
        let other = SocketAddr::new(ip, address.port());
        if !reached.contains(&other) {
            reached.push(other);
        }
    }
    reached
}

pub(crate) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn resolve_error(host: &str, source: io::Error) -> StartError {
    StartError::Resolve {
        host: host.to_owned(),
        source,
    }
}

fn listen_error(host: &str, port: u16, source: io::Error) -> StartError {
    let address = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    StartError::Listen { address, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_listened_on_once() {
        for (one, other, is_apart) in [
            (("127.0.0.1", 1), ("127.0.0.1", 2), true),
            (("127.0.0.1", 1), ("127.0.0.1", 1), false),
            (("127.0.0.1", 0), ("127.0.0.1", 0), true),
            (("127.0.0.1", 1), ("127.0.0.2", 1), true),
            (("0.0.0.0", 1), ("127.0.0.1", 1), false),
            (("127.0.0.1", 1), ("0.0.0.0", 1), false),
            (("0.0.0.0", 1), ("::1", 1), true),
            (("[::]", 1), ("127.0.0.1", 1), false),
            (("::", 1), ("0.0.0.0", 1), false),
            (("[::1]", 1), ("::1", 1), false),
        ] {
            let checked = check_apart(&[one, other]).await;
            assert_eq!(checked.is_ok(), is_apart, "{one:?} {other:?} {checked:?}");
        }
    }

    #[test]
    fn every_address_is_reached_by_the_loopback_interface() {
        for (listens, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            let address = listens.parse().expect("an address");
            assert_eq!(reachable(address).to_string(), reached);
        }
    }
}
