//! The number of connections that may be open at once: each holds a permit of a semaphore, and the next one waits in
//! the system's backlog while there is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// More permits than any system has descriptors; the semaphore bounds them, too.
const MAX_PERMITS: usize = u32::MAX as usize;

/// The permits of one port. Their number can change while they are held.
#[derive(Debug)]
pub(crate) struct ConnectionPermits {
    semaphore: Arc<Semaphore>,
    count: Mutex<Count>,
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
struct Held {
    permits: Arc<ConnectionPermits>,
    permit: Option<OwnedSemaphorePermit>,
}

impl ConnectionPermits {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.min(MAX_PERMITS);
        Self {
            semaphore: Arc::new(Semaphore::new(limit)),
            count: Mutex::new(Count {
                limit,
                existing: limit,
            }),
        }
    }

    /// Waits until there is a permit, without taking it.
    pub(crate) async fn available(&self) {
        // It is never closed.
        drop(self.semaphore.acquire().await);
    }

    /// Takes a permit, once there is one.
    pub(crate) async fn take(self: &Arc<Self>) -> ConnectionPermit {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await;
        ConnectionPermit(Arc::new(Held {
            permits: Arc::clone(self),
            permit: permit.ok(),
        }))
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
            let existing = self.lock().existing;
            let all = u32::try_from(existing).unwrap_or(u32::MAX);
            drop(self.semaphore.acquire_many(all).await);
            // Another limit may have come meanwhile.
            if self.taken() == 0 {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut count = self.permits.lock();
        if count.existing > count.limit {
            count.existing -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
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
