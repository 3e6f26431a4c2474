//! The limit of messages of one connection, by its own rate and by that of its address.

use std::sync::Arc;

use tokio::time::Instant;

use crate::address_limiter::AddressPermit;
use crate::close_reason::CloseReason;
use crate::rate::{Rate, TokenBucket};

/// For each so many bytes more, a message counts as one more: what it costs the server is then in proportion to what is
/// counted. Nearly all messages are shorter.
const BYTES_PER_MESSAGE: usize = 4 * 1024;

/// The number of messages that one of `bytes` bytes counts as.
pub(crate) fn cost(bytes: usize) -> u64 {
    1 + (bytes / BYTES_PER_MESSAGE) as u64
}

/// Counts nothing for connections that are exempt.
#[derive(Debug)]
pub(crate) struct MessageLimiter(Option<Limited>);

#[derive(Debug)]
struct Limited {
    address: Arc<AddressPermit>,
    start: Instant,
    bucket: TokenBucket,
    peer_rate: Rate,
    address_rate: Rate,
}

impl MessageLimiter {
    /// A limiter that lets everything pass.
    pub(crate) fn exempt() -> Self {
        Self(None)
    }

    /// A limiter of a connection by its own rate and that of its address.
    pub(crate) fn new(
        address: Arc<AddressPermit>,
        peer_rate: Rate,
        address_rate: Rate,
        now: Instant,
    ) -> Self {
        Self(Some(Limited {
            address,
            start: now,
            bucket: TokenBucket::default(),
            peer_rate,
            address_rate,
        }))
    }

    /// Takes back that a message was counted: somebody else pays for it.
    pub(crate) fn refund(&self, bytes: usize) {
        if let Some(limited) = &self.0 {
            limited.bucket.give_back(limited.peer_rate, cost(bytes));
            limited
                .address
                .refund_messages(limited.address_rate, cost(bytes));
        }
    }

    /// Counts a message of `bytes` bytes that came `now`, or returns why the connection ends.
    pub(crate) fn count(&mut self, now: Instant, bytes: usize) -> Result<(), CloseReason> {
        let Some(limited) = &self.0 else {
            return Ok(());
        };
        let count = cost(bytes);
        let since = now.saturating_duration_since(limited.start);
        limited
            .bucket
            .take_many(limited.peer_rate, count, since)
            .map_err(|_| CloseReason::PeerMessageRate {
                per_second: limited.peer_rate.per_second(),
            })?;
        limited
            .address
            .count_messages(limited.address_rate, count, now)
            .map_err(|_| CloseReason::AddressMessageRate {
                per_second: limited.address_rate.per_second(),
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::address_limiter::{AddressLimiter, AddressLimits};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn long_message_counted_as_many_short_ones() {
        let (peer_rate, address_rate) = (Rate::new(10, 300), Rate::new(10, 500));
        let limits = AddressLimits {
            max_connections: 2,
            max_connections_in_all: 1_000_000,
            connection_rate: Rate::new(10, 10),
            message_rate: address_rate,
            call_rate: address_rate,
            max_addresses: 1,
            exempt_loopback: false,
        };
        let now = Instant::now();
        let addresses = Arc::new(AddressLimiter::new(now));
        let here = [192, 0, 2, 1].into();
        let limiter = || {
            let permit = addresses.admit(here, &limits, now).expect("there is room");
            MessageLimiter::new(Arc::new(permit), peer_rate, address_rate, now)
        };
        let mut peer = limiter();
        // 257, and then 43 more.
        peer.count(now, 1024 * 1024).expect("within the burst");
        let too_much = peer.count(now, 1024 * 1024);
        assert_eq!(
            too_much,
            Err(CloseReason::PeerMessageRate { per_second: 10 })
        );
        for _ in 0..43 {
            peer.count(now, BYTES_PER_MESSAGE - 1).expect("one each");
        }
        assert!(peer.count(now, 0).is_err());
        let later = now + SECOND;
        peer.count(later, 9 * BYTES_PER_MESSAGE).expect("ten");
        assert!(peer.count(later, 0).is_err());
        peer.refund(BYTES_PER_MESSAGE);
        peer.count(later, BYTES_PER_MESSAGE).expect("given back");
        assert!(peer.count(later, 0).is_err());
        // All of one address together.
        let mut other = limiter();
        let too_much = other.count(now, 250 * BYTES_PER_MESSAGE);
        assert_eq!(
            too_much,
            Err(CloseReason::AddressMessageRate { per_second: 10 })
        );
    }
}
