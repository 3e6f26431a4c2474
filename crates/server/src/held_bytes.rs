//! The bytes that a server holds for all its connections: what came of messages that are not whole, and what waits for
//! peers that read slowly.
//!
//! Each connection counts in blocks, so that one that holds little costs nothing here. Texts that many wait for are not
//! counted for each of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wigwag_hub::{Payer, Room, Shares};

/// What a connection holds is counted in these steps.
const BLOCK_BYTES: usize = 4 * 1024;

/// The part of all that one address may hold while others hold little.
const PART_PER_ADDRESS: usize = 8;

/// What an address may hold however much others do, as long as something is left.
const FLOOR_BYTES: usize = 256 * 1024;

/// What each connection may hold however much there is, of what came and of what waits: somebody else may have used up all
/// that there is for its address, and nobody is closed for a few short messages.
const ALWAYS_BYTES: usize = 2 * BLOCK_BYTES;

/// The bytes that are held, and by whom.
#[derive(Debug, Default)]
pub(crate) struct HeldBytes(Mutex<Shares>);

/// What a connection holds. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    /// None if it is not counted.
    held: Option<Arc<HeldBytes>>,
    payer: Payer,
    limit: usize,
    bytes: usize,
}

impl HeldBytes {
    /// A connection that holds nothing yet; all together may hold `limit` bytes.
    pub(crate) fn hold(self: &Arc<Self>, payer: Payer, limit: usize) -> Hold {
        Hold {
            held: Some(Arc::clone(self)),
            payer,
            limit,
            bytes: 0,
        }
    }

    /// What all hold.
    pub(crate) fn in_all(&self) -> usize {
        self.lock().in_all()
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Of a connection that is not counted.
    pub(crate) fn uncounted() -> Self {
        Self {
            held: None,
            payer: Payer::NOBODY,
            limit: usize::MAX,
            bytes: 0,
        }
    }

    /// Counts that so many bytes are held in the place of those before. False, and nothing is changed, if that is more
    /// than there is for this address, or for all.
    #[inline]
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let bytes = bytes / BLOCK_BYTES * BLOCK_BYTES;
        bytes == self.bytes || self.change(bytes)
    }

    #[cold]
    fn change(&mut self, bytes: usize) -> bool {
        let Some(held) = &self.held else {
            return true;
        };
        let mut shares = held.lock();
        if let Some(more) = bytes.checked_sub(self.bytes) {
            let room = Room {
                limit: self.limit,
                per_address: self.limit / PART_PER_ADDRESS,
                floor: FLOOR_BYTES,
            };
            if bytes > ALWAYS_BYTES && shares.exceeded(self.payer, more, room).is_some() {
                return false;
            }
            shares.add(self.payer, more);
        } else {
            shares.remove(self.payer, self.bytes - bytes);
        }
        drop(shares);
        self.bytes = bytes;
        true
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LIMIT: usize = 8 << 20;

    fn at(last: u8) -> Payer {
        Payer::of(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn address_that_holds_its_share_gets_no_more_others_do() {
        let held = Arc::new(HeldBytes::default());
        let mut first: Vec<_> = (0..100).map(|_| held.hold(at(1), LIMIT)).collect();
        let taken = first
            .iter_mut()
            .filter_map(|hold| hold.set(100_000).then_some(()));
        let taken = taken.count();
        assert!((5..10).contains(&taken), "{taken}: an eighth of all");
        let mut other = held.hold(at(2), LIMIT);
        assert!(other.set(500_000));
        assert!(!other.set(5_000_000));
        assert!(other.set(500_001), "nothing was changed");
        drop(first);
        assert_eq!(held.in_all(), 500_000 / BLOCK_BYTES * BLOCK_BYTES);
        drop(other);
        assert_eq!(held.in_all(), 0);
    }

    #[test]
    fn two_hundred_addresses_leave_some_for_who_comes_next() {
        let held = Arc::new(HeldBytes::default());
        let limit = 256 << 20;
        let mut holds = Vec::new();
        for last in 0..200 {
            loop {
                let mut hold = held.hold(at(last), limit);
                if !hold.set(1 << 20) {
                    break;
                }
                holds.push(hold);
            }
        }
        let mut hold = held.hold(at(250), limit);
        assert!(hold.set(FLOOR_BYTES));
        assert!(held.in_all() <= limit);
    }

    #[test]
    fn connection_holds_a_little_where_nothing_is_left() {
        let held = Arc::new(HeldBytes::default());
        let mut all = held.hold(Payer::NOBODY, LIMIT);
        assert!(all.set(LIMIT));
        let mut hold = held.hold(at(1), LIMIT);
        assert!(hold.set(ALWAYS_BYTES));
        assert!(!hold.set(ALWAYS_BYTES + BLOCK_BYTES));
        assert_eq!(held.in_all(), LIMIT + ALWAYS_BYTES);
    }

    #[test]
    fn little_is_not_counted() {
        let held = Arc::new(HeldBytes::default());
        let mut hold = held.hold(at(1), 1);
        assert!(hold.set(BLOCK_BYTES - 1));
        assert_eq!(held.in_all(), 0);
        assert!(!hold.set(ALWAYS_BYTES + BLOCK_BYTES));
        assert!(Hold::uncounted().set(usize::MAX));
    }
}
