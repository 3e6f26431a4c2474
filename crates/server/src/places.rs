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

    /// Takes a place, once there is one.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        while self.are_taken() {
            self.changed.notified().await;
        }
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

    fn take(places: &Arc<Places>) -> Option<Place> {
        match poll(pin!(places.take())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_next_waits_until_the_last_clone_of_a_place_is_gone() {
        let places = Arc::new(Places::new(1));
        let first = take(&places).expect("there is room");
        let clone = first.clone();
        let mut second = pin!(places.take());
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
        let first = take(&places).expect("there is room");
        let mut waits = pin!(places.take());
        assert!(poll(waits.as_mut()).is_pending());
        places.set_limit(2);
        let Poll::Ready(second) = poll(waits.as_mut()) else {
            panic!("there is room now")
        };
        places.set_limit(1);
        drop(first);
        assert!(take(&places).is_none(), "one is one too many still");
        drop(second);
        assert!(take(&places).is_some());
    }

    #[test]
    fn whoever_closes_waits_for_all() {
        let places = Arc::new(Places::new(2));
        let (first, second) = (take(&places), take(&places));
        let mut empty = pin!(places.all_free());
        drop(first);
        assert!(poll(empty.as_mut()).is_pending());
        drop(second);
        assert!(poll(empty.as_mut()).is_ready());
    }
}
