//! Many viewers on one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use mio::{Events, Poll, Registry, Token, Waker};
use wigwag_media::udp::{RECEIVE_BUFFERS, Received};

use super::drops;
use super::socket::Socket;
use super::{Receiver, ReceiverError, ReceiverReport, ReceiverSettings, StreamKind};

/// Addresses at most that one viewer listens on.
pub const MAX_ADDRESSES: usize = 8;

/// No viewer has this token: there are never that many.
const WAKER: Token = Token(usize::MAX);

/// Calls in a row for one viewer, so that one that is flooded does not hold up the others.
const MAX_CALLS: usize = 64;

/// Events of the system in one go.
const MAX_EVENTS: usize = 1_024;

/// One viewer of [`Receivers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiverId(usize);

/// Many viewers on one thread, each with sockets of its own. The thread ends when this is dropped.
pub struct Receivers {
    running: Arc<Mutex<Running>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

struct Running {
    registry: Registry,
    receivers: BTreeMap<ReceiverId, WithSockets>,
    deadlines: BTreeSet<(Instant, ReceiverId)>,
    /// Sockets that may have more than was read in their turn.
    unread: Vec<Token>,
    next: usize,
    stop: bool,
}

struct WithSockets {
    receiver: Receiver,
    sockets: Vec<Socket>,
    deadline: Option<Instant>,
}

impl Receivers {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system gives none, or nothing to wait with.
    pub fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let running = Arc::new(Mutex::new(Running {
            registry: poll.registry().try_clone()?,
            receivers: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            unread: Vec::new(),
            next: 0,
            stop: false,
        }));
        let shared = Arc::clone(&running);
        let thread = std::thread::Builder::new()
            .name("wigwag-viewers".to_owned())
            .spawn(move || run(poll, &shared))?;
        Ok(Self {
            running,
            waker,
            thread: Some(thread),
        })
    }

    /// Adds a viewer that listens on these addresses and takes the sender's offer; returns its answer.
    ///
    /// # Errors
    ///
    /// There is no socket to be had, or the offer cannot be used.
    pub fn answer(
        &self,
        addresses: &[IpAddr],
        offer: &str,
    ) -> Result<(ReceiverId, String), ReceiverError> {
        self.answer_with(&ReceiverSettings::default(), addresses, offer)
    }

    /// As [`answer`](Self::answer), with settings.
    ///
    /// # Errors
    ///
    /// There is no socket to be had, or the offer cannot be used.
    pub fn answer_with(
        &self,
        settings: &ReceiverSettings,
        addresses: &[IpAddr],
        offer: &str,
    ) -> Result<(ReceiverId, String), ReceiverError> {
        self.add(settings, addresses, |receiver, now| {
            receiver.answer(offer, now)
        })
    }

    /// Adds a viewer that listens on these addresses and offers to receive these streams; returns its
    /// offer.
    ///
    /// # Errors
    ///
    /// There is no socket to be had, or nothing to offer.
    pub fn offer(
        &self,
        addresses: &[IpAddr],
        kinds: &[StreamKind],
    ) -> Result<(ReceiverId, String), ReceiverError> {
        self.offer_with(&ReceiverSettings::default(), addresses, kinds)
    }

    /// As [`offer`](Self::offer), with settings.
    ///
    /// # Errors
    ///
    /// There is no socket to be had, or nothing to offer.
    pub fn offer_with(
        &self,
        settings: &ReceiverSettings,
        addresses: &[IpAddr],
        kinds: &[StreamKind],
    ) -> Result<(ReceiverId, String), ReceiverError> {
        self.add(settings, addresses, |receiver, now| {
            receiver.offer(kinds, now)
        })
    }

    /// Datagrams that the system dropped because they were not read in time, of all viewers that are there.
    /// Only Linux counts them.
    pub fn dropped_datagrams(&self) -> Option<u64> {
        let running = lock(&self.running);
        let receivers = running.receivers.values();
        let sockets = receivers.flat_map(|receiver| &receiver.sockets);
        let addresses: Vec<_> = sockets.map(|socket| socket.local).collect();
        drop(running);
        drops::dropped(&addresses)
    }

    /// Takes a further offer of the sender; returns the answer.
    ///
    /// # Errors
    ///
    /// It cannot be used, or the viewer is gone.
    pub fn answer_again(&self, id: ReceiverId, offer: &str) -> Result<String, ReceiverError> {
        self.with(id, |receiver, now| receiver.answer(offer, now))?
    }

    /// Takes the sender's answer.
    ///
    /// # Errors
    ///
    /// It cannot be used, or the viewer is gone.
    pub fn accept_answer(&self, id: ReceiverId, answer: &str) -> Result<(), ReceiverError> {
        self.with(id, |receiver, now| receiver.handle_answer(answer, now))?
    }

    /// Takes a candidate of the sender.
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn add_candidate(&self, id: ReceiverId, candidate: &str) -> Result<(), ReceiverError> {
        self.with(id, |receiver, now| {
            receiver.handle_candidate(candidate, now);
        })
    }

    /// Has a viewer ask for key frames.
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn ask_for_key_frames(&self, id: ReceiverId) -> Result<(), ReceiverError> {
        self.with(id, Receiver::ask_for_key_frames)
    }

    /// Has a viewer send reports: see [`Receiver::send_reports`].
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn send_reports(
        &self,
        id: ReceiverId,
        write: impl FnOnce(&[u32]) -> Vec<u8>,
    ) -> Result<(), ReceiverError> {
        self.with(id, |receiver, _| receiver.send_reports(write))
    }

