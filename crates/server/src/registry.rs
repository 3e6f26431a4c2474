//! The hub of a protocol and the outbound queues of its peers, behind one lock.
//!
//! The lock is held while the hub decides and while its messages go into the queues, so that every
//! peer is notified of events in the order in which they happened. Nothing under the lock waits.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_tungstenite::tungstenite::Message;

use crate::close_reason::CloseReason;
use crate::outbound::Outbound;

/// The state machine of a protocol, as a registry drives it. It puts its messages into the queues that it is passed.
pub(crate) trait SignallingHub: Debug + Send + 'static {
    /// A connection's key in the hub.
    type Key: Clone + Debug + Display + Eq + Hash + Send;
    /// A message, read before the lock is taken.
    type Incoming<'a>;
    type Policy;
    type Snapshot;

    /// Whether a connection has to register by a first message.
    const NEEDS_REGISTRATION: bool;

    /// Takes a new connection, and lets wait in its queue what it is to get first.
    fn connect(&mut self, queue: &Outbound) -> Result<Self::Key, CloseReason>;

    /// Reads a text or binary message of the peer `from`.
    fn read<'a>(from: &Self::Key, message: &'a Message) -> Self::Incoming<'a>;

    /// Takes a message that was read, or returns why its connection is to end.
    fn handle(
        &mut self,
        from: &Self::Key,
        message: &Message,
        incoming: Self::Incoming<'_>,
        queues: &Queues<Self::Key>,
    ) -> Result<Received, CloseReason>;

    /// The name under which a connection has registered, once it has. Clients choose it: it is quoted and escaped.
    fn registered_name(&self, _: &Self::Key) -> Option<String> {
        None
    }

    fn disconnect(&mut self, key: &Self::Key, queues: &Queues<Self::Key>);

    fn set_policy(&mut self, policy: Self::Policy);

    /// Whether [`connect`](Self::connect) would fail.
    fn is_full(&self) -> bool;

    fn snapshot(&self) -> Self::Snapshot;

    /// The number of things that it keeps: none when nobody is connected.
    #[cfg(any(test, fuzzing))]
    fn remembered(&self) -> usize;
}

/// The result of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Understood,
    /// It belongs to a session that another peer started, which pays for it.
    Answer,
    /// It was dropped, or answered with an error that says so.
    Malformed,
}

/// A hub, and the queues of its peers.
#[derive(Debug)]
pub(crate) struct Registry<H: SignallingHub> {
    inner: Mutex<Inner<H>>,
    /// Why no connection is taken any more; written under the lock.
    closing: OnceLock<CloseReason>,
}

#[derive(Debug)]
struct Inner<H: SignallingHub> {
    hub: H,
    queues: Queues<H::Key>,
}

/// The outbound queues of the peers of a hub.
#[derive(Debug)]
pub(crate) struct Queues<K>(HashMap<K, Arc<Outbound>>);

impl<K: Eq + Hash> Queues<K> {
    /// The queue of a peer.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&Arc<Outbound>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }
}

impl<H: SignallingHub> Registry<H> {
    pub(crate) fn new(hub: H) -> Self {
        let queues = Queues(HashMap::new());
        Self {
            inner: Mutex::new(Inner { hub, queues }),
            closing: OnceLock::new(),
        }
    }

    /// Takes a new connection with an empty queue.
    pub(crate) fn connect(
        self: Arc<Self>,
        outbound: impl Into<Arc<Outbound>>,
    ) -> Result<(Peer<H>, Arc<Outbound>), CloseReason> {
        let outbound = outbound.into();
        let mut inner = self.lock();
        if let Some(reason) = self.closing.get() {
            return Err(reason.clone());
        }
        let key = inner.hub.connect(&outbound)?;
        inner.queues.0.insert(key.clone(), Arc::clone(&outbound));
        drop(inner);
        let peer = Peer {
            registry: self,
            key,
            name: None,
        };
        Ok((peer, outbound))
    }

