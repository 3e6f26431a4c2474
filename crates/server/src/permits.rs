//! The number of connections that may be open at once: each holds a permit of a semaphore, and the next one waits in
//! the system's backlog while there is none.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// More permits than any system has descriptors; the semaphore bounds them, too.
const MAX_PERMITS: usize = 1 << 24;

/// The permits of one port. Their number can change while they are held.
#[derive(Debug)]
pub(crate) struct ConnectionPermits {
    semaphore: Semaphore,
    count: Mutex<Count>,
    /// Notified of each permit that comes back.
    returned: Notify,
}

#[derive(Debug)]
struct Count {
    limit: usize,
    /// Permits that exist, held or not: more than the limit while more are held.
    existing: usize,
}

/// A permit that is held; its last clone gives it back.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionPermit(#[expect(dead_code, reason = "held, not read")] Arc<Held>);

#[derive(Debug)]
struct Held(Arc<ConnectionPermits>);

impl ConnectionPermits {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.min(MAX_PERMITS);
        Self {
            semaphore: Semaphore::new(limit),
            count: Mutex::new(Count {
                limit,
                existing: limit,
            }),
            returned: Notify::new(),
        }
    }

    /// Waits until there is a permit, without taking it.
    pub(crate) async fn available(&self) {
        self.acquire().await;
        self.give_back();
    }

    /// Takes a permit, once there is one.
    pub(crate) async fn take(self: &Arc<Self>) -> ConnectionPermit {
        self.acquire().await;
        ConnectionPermit(Arc::new(Held(Arc::clone(self))))
    }

    /// Takes a permit, if there is one.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let permit = self.semaphore.try_acquire().ok()?;
        SemaphorePermit::forget(permit);
        Some(ConnectionPermit(Arc::new(Held(Arc::clone(self)))))
    }

    async fn acquire(&self) {
        // The semaphore is never closed.
        if let Ok(permit) = self.semaphore.acquire().await {
            SemaphorePermit::forget(permit);
        }
    }

    /// Gives an acquired permit back, unless there are more than the limit.
    fn give_back(&self) {
        {
            let mut count = self.lock();
            if count.existing > count.limit {
                count.existing -= 1;
            } else {
                self.semaphore.add_permits(1);
            }
        }
        self.returned.notify_waiters();
    }

    /// Whether the next connection has to wait.
    pub(crate) fn are_taken(&self) -> bool {
        self.semaphore.available_permits() == 0
    }

    /// The number of permits that are held.
    pub(crate) fn taken(&self) -> usize {
        let count = self.lock();
        count.existing - self.semaphore.available_permits()
    }

    /// Changes how many there are. Those that are held stay, even if they are more than that.
    pub(crate) fn set_limit(&self, limit: usize) {
        let limit = limit.min(MAX_PERMITS);
        let mut count = self.lock();
        count.limit = limit;
        if let Some(more) = limit.checked_sub(count.existing) {
            self.semaphore.add_permits(more);
            count.existing = limit;
        } else {
            let surplus = count.existing - limit;
            count.existing -= self.semaphore.forget_permits(surplus);
        }
    }

    /// Waits until none is held, once nothing takes them any more.
    pub(crate) async fn all_returned(&self) {
        loop {
            let mut returned = pin!(self.returned.notified());
            // From here on, none that comes back is missed.
            returned.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            returned.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn take(permits: &Arc<ConnectionPermits>) -> ConnectionPermit {
        match poll(pin!(permits.take())) {
            Poll::Ready(permit) => permit,
            Poll::Pending => panic!("no permit is left"),
        }
    }

    #[test]
    fn next_connection_waits_until_last_clone_of_a_permit_is_dropped() {
        let permits = Arc::new(ConnectionPermits::new(1));
        let first = take(&permits);
        let clone = first.clone();
        let mut second = pin!(permits.available());
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        assert!(poll(second.as_mut()).is_pending());
        drop(clone);
        assert!(poll(second.as_mut()).is_ready());
        assert_eq!(permits.taken(), 0);
    }

    #[test]
    fn permit_tried_for_only_taken_while_there_is_one() {
        let permits = Arc::new(ConnectionPermits::new(1));
        let first = permits.try_take();
        assert!(first.is_some());
        assert!(permits.try_take().is_none());
        drop(first);
        assert!(permits.try_take().is_some());
    }

    #[test]
    fn limit_changed_while_permits_are_held_applies_to_the_next() {
        let permits = Arc::new(ConnectionPermits::new(1));
        let first = take(&permits);
        let mut waits = pin!(permits.available());
        assert!(poll(waits.as_mut()).is_pending());
        permits.set_limit(2);
        assert!(poll(waits.as_mut()).is_ready());
        let second = take(&permits);
        permits.set_limit(1);
        assert_eq!(permits.taken(), 2);
        drop(first);
        assert!(permits.are_taken(), "one is the limit now");
        assert_eq!(permits.taken(), 1);
        drop(second);
        assert!(poll(pin!(permits.available())).is_ready());
        permits.set_limit(3);
        let held = [(); 3].map(|()| take(&permits));
        assert!(permits.are_taken());
        drop(held);
        assert_eq!(permits.taken(), 0);
    }

    #[test]
    fn all_returned_after_limit_was_lowered_below_what_is_held() {
        let permits = Arc::new(ConnectionPermits::new(3));
        let held = [(); 3].map(|()| take(&permits));
        permits.set_limit(1);
        let mut all = pin!(permits.all_returned());
        assert!(poll(all.as_mut()).is_pending());
        drop(held);
        assert!(poll(all.as_mut()).is_ready());
        assert_eq!(permits.taken(), 0);
    }

    #[test]
    fn all_returned_waits_for_the_last_permit() {
        let permits = Arc::new(ConnectionPermits::new(2));
        let (first, second) = (take(&permits), take(&permits));
        let mut all = pin!(permits.all_returned());
        drop(first);
        assert!(poll(all.as_mut()).is_pending());
        drop(second);
        assert!(poll(all.as_mut()).is_ready());
    }
}
