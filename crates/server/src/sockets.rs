//! Sockets that listen before the server is there.
//!
//! Their owner, such as a service manager, keeps them over a restart: clients that connect meanwhile wait in
//! their backlog instead of being refused.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};

use tokio::net::TcpListener;

use crate::error::StartError;
use crate::listen::listen;

/// Sockets that listen already, for [`Server::bind_with`](crate::Server::bind_with). One that is not given is made as
/// the configuration says; for one that is, host and port in the configuration do not count.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For the port of the JSON protocol, the page and `/text`.
    pub signalling: Option<StdTcpListener>,
    /// For the port of the text protocol alone; served also if the configuration names none.
    pub text: Option<StdTcpListener>,
    /// For the admin API; served also if the configuration names none, on the loopback interface.
    pub admin: Option<StdTcpListener>,
}

/// Takes over a socket, or listens, and returns the address.
pub(crate) async fn take_or_listen(
    socket: Option<StdTcpListener>,
    host: &str,
    port: u16,
) -> Result<(TcpListener, SocketAddr), StartError> {
    match socket {
        Some(socket) => take(socket).map_err(StartError::Socket),
        None => listen(host, port).await,
    }
}

fn take(socket: StdTcpListener) -> io::Result<(TcpListener, SocketAddr)> {
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    Ok((TcpListener::from_std(socket)?, address))
}
