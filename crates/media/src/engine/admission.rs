//! How many viewers there may be.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts who is in, and lets nobody in beyond a limit.
#[derive(Debug, Default)]
pub(super) struct Admission {
    limit: Option<NonZeroUsize>,
    inside: AtomicUsize,
}

impl Admission {
    pub(super) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self {
            limit,
            inside: AtomicUsize::new(0),
        }
    }

    /// Lets one in, if there is room.
    pub(super) fn enter(&self) -> bool {
        let entered = self
            .inside
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
                self.has_room_beside(inside).then_some(inside + 1)
            });
        entered.is_ok()
    }

    /// One that was let in is gone.
    pub(super) fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn is_full(&self) -> bool {
        !self.has_room_beside(self.inside())
    }

    pub(super) fn inside(&self) -> usize {
        self.inside.load(Ordering::Acquire)
    }

    fn has_room_beside(&self, inside: usize) -> bool {
        self.limit.is_none_or(|limit| inside < limit.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_enters_beyond_the_limit() {
        let admission = Admission::new(NonZeroUsize::new(2));
        assert!(admission.enter() && admission.enter());
        assert!(admission.is_full() && !admission.enter());
        admission.leave();
        assert!(!admission.is_full() && admission.enter());
        assert_eq!(admission.inside(), 2);
    }

    #[test]
    fn without_a_limit_everybody_enters() {
        let admission = Admission::default();
        assert!((0..10_000).all(|_| admission.enter()) && !admission.is_full());
    }

    #[test]
    fn the_limit_holds_whoever_asks() {
        let admission = Admission::new(NonZeroUsize::new(100));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| _ = admission.enter()));
            }
        });
        assert_eq!(admission.inside(), 100);
    }
}
