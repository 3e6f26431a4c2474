//! How many connections may be open at once: each has a place, and who comes when all are taken waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The places of one server. Only one task takes them and waits for them: the one that accepts.
#[derive(Debug)]
pub(crate) struct Places {
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// Remembers one change that nobody was waiting for.
    changed: Notify,
}

/// A place that is taken; the last clone gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held, not read")] Arc<Taken>);

#[derive(Debug)]
struct Taken(Arc<Places>);

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Waits until there is a place.
    pub(crate) async fn one_free(&self) {
        while self.are_taken() {
            self.changed.notified().await;
        }
    }

    /// Takes a place, of which there is one for who has waited for it.
    pub(crate) fn take(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place(Arc::new(Taken(Arc::clone(self))))
    }

    /// Whether the next has to wait.
    pub(crate) fn are_taken(&self) -> bool {
        self.taken() >= self.limit.load(Ordering::Relaxed)
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Changes how many there are. Those who have one keep it, even if there are fewer now.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Waits until all are free, once nobody takes them any more.
    pub(crate) async fn all_free(&self) {
        while self.taken() > 0 {
            self.changed.notified().await;
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_next_waits_until_the_last_clone_of_a_place_is_gone() {
        let places = Arc::new(Places::new(1));
        let first = places.take();
        let clone = first.clone();
        let mut second = pin!(places.one_free());
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        assert!(poll(second.as_mut()).is_pending());
        drop(clone);
        assert!(poll(second.as_mut()).is_ready());
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn the_limit_changes_while_places_are_taken() {
        let places = Arc::new(Places::new(1));
        let first = places.take();
        let mut waits = pin!(places.one_free());
        assert!(poll(waits.as_mut()).is_pending());
        places.set_limit(2);
        assert!(poll(waits.as_mut()).is_ready());
        let second = places.take();
        places.set_limit(1);
        drop(first);
        assert!(places.are_taken(), "one is one too many still");
        drop(second);
        assert!(poll(pin!(places.one_free())).is_ready());
    }

    #[test]
    fn whoever_closes_waits_for_all() {
        let places = Arc::new(Places::new(2));
        let (first, second) = (places.take(), places.take());
        let mut empty = pin!(places.all_free());
        drop(first);
        assert!(poll(empty.as_mut()).is_pending());
        drop(second);
        assert!(poll(empty.as_mut()).is_ready());
    }
}
