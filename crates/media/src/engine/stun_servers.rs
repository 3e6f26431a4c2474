//! The STUN servers of an engine: their names are resolved on threads of their own, and each shard asks
//! them from its own sockets while it has sessions that want to know.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

use super::stun::{Mapping, StunGathering};

/// Servers that one engine knows at a time. Every publication names one at most.
pub const MAX_STUN_SERVERS: usize = 16;

/// A server, as a publication names it.
#[derive(Debug)]
pub(super) struct StunServer {
    /// `host:port`.
    name: String,
    /// One of each family at most; empty if the name could not be resolved.
    addresses: OnceLock<Vec<SocketAddr>>,
}

/// The servers that publications use now.
#[derive(Debug, Default)]
pub(super) struct StunServers {
    known: Mutex<BTreeMap<String, Weak<StunServer>>>,
}

impl StunServers {
    /// The server with this name; none if there are too many. If its name must be resolved, `resolved` is
    /// called when that is done, on another thread.
    pub(super) fn get(
        &self,
        name: &str,
        resolved: impl FnOnce(Arc<StunServer>) + Send + 'static,
    ) -> Option<Arc<StunServer>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = known.get(name).and_then(Weak::upgrade) {
            return Some(server);
        }
        known.retain(|_, server| server.strong_count() > 0);
        if known.len() >= MAX_STUN_SERVERS {
            tracing::warn!(
                server = name,
                "too many STUN servers, this one is not asked"
            );
            return None;
        }
        let server = Arc::new(StunServer {
            name: name.to_owned(),
            addresses: OnceLock::new(),
        });
        known.insert(name.to_owned(), Arc::downgrade(&server));
        if let Ok(address) = name.parse() {
            // It was made above.
            let _ = server.addresses.set(vec![address]);
            return Some(server);
        }
        let resolving = Arc::clone(&server);
        let thread = std::thread::Builder::new().name("wigwag-resolver".to_owned());
        let started = thread.spawn(move || {
            resolving.resolve();
            resolved(resolving);
        });
        if let Err(error) = started {
            tracing::warn!(server = name, %error, "the STUN server could not be looked up");
        }
        Some(server)
    }
}

impl StunServer {
    fn resolve(&self) {
        let found = self.name.to_socket_addrs().map(Iterator::collect);
        let found: Vec<SocketAddr> = found.unwrap_or_else(|error| {
            tracing::warn!(server = self.name, %error, "the STUN server is unknown");
            Vec::new()
        });
        let one_of = |is_v6| found.iter().copied().find(|it| it.is_ipv6() == is_v6);
        let addresses = [false, true].into_iter().filter_map(one_of).collect();
        // Only this thread sets it.
        let _ = self.addresses.set(addresses);
    }

    fn addresses(&self) -> &[SocketAddr] {
        self.addresses.get().map_or(&[], Vec::as_slice)
    }
}

/// What one shard asks of servers. As long as it has sessions that use one, it keeps asking.
#[derive(Debug, Default)]
pub(super) struct Gatherings {
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    server: Arc<StunServer>,
    sessions: usize,
    gatherings: Vec<StunGathering>,
}

impl Gatherings {
    /// A session wants to know.
    pub(super) fn add_session(&mut self, server: &Arc<StunServer>, now: Instant) {
        match self.find(server) {
            Some(asked) => asked.sessions += 1,
            None => {
                self.asked.push(Asked {
                    server: Arc::clone(server),
                    sessions: 1,
                    gatherings: Vec::new(),
                });
                self.resolved(server, now);
            }
        }
    }

    /// A session is gone that wanted to know.
    pub(super) fn remove_session(&mut self, server: &Arc<StunServer>) {
        if let Some(asked) = self.find(server) {
            asked.sessions -= 1;
        }
        self.asked.retain(|asked| asked.sessions > 0);
    }

    /// A server's name was resolved, or has been all the time.
    pub(super) fn resolved(&mut self, server: &Arc<StunServer>, now: Instant) {
        if let Some(asked) = self.find(server)
            && asked.gatherings.is_empty()
        {
            let addresses = server.addresses().iter();
            asked.gatherings = addresses
                .map(|address| StunGathering::new(*address, now))
                .collect();
        }
    }

    /// What a server is known to have said.
    pub(super) fn mappings(&self, server: &Arc<StunServer>) -> impl Iterator<Item = Mapping> {
        let asked = self.asked.iter();
        let asked = asked.filter(|asked| Arc::ptr_eq(&asked.server, server));
        asked.flat_map(|asked| asked.gatherings.iter().filter_map(StunGathering::mapping))
    }

