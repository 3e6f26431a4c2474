//! The server, anew after each restart, and what is true of it at any time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::conditions::NetworkConditions;
use super::link::{Link, Quality};
use super::trace::{Departure, Trace};
use crate::config::Config;
use crate::in_memory::InMemoryServer;
use crate::limits::Limits;

/// How late anything may be for who reads over a good link, whatever the others do. Pieces take up to 30 ms, and some
/// wait for others.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// How often the queues are looked at.
const WATCH: Duration = Duration::from_millis(250);

pub(super) struct Simulation {
    pub(super) conditions: NetworkConditions,
    pub(super) limits: Limits,
    trace: Trace,
    start: Instant,
    epoch: AtomicU64,
    over: AtomicBool,
    is_over: Notify,
    /// The last one is running.
    servers: Mutex<Vec<Running>>,
}

/// One server, from a start to a restart.
#[derive(Clone)]
struct Running {
    server: InMemoryServer,
    links: Arc<Mutex<Vec<Link>>>,
}

impl Simulation {
    pub(super) fn new(conditions: NetworkConditions) -> Self {
        #[allow(clippy::needless_update, reason = "limits may be added")]
        let limits = Limits {
            max_connections: 200,
            max_message_bytes: 16 * 1024,
            max_queued_bytes: 64 * 1024,
            max_queued_messages: 256,
            handshake_timeout: Duration::from_secs(4),
            hello_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(8),
            pong_timeout: Duration::from_secs(4),
            close_timeout: Duration::from_secs(2),
            shutdown_timeout: Duration::from_secs(3),
            // All are counted as strangers are. The rates are those of any server, which nobody here comes near.
            exempt_loopback: false,
            ..Limits::default()
        };
        Self {
            conditions,
            servers: Mutex::new(vec![Running::new(&limits)]),
            limits,
            trace: Trace::default(),
            start: Instant::now(),
            epoch: AtomicU64::new(0),
            over: AtomicBool::new(false),
            is_over: Notify::new(),
        }
    }

    /// Since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Which server is running.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits so long, or until the run is over.
    pub(super) async fn pause(&self, duration: Duration) {
        if !self.is_over() {
            let _ = timeout(duration, self.is_over.notified()).await;
        }
    }

    /// Ends the run: the steady ones compare what they know, and all leave.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.is_over.notify_waiters();
    }

    /// A new connection to the server that is running. Waits as long as there is no room for it.
    pub(super) async fn connect(
        &self,
        quality: Quality,
        random: &mut StdRng,
    ) -> (DuplexStream, Link) {
        let (client, stream, link) = Link::new(quality, random);
        let server = self.servers().last().expect("there always is one").clone();
        server.lock_links().push(link.clone());
        server.server.accept(stream).await;
        (client, link)
    }

    /// Puts a new server in the place of the one that runs, which says goodbye or not.
    pub(super) fn restart(&self, kindly: bool) {
        let fresh = Running::new(&self.limits);
        let mut servers = self.servers();
        let former = servers.last().expect("there always is one").clone();
        servers.push(fresh);
        self.epoch.fetch_add(1, Ordering::Relaxed);
        drop(servers);
        if kindly {
            tokio::spawn(async move {
                former.server.stop().await;
                former.cut_all();
            });
        } else {
            former.cut_all();
        }
    }

    /// Somebody left, or cannot be heard any more from now on; all must hear of it after this time.
    pub(super) fn departed(&self, id: &str, epoch: u64, noticed_within: Duration) {
        let at = self.now();
        self.trace.note(Departure {
            id: id.to_owned(),
            epoch,
            at,
            deadline: at + noticed_within + SOON,
        });
    }

    pub(super) fn departures(&self, epoch: u64) -> Vec<Departure> {
        self.trace.departures(epoch)
    }

    /// How long a peer that is not heard any more can be connected.
    pub(super) fn patience(&self) -> Duration {
        self.limits.ping_interval + self.limits.pong_timeout
    }

    /// Looks, until the run is over, whether more waits anywhere than may.
    pub(super) async fn watch_queues(&self) {
        while !self.is_over() {
            for server in self.servers().iter() {
                for queue in server.server.waiting() {
                    assert!(queue.messages <= self.limits.max_queued_messages);
                    // One message may always wait.
                    let most = self.limits.max_queued_bytes + self.limits.max_message_bytes;
                    assert!(queue.bytes <= most, "{} bytes wait", queue.bytes);
                }
            }
            sleep(WATCH).await;
        }
    }

    /// Waits until every server has forgotten everyone, for as long as that may take.
    pub(super) async fn all_are_gone(&self) {
        let limits = &self.limits;
        let longest = self.patience()
            + limits.handshake_timeout
            + limits.hello_timeout
            + limits.close_timeout;
        let deadline = self.now() + longest + SOON;
        let servers = self.servers().clone();
        loop {
            let connected: usize = servers
                .iter()
                .map(|server| server.server.connections())
                .sum();
            if connected == 0 {
                break;
            }
            assert!(self.now() < deadline, "{connected} are still connected");
            sleep(WATCH).await;
        }
        for server in &servers {
            assert_eq!(server.server.remembered(), 0, "things of peers that left");
        }
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Running>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn new(limits: &Limits) -> Self {
        let policy = wigwag_hub::Policy {
            max_sessions_per_caller: 32,
            ..wigwag_hub::Policy::default()
        };
        let config = Config {
            limits: limits.clone(),
            policy,
            ..Config::default()
        };
        Self {
            server: InMemoryServer::new(&config).expect("a good configuration"),
            links: Arc::default(),
        }
    }

    fn cut_all(&self) {
        for link in self.lock_links().drain(..) {
            link.cut();
        }
    }

    fn lock_links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
