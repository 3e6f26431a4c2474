//! Sockets and threads around the sessions.
//!
//! # Contract
//!
//! * An [`Engine`] is a few threads, the shards, each with a UDP port of its own. Sessions live on them;
//!   their number does not change the number of threads. The threads end when the last handle of the
//!   engine and the last [`Publication`] are gone.
//! * An element makes a [`Publication`] and calls it from any thread. Nothing there waits but
//!   [`close`](Publication::close) and [`statistics`](Publication::statistics). Calls about one viewer
//!   take effect in their order. A [`ViewerId`] is used once in a publication.
//! * What happens comes as [`PublicationEvent`]s, on the threads of the shards. The closure that takes them
//!   must not block, panic or wait for the engine. It returns an event for which it has no room now. Then
//!   [`Estimate`](ViewerEvent::Estimate) and [`KeyFrameWanted`](ViewerEvent::KeyFrameWanted) are dropped,
//!   because they come again; all others are offered again a little later, in order.
//! * A panic in a shard, or in the closure on its thread, ends the sessions of that shard with
//!   [`ShardFailed`](crate::session::InternalError::ShardFailed) and is counted. Another shard takes its place, on the same port.
//! * Every viewer that was added ends with one [`Ended`](ViewerEvent::Ended), whoever ended it, unless the
//!   publication is closed: then each is offered once.
//!
//! A [`Subscription`] is the other way round: one peer that sends, its packets in a queue, and its events to a closure as
//! above.
//!
//! Under a [`ViewerId`] that has ended, and for one that was never added, nothing happens.

mod admission;
mod batch;
mod budget;
mod candidates;
mod deadlines;
mod demultiplexer;
mod events;
mod inbox;
mod pli_throttle;
mod port;
mod publication;
mod shard;
mod socket;
mod statistics;
mod stun;
mod stun_servers;
mod subscription;
mod supervision;
mod thread;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use admission::Admission;
pub use budget::{
    CHECKS_AT_ONCE, CHECKS_PER_SECOND, RECEIVED_PACKETS_AT_ONCE, RECEIVED_PACKETS_PER_SECOND,
    UNKNOWN_SOURCE_CHECKS_AT_ONCE, UNKNOWN_SOURCE_CHECKS_PER_SECOND,
    UNKNOWN_SOURCES_CHECKS_AT_ONCE, UNKNOWN_SOURCES_CHECKS_PER_SECOND, VIEWER_ADDRESS_INTERVAL,
    VIEWER_ADDRESSES_AT_ONCE, VIEWER_CHECK_INTERVAL, VIEWER_CHECKS_AT_ONCE, VIEWER_CHECKS_RESERVED,
    VIEWER_WORK_AT_ONCE, VIEWER_WORK_PER_SECOND,
};
pub use candidates::MAX_HOST_CANDIDATES;
pub use demultiplexer::ADDRESS_KEPT;
use events::PacketListener;
pub use events::{ESTIMATE_INTERVAL, MAX_WAITING_EVENTS, PublicationEvent, ViewerEvent};
pub use inbox::{MAX_REFUSED_VIEWERS, MAX_WAITING_COMMANDS, MAX_WAITING_FRAMES};
pub use pli_throttle::PLI_INTERVAL;
pub use publication::{Publication, PublicationConfig};
pub use statistics::EngineStatistics;
pub use stun_servers::MAX_STUN_SERVERS;
pub use subscription::{MAX_WAITING_PACKETS, Subscription, SubscriptionEvent};

use crate::ids::{StreamId, ViewerId};
use crate::session::SessionStatistics;
use inbox::{Command, Inbox};
use publication::{PublicationKey, Shared};
use stun_servers::StunServers;

/// More shards than this are no use before the network is full.
const MAX_DEFAULT_SHARDS: usize = 8;

/// How to run an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How many threads and ports.
    pub shards: NonZeroUsize,
    /// The addresses of this machine that are offered as host candidates; if there are none, every usable
    /// one: up, not loopback, link-local or of a bridge to containers, and at most
    /// [`MAX_HOST_CANDIDATES`].
    pub addresses: Vec<IpAddr>,
    /// How many viewers there are at most, of all publications; none for no limit.
    pub max_viewers: Option<NonZeroUsize>,
}

/// Runs sessions. A handle; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    threads: Arc<Threads>,
}

/// A handle of an engine that does not keep it running.
#[derive(Clone, Debug, Default)]
pub struct WeakEngine(Weak<Threads>);

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The system gave no UDP socket, neither for IPv4 nor for IPv6.
    #[error("no UDP socket: {0}; are there too many open files, or is the network forbidden?")]
    Socket(#[source] io::Error),
    /// The system gave no thread, or nothing to wait with.
    #[error("no thread for media: {0}")]
    Thread(#[source] io::Error),
    /// The configuration names an address at which nobody can be reached.
    #[error("{0} cannot be offered: it is unspecified, of a group, or valid on one link only")]
    Address(IpAddr),
}

/// Who begins, with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// We offer.
    Offer,
    /// The viewer offered.
    Answer {
        /// Its offer (SDP).
        offer: String,
        /// Codecs that already run: see [`Session::answer`](crate::session::Session::answer).
        preferred: Vec<(StreamId, u32)>,
    },
}

