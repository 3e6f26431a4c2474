//! What comes from the network: whose it is, and whether there is time for it.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::budget::Limit;
use super::super::port::Network;
use super::super::statistics::count;
use super::Shard;
use crate::rtp::DatagramKind;

impl Shard {
    /// Takes a datagram that came from `source` to `destination`, which is ours.
    ///
    /// Its cost is charged to the viewer whose address it comes from. Who knows the user name of a session, which can
    /// be overheard, thus cannot spend what its viewer may.
    pub(in crate::engine) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
        network: &mut impl Network,
    ) {
        let mapped = self.gatherings.receive(source, destination, datagram, now);
        if let Some((server, mapping)) = mapped {
            return self.on_mapping(&server, mapping, now, network);
        }
        let route = self.demultiplexer.route(source);
        let checked = self.demultiplexer.by_username(datagram);
        let Some(key) = checked.or_else(|| route.map(|route| route.session)) else {
            return count(&self.inbox.counters.unknown, 1);
        };
        // A hostile viewer may have named the address of another as its own: that route is provisional.
        let payer = route.filter(|route| route.validated || route.session == key);
        let pays = match payer.map(|route| self.viewers.get_mut(route.session)) {
            Some(Some(payer)) => payer.charge(datagram, now),
            Some(None) => false,
            None => self.unknown_sources.take(source.ip(), now),
        };
        if !pays {
            return count(&self.inbox.counters.over_limit, 1);
        }
        let Some(viewer) = self.viewers.get_mut(key) else {
            return count(&self.inbox.counters.unknown, 1);
        };
        let Some(session) = &mut viewer.session else {
            return count(&self.inbox.counters.unknown, 1);
        };
        let is_new = route.is_none_or(|route| route.session != key);
        if is_new {
            if !session.recognises(destination, datagram, now) {
                return count(&self.inbox.counters.unknown, 1);
            }
            if !viewer.addresses.take(1, Limit::ADDRESSES, now) {
                viewer.over_limit += 1;
                return count(&self.inbox.counters.over_limit, 1);
            }
        }
        if !session.handle_datagram(source, destination, datagram, now) {
            return count(&self.inbox.counters.unknown, 1);
        }
        // Checks and their answers are taken only if they are authentic.
        if DatagramKind::of(datagram) == DatagramKind::Stun {
            self.demultiplexer
                .confirm(key, &mut viewer.routes, source, now);
        }
        self.flush_viewer(key, now, network);
    }
}