    /// The next request to send, and where to.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        for asked in &mut self.asked {
            for gathering in &mut asked.gatherings {
                let request = gathering.poll_transmit(now);
                if gathering.take_failure() {
                    let server = &asked.server.name;
                    tracing::warn!("no STUN answer from {server} ({})", gathering.server());
                }
                if let Some(request) = request {
                    return Some((gathering.server(), request));
                }
            }
        }
        None
    }

    /// When to call [`poll_transmit`](Self::poll_transmit).
    pub(super) fn deadline(&self) -> Option<Instant> {
        let gatherings = self.asked.iter().flat_map(|asked| &asked.gatherings);
        gatherings.map(StunGathering::deadline).min()
    }

    /// Takes a datagram if it comes from a server; returns what is new.
    pub(super) fn receive(
        &mut self,
        source: SocketAddr,
        base: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Option<(Arc<StunServer>, Mapping)> {
        // Only a STUN response begins so (RFC 8489, 5).
        if datagram.first() != Some(&1) {
            return None;
        }
        self.asked.iter_mut().find_map(|asked| {
            let mut from_here = asked
                .gatherings
                .iter_mut()
                .filter(|gathering| gathering.server() == source);
            let mapping = from_here.find_map(|it| it.receive(base, datagram, now))?;
            Some((Arc::clone(&asked.server), mapping))
        })
    }

    fn find(&mut self, server: &Arc<StunServer>) -> Option<&mut Asked> {
        let mut asked = self.asked.iter_mut();
        asked.find(|asked| Arc::ptr_eq(&asked.server, server))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::stun::MAX_TRIES;
    use super::*;

    fn known(name: &str) -> (StunServers, Arc<StunServer>) {
        let servers = StunServers::default();
        let server = servers.get(name, |_| ()).expect("there is room");
        (servers, server)
    }

    #[test]
    fn a_name_is_resolved_on_another_thread() {
        let servers = StunServers::default();
        let (sender, receiver) = mpsc::channel();
        let server = servers.get("localhost:3478", move |server| {
            sender.send(server).expect("somebody waits");
        });
        let server = server.expect("there is room");
        let again = servers.get("localhost:3478", |_| panic!("it is known"));
        assert!(Arc::ptr_eq(&server, &again.expect("it is known")));
        let wait = Duration::from_secs(20);
        let resolved = receiver.recv_timeout(wait).expect("it is resolved");
        assert!(Arc::ptr_eq(&server, &resolved));
        assert!(server.addresses().iter().all(|it| it.ip().is_loopback()));
        assert!(!server.addresses().is_empty());
    }

    #[test]
    fn the_number_of_servers_is_bounded() {
        let servers = StunServers::default();
        let name = |number| format!("192.0.2.1:{number}");
        let get = |number| servers.get(&name(number), |_| ());
        let all: Vec<_> = (1..=MAX_STUN_SERVERS).filter_map(get).collect();
        assert_eq!(all.len(), MAX_STUN_SERVERS);
        assert!(get(1_000).is_none());
        drop(all);
        assert!(get(1_000).is_some(), "what nobody uses makes room");
    }

    #[test]
    fn a_server_is_asked_while_sessions_use_it() {
        let now = Instant::now();
        let (_servers, server) = known("192.0.2.1:3478");
        let mut gatherings = Gatherings::default();
        assert_eq!(gatherings.deadline(), None);
        gatherings.add_session(&server, now);
        gatherings.add_session(&server, now);
        let (to, _) = gatherings.poll_transmit(now).expect("a request");
        assert_eq!(to.to_string(), "192.0.2.1:3478");
        assert_eq!(gatherings.poll_transmit(now), None);
        gatherings.remove_session(&server);
        let later = gatherings.deadline().expect("it asks on");
        assert!(gatherings.poll_transmit(later).is_some());
        gatherings.remove_session(&server);
        assert_eq!(gatherings.deadline(), None);
    }

    #[test]
    fn a_server_that_never_answers_is_no_error() {
        let (_servers, server) = known("192.0.2.1:3478");
        let mut gatherings = Gatherings::default();
        let start = Instant::now();
        gatherings.add_session(&server, start);
        let mut requests = 0;
        while let Some(now) = gatherings.deadline()
            && now < start + Duration::from_secs(60)
        {
            requests += u32::from(gatherings.poll_transmit(now).is_some());
        }
        assert_eq!(requests, MAX_TRIES);
        assert_eq!(gatherings.mappings(&server).count(), 0);
    }
}
