//! Senders that call over TCP: of those that come, the first that sends anything.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long a caller may take to send its first byte, while others wait behind it.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(2);

/// A port that is listened on, until it is dropped or a sender came.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Listener {
    /// Listens at a host, or at every address, and passes the first sender to `then` on a thread of its own.
    pub(super) fn start(
        host: Option<&str>,
        port: u16,
        then: impl FnOnce(TcpStream) + Send + 'static,
    ) -> io::Result<Self> {
        let listener = listen(host, port)?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_over);
        thread::Builder::new()
            .name("tcp-listener".to_owned())
            .spawn(move || {
                if let Some(sender) = first_sender(&listener, &ended) {
                    ended.store(true, Ordering::SeqCst);
                    drop(listener);
                    then(sender);
                }
            })?;
        Ok(Self { address, is_over })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        // Its thread waits for somebody to call.
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let _ = TcpStream::connect_timeout(&address, FIRST_BYTE_TIMEOUT);
    }
}

fn listen(host: Option<&str>, port: u16) -> io::Result<TcpListener> {
    match host {
        Some(host) => {
            let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
            TcpListener::bind(&addresses[..])
        }
        // Both families, where there is IPv6.
        None => TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))),
    }
}

/// None when it is over.
fn first_sender(listener: &TcpListener, is_over: &AtomicBool) -> Option<TcpStream> {
    loop {
        let caller = listener.accept();
        if is_over.load(Ordering::SeqCst) {
            return None;
        }
        let Ok((caller, _)) = caller else {
            // Out of descriptors, as a rule: some may come back.
            thread::sleep(FIRST_BYTE_TIMEOUT);
            continue;
        };
        let sends = caller
            .set_read_timeout(Some(FIRST_BYTE_TIMEOUT))
            .and_then(|()| caller.peek(&mut [0]))
            .is_ok_and(|bytes| bytes > 0);
        if is_over.load(Ordering::SeqCst) {
            return None;
        }
        if sends {
            return caller.set_read_timeout(None).is_ok().then_some(caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn caller_that_sends_nothing_does_not_keep_others_out() {
        let (sender, senders) = channel();
        let listener = Listener::start(Some("127.0.0.1"), 0, move |stream| {
            let _ = sender.send(stream);
        });
        let listener = listener.expect("it listens");
        let _silent = TcpStream::connect(listener.address).expect("it is taken");
        drop(TcpStream::connect(listener.address).expect("it is taken"));
        let mut real = TcpStream::connect(listener.address).expect("it is taken");
        real.write_all(b"x").expect("it is sent");
        let came = senders.recv_timeout(10 * FIRST_BYTE_TIMEOUT);
        let came = came.expect("the one that sends");
        assert_eq!(came.peer_addr().ok(), real.local_addr().ok());
    }

    #[test]
    fn listener_that_is_dropped_gives_its_port_back() {
        let listener = Listener::start(Some("127.0.0.1"), 0, |_| ()).expect("it listens");
        let address = listener.address;
        drop(listener);
        let end = std::time::Instant::now() + 10 * FIRST_BYTE_TIMEOUT;
        while TcpListener::bind(address).is_err() {
            assert!(std::time::Instant::now() < end, "the port is still taken");
            thread::yield_now();
        }
    }
}
