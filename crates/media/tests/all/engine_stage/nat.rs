//! A NAT between a viewer and the engine, on the loopback interface: its outer address can change, it can
//! forget to read, and others can send as if they were behind it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a thread waits before it looks whether anything has changed.
const TURN: Duration = Duration::from_millis(20);

pub struct Nat {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    engine: SocketAddr,
    inner: UdpSocket,
    /// The viewer, once it has sent something.
    viewer: Mutex<Option<SocketAddr>>,
    outer: Mutex<Arc<UdpSocket>>,
    frozen: AtomicBool,
    stopped: AtomicBool,
}

impl Nat {
    /// Viewers that send to its inner address reach the engine at this.
    pub fn new(engine: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            engine,
            inner: socket(),
            viewer: Mutex::default(),
            outer: Mutex::new(Arc::new(socket())),
            frozen: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let run = |run: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || run(&shared))
        };
        let threads = vec![run(Shared::outwards), run(Shared::inwards)];
        Self { shared, threads }
    }

    pub fn inner(&self) -> SocketAddr {
        self.shared.inner.local_addr().expect("an address")
    }

    /// Changes the outer address; nobody is at the old one any more.
    pub fn move_on(&self) {
        *lock(&self.shared.outer) = Arc::new(socket());
    }

    /// From now on nothing passes, and nothing is read.
    pub fn freeze(&self) {
        self.shared.frozen.store(true, Ordering::Relaxed);
    }

    /// Sends something to the engine as if the viewer had.
    pub fn forge(&self, datagram: &[u8]) {
        // A full socket loses it.
        let _ = self.shared.outer().send_to(datagram, self.shared.engine);
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn outwards(&self) {
        let mut buffer = [0; 2_000];
        while self.goes_on() {
            if let Ok((length, viewer)) = self.inner.recv_from(&mut buffer) {
                *lock(&self.viewer) = Some(viewer);
                let _ = self.outer().send_to(&buffer[..length], self.engine);
            }
        }
    }

    fn inwards(&self) {
        let mut buffer = [0; 2_000];
        while self.goes_on() {
            let received = self.outer().recv_from(&mut buffer);
            let viewer = *lock(&self.viewer);
            if let (Ok((length, _)), Some(viewer)) = (received, viewer) {
                let _ = self.inner.send_to(&buffer[..length], viewer);
            }
        }
    }

    /// False once it is over; waits while it is frozen.
    fn goes_on(&self) -> bool {
        while self.frozen.load(Ordering::Relaxed) && !self.stopped.load(Ordering::Relaxed) {
            thread::sleep(TURN);
        }
        !self.stopped.load(Ordering::Relaxed)
    }

    fn outer(&self) -> Arc<UdpSocket> {
        Arc::clone(&lock(&self.outer))
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(TURN)).expect("a timeout");
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
