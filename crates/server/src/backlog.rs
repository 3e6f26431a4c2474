//! The messages that wait for one peer, in their order. Where many wait, the newest status of another peer takes the
//! place of an older one.
//!
//! Each message has an owner: the server, or the member of a session that caused it. The messages of an owner can be dropped, so
//! that one that sends more than the peer reads does not keep others out.
//!
//! A message that is dropped leaves its place empty, so that the others keep their numbers. Empty places count for
//! nothing outside, and are given up before they are most of the queue.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};

use wigwag_protocol::json::PeerId;

use crate::outgoing::Outgoing;

/// From this many waiting messages on, a newer status of a peer takes the place of an older one.
pub(crate) const COALESCE_FROM: usize = 32;

/// What waits in a queue.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(any(test, fuzzing)),
    expect(unreachable_pub, reason = "public for the fuzzer, which sees it")
)]
pub struct Waiting {
    /// How many messages.
    pub messages: usize,
    /// Their bytes together.
    pub bytes: usize,
}

/// What caused a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// The server, or the peer itself.
    Server,
    /// The other member of the session of this number; in the text protocol, the connection of this number.
    Other(u64),
}

#[derive(Debug)]
struct Entry {
    message: Outgoing,
    owner: Owner,
}

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// A `None` is a message that was dropped.
    places: VecDeque<Option<Entry>>,
    /// How many of them are `None`.
    empty: usize,
    bytes: usize,
    /// What they hold beside the texts that others share.
    held: usize,
    /// How many places ever left: the number of the first.
    taken: u64,
    /// The number of the latest waiting status of a peer; only kept while many messages wait.
    statuses: HashMap<PeerId, u64>,
}

