//! What comes from the network: whose it is, and whether there is time for it.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::budget::{Limit, cost};
use super::super::port::Network;
use super::super::statistics::count;
use super::Shard;
use crate::session::is_stun;

impl Shard {
    /// Takes a datagram that came from `source` to `destination`, which is ours.
    ///
    /// It is paid for by the viewer whose address it comes from. Who knows the name of a session, which can
    /// be overheard, thus cannot spend what its viewer may.
    pub(in crate::engine) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
        network: &mut impl Network,
    ) {
        let told = self.gatherings.receive(source, destination, datagram, now);
        if let Some((server, mapping)) = told {
            return self.on_mapping(&server, mapping, now, network);
        }
        let lead = self.demultiplexer.lead(source);
        let checked = self.demultiplexer.checked(datagram);
        let Some(key) = checked.or_else(|| lead.map(|lead| lead.session)) else {
            return count(&self.inbox.counters.unknown, 1);
        };
        // A hostile viewer may have named the address of another as its own: that is only a guess.
        let payer = lead.filter(|lead| lead.sure || lead.session == key);
        let pays = match payer.map(|lead| self.viewers.get_mut(lead.session)) {
            Some(Some(payer)) => payer.pay(cost(datagram), now),
            Some(None) => false,
            None => self.strangers.take(source.ip(), now),
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
        let is_new = lead.is_none_or(|lead| lead.session != key);
        if is_new {
            if !session.recognises(destination, datagram, now) {
                return count(&self.inbox.counters.unknown, 1);
            }
            if !viewer.addresses.take(1, Limit::ADDRESSES, now) {
                viewer.over_limit += 1;
                return count(&self.inbox.counters.over_limit, 1);
            }
        }
        if !session.receive(source, destination, datagram, now) {
            return count(&self.inbox.counters.unknown, 1);
        }
        // Checks and their answers are taken only if they are authentic.
        if is_stun(datagram) {
            self.demultiplexer
                .learn(key, &mut viewer.leads, source, now);
        }
        self.settle(key, now, network);
    }
}