    /// Closes every connection, and all that come later, for the same reason. None is notified of the end of another in
    /// between: a peer that loses its server may keep its sessions, and one that is notified of their end may not.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let inner = self.lock();
        let reason = self.closing.get_or_init(|| reason.clone());
        #[expect(clippy::iter_over_hash_type, reason = "peers cannot see the order")]
        for queue in inner.queues.0.values() {
            queue.close(reason.clone());
        }
    }

    /// Calls `look` with the hub and the queues. It may copy as much as a page of a list holds: every message waits.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&H, &Queues<H::Key>) -> R) -> R {
        let inner = self.lock();
        look(&inner.hub, &inner.queues)
    }

    /// Calls `change` with the hub and the queues.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut H, &Queues<H::Key>) -> R) -> R {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        change(hub, queues)
    }

    /// Closes the connection of a peer. For all others it has left already when this returns. Returns whether it was
    /// there.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q, reason: CloseReason) -> bool
    where
        H::Key: Borrow<Q>,
    {
        let mut inner = self.lock();
        let Inner { hub, queues } = &mut *inner;
        let Some((key, queue)) = queues.0.remove_entry(key) else {
            return false;
        };
        hub.disconnect(&key, queues);
        queue.close(reason);
        true
    }

    /// Changes the policy from now on.
    pub(crate) fn set_policy(&self, policy: H::Policy) {
        self.lock().hub.set_policy(policy);
    }

    /// Whether the next connection would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().hub.is_full()
    }

    /// The numbers of what there is now.
    pub(crate) fn snapshot(&self) -> H::Snapshot {
        self.lock().hub.snapshot()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<H>> {
        // A panic in the hub is a bug, but must not take down those who are connected.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in the registry. It leaves when this is dropped, whatever happens: a panic must not leave a peer
/// behind that is not connected.
#[derive(Debug)]
pub(crate) struct Peer<H: SignallingHub> {
    registry: Arc<Registry<H>>,
    key: H::Key,
    /// The name that it has registered, in protocols in which it has to.
    name: Option<String>,
}

impl<H: SignallingHub> Peer<H> {
    /// Takes a text or binary message. Never waits.
    pub(crate) fn receive(&mut self, message: &Message) -> Result<Received, CloseReason> {
        let incoming = H::read(&self.key, message);
        let mut inner = self.registry.lock();
        let Inner { hub, queues } = &mut *inner;
        let received = hub.handle(&self.key, message, incoming, queues)?;
        if H::NEEDS_REGISTRATION && self.name.is_none() {
            self.name = hub.registered_name(&self.key);
        }
        Ok(received)
    }

    /// Whether the peer has yet to register.
    pub(crate) fn must_register(&self) -> bool {
        H::NEEDS_REGISTRATION && self.name.is_none()
    }

    pub(crate) fn key(&self) -> &H::Key {
        &self.key
    }
}

impl<H: SignallingHub> Drop for Peer<H> {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        let Inner { hub, queues } = &mut *inner;
        queues.0.remove(&self.key);
        hub.disconnect(&self.key, queues);
    }
}

/// Its name in logs.
impl<H: SignallingHub> Display for Peer<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => Display::fmt(&self.key, f),
        }
    }
}

#[cfg(any(test, fuzzing))]
#[expect(clippy::iter_over_hash_type, reason = "peers cannot see the order")]
impl<H: SignallingHub> Registry<H> {
    /// What waits for each peer.
    pub(crate) fn waiting(&self) -> Vec<crate::backlog::Waiting> {
        let mut waiting = Vec::new();
        for queue in self.lock().queues.0.values() {
            waiting.push(queue.waiting());
        }
        waiting
    }

    /// The number of things that it keeps: none when nobody is connected.
    pub(crate) fn remembered(&self) -> usize {
        let Inner { hub, queues } = &*self.lock();
        hub.remembered() + queues.0.len()
    }
}