type StatisticsReply = Vec<(ViewerId, SessionStatistics)>;

/// The ways into the shards, which stop when it is dropped.
struct Threads {
    inboxes: Vec<Arc<Inbox>>,
    stun_servers: StunServers,
    next_publication: AtomicU64,
    admission: Arc<Admission>,
}

impl Default for EngineConfig {
    /// Half the processors, at least one and at most eight; every usable address; any number of viewers.
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        let shards = (processors / 2).clamp(1, MAX_DEFAULT_SHARDS);
        Self {
            shards: NonZeroUsize::new(shards).unwrap_or(NonZeroUsize::MIN),
            addresses: Vec::new(),
            max_viewers: None,
        }
    }
}

impl Engine {
    /// Starts an engine of its own.
    ///
    /// # Errors
    ///
    /// The system gives no sockets or threads, or an address cannot be offered.
    pub fn start(config: EngineConfig) -> Result<Self, EngineError> {
        let EngineConfig {
            shards,
            addresses,
            max_viewers,
        } = config;
        let mut addresses_to_offer = addresses.iter();
        if let Some(address) = addresses_to_offer.find(|it| !candidates::can_be_offered(**it)) {
            return Err(EngineError::Address(*address));
        }
        let mut threads = Threads {
            inboxes: Vec::with_capacity(shards.get()),
            stun_servers: StunServers::default(),
            next_publication: AtomicU64::new(0),
            admission: Arc::new(Admission::new(max_viewers)),
        };
        // Those that were started stop when this is dropped.
        for number in 0..shards.get() {
            let inbox = thread::start(number, shards.get(), addresses.clone())?;
            threads.inboxes.push(inbox);
        }
        Ok(Self {
            threads: Arc::new(threads),
        })
    }

    /// A handle that does not keep the engine running.
    pub fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.threads))
    }

    /// Begins to publish. `events` takes what happens to viewers; see the [module](self).
    pub fn publish(
        &self,
        config: PublicationConfig,
        events: impl Fn(PublicationEvent) -> Result<(), PublicationEvent> + Send + Sync + 'static,
    ) -> Publication {
        self.publish_and_receive(config, events, None)
    }

    fn publish_and_receive(
        &self,
        config: PublicationConfig,
        events: impl Fn(PublicationEvent) -> Result<(), PublicationEvent> + Send + Sync + 'static,
        packets: Option<Box<PacketListener>>,
    ) -> Publication {
        let threads = Arc::clone(&self.threads);
        let number = threads.next_publication.fetch_add(1, Ordering::Relaxed);
        let stun_server = config.stun_server.and_then(|name| {
            let inboxes = threads.inboxes.clone();
            threads.stun_servers.get(&name, move |server| {
                for inbox in &inboxes {
                    inbox.ask_all(Command::StunResolved(Arc::clone(&server)));
                }
            })
        });
        let shared = Shared::new(
            PublicationKey(number),
            Box::new(events),
            packets,
            stun_server,
            [
                Arc::new(Admission::new(config.max_viewers)),
                Arc::clone(&threads.admission),
            ],
            threads.inboxes.len(),
        );
        Publication::new(Arc::new(shared), threads)
    }

    /// What the engine counted.
    pub fn statistics(&self) -> EngineStatistics {
        let mut sum = EngineStatistics::default();
        for inbox in &self.threads.inboxes {
            inbox.counters.add_to(&mut sum);
        }
        sum.viewers = self.threads.admission.inside() as u64;
        sum
    }
}

impl WeakEngine {
    /// The engine, if it is still there.
    pub fn upgrade(&self) -> Option<Engine> {
        let threads = self.0.upgrade()?;
        Some(Engine { threads })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("shards", &self.threads.inboxes.len())
            .finish_non_exhaustive()
    }
}

impl Threads {
    fn inboxes(&self) -> &[Arc<Inbox>] {
        &self.inboxes
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for inbox in &self.inboxes {
            inbox.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_cannot_be_offered_is_refused() {
        for bad in ["0.0.0.0", "::", "224.0.0.1", "169.254.0.1"] {
            let address = bad.parse().expect("an address");
            let config = EngineConfig {
                addresses: vec![address],
                ..EngineConfig::default()
            };
            let refused = Engine::start(config).expect_err("it is none");
            assert!(matches!(refused, EngineError::Address(it) if it == address));
        }
    }

    #[test]
    fn the_default_is_few_shards() {
        let shards = EngineConfig::default().shards.get();
        assert!((1..=MAX_DEFAULT_SHARDS).contains(&shards));
    }
}
