//! Counts the messages of one connection against what it and its address may send.

use std::sync::Arc;

use tokio::time::Instant;

use crate::clients::Admission;
use crate::close_reason::CloseReason;
use crate::limits::Limits;
use crate::rate::{Rate, TokenBucket};

/// For so many bytes more, a message counts as one more: what it costs the server is then in proportion to what is
/// counted. Nearly all messages are shorter.
const BYTES_PER_MESSAGE: usize = 4 * 1024;

/// Counts nothing for connections that are exempt.
#[derive(Debug)]
pub(crate) struct Meter(Option<Metered>);

#[derive(Debug)]
struct Metered {
    admission: Arc<Admission>,
    start: Instant,
    bucket: TokenBucket,
    rate: Rate,
    per_second: u32,
    address_rate: Rate,
    address_per_second: u32,
}

impl Meter {
    pub(crate) fn free() -> Self {
        Self(None)
    }

    pub(crate) fn new(admission: Arc<Admission>, limits: &Limits, now: Instant) -> Self {
        Self(Some(Metered {
            admission,
            start: now,
            bucket: TokenBucket::default(),
            rate: Rate::new(limits.peer_messages_per_second, limits.peer_message_burst),
            per_second: limits.peer_messages_per_second,
            address_rate: limits.address_message_rate(),
            address_per_second: limits.address_messages_per_second,
        }))
    }

    /// Counts a message of so many bytes that came `now`, or says why the connection ends.
    pub(crate) fn count(&mut self, now: Instant, bytes: usize) -> Result<(), CloseReason> {
        let Some(metered) = &mut self.0 else {
            return Ok(());
        };
        let count = 1 + (bytes / BYTES_PER_MESSAGE) as u64;
        let since = now.saturating_duration_since(metered.start);
        metered
            .bucket
            .take_many(metered.rate, count, since)
            .map_err(|_| CloseReason::PeerMessageRate {
                per_second: metered.per_second,
            })?;
        metered
            .admission
            .count_messages(metered.address_rate, count, now)
            .map_err(|_| CloseReason::AddressMessageRate {
                per_second: metered.address_per_second,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clients::Clients;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_long_message_counts_as_many_short_ones() {
        let limits = Limits {
            peer_messages_per_second: 10,
            peer_message_burst: 300,
            address_message_burst: 500,
            address_messages_per_second: 10,
            ..Limits::default()
        };
        let now = Instant::now();
        let clients = Arc::new(Clients::new(now));
        let here = [192, 0, 2, 1].into();
        let meter = || {
            let admission = clients.admit(here, &limits, now).expect("there is room");
            Meter::new(Arc::new(admission), &limits, now)
        };
        let mut peer = meter();
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
        // All of one address together.
        let mut other = meter();
        let too_much = other.count(now, 250 * BYTES_PER_MESSAGE);
        assert_eq!(
            too_much,
            Err(CloseReason::AddressMessageRate { per_second: 10 })
        );
    }
}
