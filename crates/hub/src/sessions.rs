//! All sessions, and which peer takes part in which.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use wigwag_protocol::json::{PeerId, SessionId};

use crate::shares::{Payer, Shares};

/// Sessions are numbered in the order of their start, so that they also end in that order when a
/// peer leaves.
pub(crate) type SessionNumber = u64;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) number: SessionNumber,
    pub(crate) producer: PeerId,
    pub(crate) consumer: PeerId,
    pub(crate) caller: Side,
    /// Who pays for it: the caller's.
    pub(crate) payer: Payer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Producer,
    Consumer,
}

/// The sessions of one peer.
#[derive(Debug, Default)]
pub(crate) struct SessionsOfPeer {
    pub(crate) produced: BTreeMap<SessionNumber, SessionId>,
    pub(crate) consumed: BTreeMap<SessionNumber, SessionId>,
    /// How many of them it started itself.
    pub(crate) started: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    next_number: SessionNumber,
    running: HashMap<SessionId, Session>,
    in_order: BTreeMap<SessionNumber, SessionId>,
    shares: Shares,
}

impl Session {
    /// The member that `peer` talks to; none if it is no member. A peer that called itself talks to
    /// itself.
    pub(crate) fn partner_of(&self, peer: &PeerId) -> Option<&PeerId> {
        if *peer == self.producer {
            Some(&self.consumer)
        } else if *peer == self.consumer {
            Some(&self.producer)
        } else {
            None
        }
    }

    pub(crate) fn caller(&self) -> &PeerId {
        match self.caller {
            Side::Producer => &self.producer,
            Side::Consumer => &self.consumer,
        }
    }
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// What the payers hold of them.
    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Those that started after the one of a number; all of them if there is none.
    pub(crate) fn after(
        &self,
        number: Option<SessionNumber>,
    ) -> impl Iterator<Item = (&SessionId, &Session)> {
        let start = number.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.in_order.range((start, Bound::Unbounded));
        behind.filter_map(|(_, id)| Some((id, self.running.get(id)?)))
    }

    pub(crate) fn id_of(&self, number: SessionNumber) -> Option<&SessionId> {
        self.in_order.get(&number)
    }

    /// With the id as this table has it.
    pub(crate) fn find(&self, id: &str) -> Option<(&SessionId, &Session)> {
        self.running.get_key_value(id)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.running.get(id)
    }

    pub(crate) fn start(
        &mut self,
        id: SessionId,
        producer: PeerId,
        consumer: PeerId,
        caller: Side,
        payer: Payer,
    ) -> SessionNumber {
        let number = self.next_number;
        self.next_number += 1;
        let session = Session {
            number,
            producer,
            consumer,
            caller,
            payer,
        };
        self.shares.add(payer, 1);
        self.in_order.insert(number, id.clone());
        self.running.insert(id, session);
        number
    }

    pub(crate) fn end(&mut self, id: &SessionId) -> Option<Session> {
        let session = self.running.remove(id)?;
        self.in_order.remove(&session.number);
        self.shares.remove(session.payer, 1);
        Some(session)
    }
}