    /// What a viewer counted.
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn report(&self, id: ReceiverId) -> Result<ReceiverReport, ReceiverError> {
        let running = lock(&self.running);
        let with_sockets = running.receivers.get(&id).ok_or(ReceiverError::Gone)?;
        Ok(with_sockets.receiver.report())
    }

    /// Ends a viewer, which tells the sender, and returns what it counted.
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn close(&self, id: ReceiverId) -> Result<ReceiverReport, ReceiverError> {
        self.with(id, Receiver::close)?;
        self.vanish(id)
    }

    /// Removes a viewer without a word, as a crash would, and returns what it counted.
    ///
    /// # Errors
    ///
    /// The viewer is gone.
    pub fn vanish(&self, id: ReceiverId) -> Result<ReceiverReport, ReceiverError> {
        let mut running = lock(&self.running);
        let gone = running.receivers.remove(&id).ok_or(ReceiverError::Gone)?;
        if let Some(deadline) = gone.deadline {
            running.deadlines.remove(&(deadline, id));
        }
        Ok(gone.receiver.report())
    }

    fn add(
        &self,
        settings: &ReceiverSettings,
        addresses: &[IpAddr],
        begin: impl FnOnce(&mut Receiver, Instant) -> Result<String, ReceiverError>,
    ) -> Result<(ReceiverId, String), ReceiverError> {
        let mut running = lock(&self.running);
        let id = ReceiverId(running.next);
        let mut sockets = Vec::new();
        for (number, address) in addresses.iter().take(MAX_ADDRESSES).enumerate() {
            let token = Token(id.0 * MAX_ADDRESSES + number);
            let socket = Socket::open(&running.registry, *address, token);
            sockets.push(socket.map_err(|error| ReceiverError::Socket(error.to_string()))?);
        }
        running.next += 1;
        let now = Instant::now();
        let local: Vec<_> = sockets.iter().map(|socket| socket.local).collect();
        let mut receiver = Receiver::with(settings, &local, now)?;
        let sdp = begin(&mut receiver, now)?;
        let with_sockets = WithSockets {
            receiver,
            sockets,
            deadline: None,
        };
        running.receivers.insert(id, with_sockets);
        running.settle(id);
        drop(running);
        self.wake();
        Ok((id, sdp))
    }

    fn with<T>(
        &self,
        id: ReceiverId,
        operation: impl FnOnce(&mut Receiver, Instant) -> T,
    ) -> Result<T, ReceiverError> {
        let mut running = lock(&self.running);
        let with_sockets = running.receivers.get_mut(&id).ok_or(ReceiverError::Gone)?;
        let done = operation(&mut with_sockets.receiver, Instant::now());
        running.settle(id);
        drop(running);
        self.wake();
        Ok(done)
    }

    /// Deadlines may have changed.
    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the viewers cannot be woken");
        }
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        lock(&self.running).stop = true;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has said so.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Receivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receivers").finish_non_exhaustive()
    }
}

impl Running {
    fn read(&mut self, token: Token, received: &mut Received) {
        let id = ReceiverId(token.0 / MAX_ADDRESSES);
        let Some(with_sockets) = self.receivers.get_mut(&id) else {
            return;
        };
        let WithSockets {
            receiver, sockets, ..
        } = with_sockets;
        let Some(socket) = sockets.get(token.0 % MAX_ADDRESSES) else {
            return;
        };
        let mut calls = 0;
        loop {
            match socket.read(received) {
                Ok(filled) => {
                    let now = Instant::now();
                    for (source, destination, datagram) in received.datagrams() {
                        receiver.handle_datagram(source, destination, datagram, now);
                    }
                    // The system had no more; it says so when it has.
                    if filled < RECEIVE_BUFFERS {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Such as a port that is not reachable: it is of what was sent.
                Err(_) => {}
            }
            calls += 1;
            if calls == MAX_CALLS {
                self.unread.push(token);
                break;
            }
        }
        self.settle(id);
    }

    fn wake(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(with_sockets) = self.receivers.get_mut(&id) {
                with_sockets.deadline = None;
                with_sockets.receiver.handle_timeout(now);
                self.settle(id);
            }
        }
    }

    fn settle(&mut self, id: ReceiverId) {
        let Some(with_sockets) = self.receivers.get_mut(&id) else {
            return;
        };
        for transmit in with_sockets.receiver.poll_transmit() {
            let mut sockets = with_sockets.sockets.iter();
            if let Some(socket) = sockets.find(|socket| socket.local == transmit.source) {
                socket.send(transmit.destination, &transmit.contents);
            }
        }
        let deadline = with_sockets.receiver.poll_timeout();
        // It may be due already; then it is woken in the next turn, not in this.
        let deadline = deadline.map(|at| at.max(Instant::now()));
        if let Some(before) = std::mem::replace(&mut with_sockets.deadline, deadline) {
            self.deadlines.remove(&(before, id));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id));
        }
    }
}

fn run(mut poll: Poll, shared: &Mutex<Running>) {
    let mut events = Events::with_capacity(MAX_EVENTS);
    let mut received = Received::new();
    loop {
        let mut running = lock(shared);
        if running.stop {
            return;
        }
        for token in std::mem::take(&mut running.unread) {
            running.read(token, &mut received);
        }
        for event in &events {
            if event.token() != WAKER {
                running.read(event.token(), &mut received);
            }
        }
        let now = Instant::now();
        running.wake(now);
        let deadline = running.deadlines.first().map(|(at, _)| *at);
        let deadline = if running.unread.is_empty() {
            deadline
        } else {
            Some(now)
        };
        drop(running);
        let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            Err(error) => return tracing::error!(%error, "the viewers cannot wait"),
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