impl Backlog {
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting {
            messages: self.places.len() - self.empty,
            bytes: self.bytes,
        }
    }

    /// The bytes that it holds beside the texts that others share.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn push(&mut self, message: impl Into<Outgoing>, owner: Owner) {
        let message = message.into();
        self.bytes += message.len();
        self.held += message.held();
        self.places.push_back(Some(Entry { message, owner }));
    }

    /// Drops the messages of those owners that hold most, at least a quarter of what all owners hold, so that this is
    /// not done for each message; one more message of `bytes` bytes by `newcomer` counts as held. Returns the owners,
    /// none if all is the server's.
    ///
    /// What a message holds is its length, and as much again as the average of all: a queue is as full of many short
    /// messages as of few long ones.
    pub(crate) fn drop_largest(&mut self, newcomer: Owner, bytes: usize) -> Vec<u64> {
        let waiting = self.waiting();
        let average = waiting.bytes / waiting.messages.max(1) + 1;
        let mut held: HashMap<u64, usize> = HashMap::new();
        let entries = self.places.iter().flatten();
        let entries = entries.map(|entry| (entry.owner, entry.message.len()));
        for (owner, bytes) in entries.chain([(newcomer, bytes)]) {
            if let Owner::Other(owner) = owner {
                *held.entry(owner).or_default() += bytes + average;
            }
        }
        let mut missing = held.values().sum::<usize>().div_ceil(4);
        let mut largest: Vec<_> = held.into_iter().collect();
        // Of those that hold as much, the newest first.
        largest.sort_unstable_by_key(|&(owner, held)| Reverse((held, owner)));
        let needed = largest.iter().take_while(|(_, held)| {
            let is_needed = missing > 0;
            missing = missing.saturating_sub(*held);
            is_needed
        });
        let dropped: Vec<u64> = needed.map(|(owner, _)| *owner).collect();
        let is_dropped: HashSet<_> = dropped.iter().map(|owner| Owner::Other(*owner)).collect();
        for place in &mut self.places {
            if let Some(entry) = place.take_if(|entry| is_dropped.contains(&entry.owner)) {
                self.bytes -= entry.message.len();
                self.held -= entry.message.held();
                self.empty += 1;
            }
        }
        self.compact();
        dropped
    }

    /// Prepares for a status of `subject`, which must be pushed next: drops the one that it replaces, if that is
    /// known and many messages wait. Of so many peers it is known at the most.
    pub(crate) fn replace_status(&mut self, subject: &PeerId, max_subjects: usize) {
        if self.waiting().messages < COALESCE_FROM {
            return;
        }
        if let Some(older) = self.statuses.remove(subject) {
            self.empty(older);
            self.compact();
        } else if self.statuses.len() >= max_subjects {
            let taken = self.taken;
            self.statuses.retain(|_, number| *number >= taken);
        }
        let number = self.taken + self.places.len() as u64;
        self.statuses.insert(subject.clone(), number);
    }

    pub(crate) fn take(&mut self) -> Option<Outgoing> {
        while let Some(entry) = self.places.pop_front() {
            self.taken += 1;
            if let Some(Entry { message, .. }) = entry {
                self.bytes -= message.len();
                self.held -= message.held();
                return Some(message);
            }
            self.empty -= 1;
        }
        if !self.statuses.is_empty() || self.places.capacity() > COALESCE_FROM {
            // All is written: an idle connection keeps no memory of a busy hour.
            self.statuses = HashMap::new();
            self.places = VecDeque::new();
        }
        None
    }

    fn empty(&mut self, number: u64) {
        let place = number.checked_sub(self.taken).map(|place| place as usize);
        if let Some(dropped) = place.and_then(|place| self.places.get_mut(place)?.take()) {
            self.bytes -= dropped.message.len();
            self.held -= dropped.message.held();
            self.empty += 1;
        }
    }

    /// Gives up the empty places once they are most of all, and many: so dropping costs little each time, and no room
    /// in the long run.
    fn compact(&mut self) {
        if self.empty <= COALESCE_FROM.max(self.places.len() / 2) {
            return;
        }
        let mut next = self.taken;
        let numbers: Vec<u64> = self
            .places
            .iter()
            .map(|message| {
                let number = next;
                next += u64::from(message.is_some());
                number
            })
            .collect();
        let taken = self.taken;
        self.statuses.retain(|_, number| {
            let place = number.checked_sub(taken).map(|place| place as usize);
            let moved = place.and_then(|place| numbers.get(place));
            moved.inspect(|moved| *number = **moved).is_some()
        });
        self.places.retain(Option::is_some);
        self.empty = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_SUBJECTS: usize = 100;

    fn with_many() -> Backlog {
        let mut backlog = Backlog::default();
        for _ in 0..COALESCE_FROM {
            backlog.push("x", Owner::Server);
        }
        backlog
    }

    fn status(backlog: &mut Backlog, subject: &str, text: &str) {
        backlog.replace_status(&PeerId::from(subject), MAX_SUBJECTS);
        backlog.push(text, Owner::Server);
    }

    #[test]
    fn one_restless_peer_takes_no_room() {
        let mut backlog = with_many();
        status(&mut backlog, "calm", "calm");
        for change in 0..10_000 {
            status(&mut backlog, "restless", &change.to_string());
            assert!(backlog.waiting().messages <= COALESCE_FROM + 2);
            assert!(backlog.places.len() <= 3 * COALESCE_FROM, "few places");
        }
        // A status with a new number is found again.
        status(&mut backlog, "calm", "calmer");
        assert_eq!(backlog.waiting().messages, COALESCE_FROM + 2);
        for _ in 0..COALESCE_FROM {
            assert_eq!(backlog.take(), Some("x".into()));
        }
        assert_eq!(backlog.take(), Some("9999".into()));
        assert_eq!(backlog.take(), Some("calmer".into()));
        assert_eq!(backlog.take(), None);
        let Waiting { messages, bytes } = backlog.waiting();
        assert_eq!((messages, bytes, backlog.empty), (0, 0, 0));
    }

    #[test]
    fn what_is_kept_of_statuses_is_bounded() {
        let mut backlog = with_many();
        for peer in 0..1_000 {
            status(&mut backlog, &peer.to_string(), "s");
            assert!(backlog.take().is_some());
            assert!(backlog.statuses.len() <= MAX_SUBJECTS + 1);
        }
    }

    #[test]
    fn nothing_is_kept_of_a_busy_hour() {
        let mut backlog = with_many();
        for peer in 0..100 {
            status(&mut backlog, &peer.to_string(), "s");
        }
        while backlog.take().is_some() {}
        assert_eq!(backlog.places.capacity(), 0);
        assert_eq!(backlog.statuses.capacity(), 0);
    }

    #[test]
    fn messages_of_the_largest_owner_dropped_others_kept() {
        let mut backlog = Backlog::default();
        assert!(backlog.drop_largest(Owner::Server, 100).is_empty());
        backlog.push("server", Owner::Server);
        for _ in 0..20 {
            backlog.push("short", Owner::Other(1));
        }
        backlog.push("a little longer", Owner::Other(2));
        assert_eq!(backlog.drop_largest(Owner::Server, 1_000), [1]);
        let Waiting { messages, bytes } = backlog.waiting();
        assert_eq!((messages, bytes), (2, 6 + 15));
        // What would come counts as well.
        backlog.push("short", Owner::Other(1));
        assert_eq!(backlog.drop_largest(Owner::Other(3), 1_000), [3]);
        assert_eq!(backlog.take(), Some("server".into()));
        assert_eq!(backlog.take(), Some("a little longer".into()));
        assert_eq!(backlog.take(), Some("short".into()));
        assert_eq!(backlog.take(), None);
        assert_eq!(backlog.empty, 0);
    }

    #[test]
    fn many_small_owners_dropped_together() {
        let mut backlog = Backlog::default();
        for owner in 0..4_000 {
            backlog.push("x", Owner::Other(owner));
        }
        let dropped = backlog.drop_largest(Owner::Other(4_000), 1);
        assert!((1_000..1_010).contains(&dropped.len()), "{}", dropped.len());
        assert_eq!(dropped[0], 4_000, "the newest first");
        assert_eq!(backlog.waiting().messages, 4_001 - dropped.len());
    }
}
